//! What new connections will need, asked for before any packet of the burst is decided: with many services each has lines
//! of its own, and waiting for one packet's lines after another's would take most of its time.

use ulvs_wire::Packet;

use crate::conn::Guess;
use crate::frame::Frame;
use crate::prefetch::{AT_A_TIME, prefetch};
use crate::snapshot::{DestinationId, Place, ServiceLine, ServiceView};
use crate::verdict::Verdict;

use super::{Context, Frames, Own, Staged, Way};

/// So many packets are looked at before the first of them is decided: what they will need has room in the first level of cache, and is no
/// more than a core waits for [at a time](AT_A_TIME).
const AHEAD: usize = AT_A_TIME;

impl Own {
    /// As [`decide_all`](Self::decide_all), of a director with many services.
    pub(super) fn decide_ahead<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frames: &mut [F],
        verdicts: &mut [Verdict],
        (staged, guesses): (&[Staged], &[Guess<'_>]),
    ) -> Way {
        let mut by_one = None;
        let parts = frames.chunks_mut(AHEAD).zip(verdicts.chunks_mut(AHEAD));
        // Those of the parts that follow, too: they are asked for meanwhile.
        let guesses = (0..).step_by(AHEAD).map_while(|from| guesses.get(from..));
        let staged = (0..).step_by(AHEAD).map_while(|from| staged.get(from..));
        for ((frames, verdicts), (staged, guesses)) in parts.zip(staged.zip(guesses)) {
            self.look_ahead(cx, 0, &staged[..frames.len()], guesses);
            let way = self.decide_all(cx, frames, verdicts, staged, guesses);
            by_one = Some(way.filter(|_| by_one.is_none_or(|before| before == way)));
        }
        by_one.flatten()
    }

    /// Looks ahead to all of a burst that has not only flows in it: they are decided together.
    #[cold]
    pub(super) fn look_ahead_mixed(&self, cx: &Context<'_>, others: Frames, staged: &[Staged], guesses: &[Guess<'_>]) {
        let parts = staged.chunks(AHEAD).zip(guesses.chunks(AHEAD));
        for (part, (staged, guesses)) in parts.enumerate() {
            self.look_ahead(cx, others >> (part * AHEAD), staged, guesses);
        }
    }

    /// Asks for what services and schedulers of those flows will read that have no likely entry. Step by step for all of
    /// them: none waits for another one's lines.
    #[inline(never)]
    fn look_ahead(&self, cx: &Context<'_>, others: Frames, staged: &[Staged], guesses: &[Guess<'_>]) {
        let services = &cx.snapshot.services;
        let (mut found, mut known): ([Option<&ServiceLine>; AHEAD], _) = ([None; AHEAD], 0);
        for (at, (one, guess)) in staged.iter().zip(guesses).enumerate() {
            if others >> at & 1 == 0 && guess.is_none() {
                let mut line = services.guess(&Place::to(&one.packet.key));
                if line.is_none() {
                    line = cx.found_otherwise(&one.packet);
                }
                if let Some(line) = line {
                    line.prefetch();
                    found[known % AHEAD] = Some(line);
                    known += 1;
                }
            }
        }
        let (mut others, mut left): ([Option<&ServiceView>; AHEAD], _) = ([None; AHEAD], 0);
        for line in found[..known.min(AHEAD)].iter().flatten() {
            if let Some(id) = line.turns().and_then(|turns| turns.next(self.worker)) {
                cx.prefetch_destination(id);
            } else {
                line.service().prefetch();
                others[left % AHEAD] = Some(line.service());
                left += 1;
            }
        }
        if left > 0 {
            self.look_further(cx, &others[..left.min(AHEAD)]);
        }
    }

    /// Of services of which more has to be read than their lines.
    #[inline(never)]
    fn look_further(&self, cx: &Context<'_>, services: &[Option<&ServiceView>]) {
        let schedulers = services.iter().flatten().map(|service| service.scheduler());
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

impl<'a> Context<'a> {
    /// A service that is found by another port than its own, or by a mark.
    #[cold]
    #[inline(never)]
    fn found_otherwise(&self, packet: &Packet) -> Option<&'a ServiceLine> {
        if self.snapshot.services.are_wide() { self.service_line_of(packet) } else { None }
    }

    #[inline(always)]
    fn prefetch_destination(&self, id: DestinationId) {
        prefetch(self.snapshot.destinations.get(id));
        self.counters.prefetch(id);
        self.shared.live.prefetch(id);
    }
}
