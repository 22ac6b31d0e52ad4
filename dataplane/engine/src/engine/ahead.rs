//! What new connections will need, asked for before any packet of the burst is decided: with many services each has lines
//! of its own, and waiting for one packet's lines after another's would take most of its time.

use crate::conn::Guess;
use crate::prefetch::prefetch;
use crate::snapshot::ServiceView;

use super::{BURST, Context, Frames, Own, Staged};

impl Own {
    /// Asks for what services and schedulers of those flows will read that have no likely entry. Step by step for all of
    /// them: none waits for another one's lines.
    #[inline(never)]
    pub(super) fn look_ahead(&mut self, cx: &Context<'_>, others: Frames, staged: &[Staged], guesses: &[Guess]) {
        let mut found: [Option<&ServiceView>; BURST] = [None; BURST];
        let mut count = 0;
        for (at, (staged, guess)) in staged.iter().zip(guesses).enumerate() {
            if others >> at & 1 == 0 && *guess == Guess::NONE {
                found[count] = self.service_of(cx, &staged.packet);
                count += 1;
            }
        }
        let found = found[..count].iter().flatten().map(|service| service.scheduler());
        for scheduler in found.clone() {
            scheduler.prefetch();
        }
        for scheduler in found.clone() {
            scheduler.prefetch_list();
        }
        for scheduler in found {
            for id in scheduler.prefetch_memory(self.worker, &cx.shared.live) {
                prefetch(cx.snapshot.destinations.get(id));
                prefetch(cx.counters.destination(id));
            }
        }
    }
}
