//! What new connections will need, asked for before any packet of the burst is decided: with many services each has lines
//! of its own, and waiting for one packet's lines after another's would take most of its time.

use crate::conn::Guess;
use crate::prefetch::prefetch;
use crate::snapshot::{DestinationId, Place, ServiceView};

use super::{BURST, Context, Frames, Own, Staged};

impl Own {
    /// Asks for what services and schedulers of those flows will read that have no likely entry. Step by step for all of
    /// them: none waits for another one's lines.
    #[inline(never)]
    pub(super) fn look_ahead(&self, cx: &Context<'_>, others: Frames, staged: &[Staged], guesses: &[Guess]) {
        let services = &cx.snapshot.services;
        let (mut found, mut known): ([Option<&ServiceView>; BURST], _) = ([None; BURST], 0);
        for (at, (one, guess)) in staged.iter().zip(guesses).enumerate() {
            if others >> at & 1 == 0 && *guess == Guess::NONE {
                let mut service = services.guess(&Place::to(&one.packet.key));
                if service.is_none() && services.are_wide() {
                    service = cx.service_of(&one.packet);
                }
                if let Some(service) = service {
                    service.prefetch();
                    found[known % BURST] = Some(service);
                    known += 1;
                }
            }
        }
        let schedulers = found[..known.min(BURST)].iter().flatten().map(|service| service.scheduler());
        let mut go_by_loads = false;
        for scheduler in schedulers.clone() {
            if let Some(id) = scheduler.next_by_turn(self.worker) {
                cx.prefetch_destination(id);
            } else {
                scheduler.prefetch(|id| cx.prefetch_destination(id));
                go_by_loads |= scheduler.goes_by_loads();
            }
        }
        if go_by_loads {
            for scheduler in schedulers.clone() {
                scheduler.prefetch_loads(&cx.shared.live);
            }
            for scheduler in schedulers {
                if let Some(id) = scheduler.next_by_loads(&cx.shared.live) {
                    cx.prefetch_destination(id);
                }
            }
        }
    }
}

impl Context<'_> {
    #[inline(always)]
    fn prefetch_destination(&self, id: DestinationId) {
        prefetch(self.snapshot.destinations.get(id));
        prefetch(self.counters.destination(id));
        prefetch(self.counters.connections(id));
        self.shared.live.prefetch(id);
    }
}
