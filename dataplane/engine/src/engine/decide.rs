//! The third stage of a burst: what becomes of each packet. That of an existing connection, where it was expected, goes straight
//! on; all others are searched for.

use ulvs_wire::Packet;

use crate::conn::{Direction, Guess, Hit, Home, Table};
use crate::frame::Frame;
use crate::prefetch::AT_A_TIME;
use crate::snapshot::PortId;
use crate::verdict::Verdict;

use super::stage::{Frames, Staged};
use super::{Context, Own};

/// The port a packet is forwarded by; `None` if something else becomes of it, which is then in [`Own::instead`]. Two places, for the
/// one that most packets need is a number in a register.
pub(super) type Way = Option<PortId>;

impl Own {
    /// Decides about a burst of nothing but flows; the port if all are to leave by one.
    #[inline(always)]
    pub(super) fn decide_all<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frames: &mut [F],
        verdicts: &mut [Verdict],
        staged: &[Staged],
        guesses: &[Guess<'_>],
    ) -> Way {
        if cx.any_v6 {
            self.decide_each::<F, true>(cx, frames, verdicts, staged, guesses)
        } else {
            self.decide_each::<F, false>(cx, frames, verdicts, staged, guesses)
        }
    }

    /// The same, one for bursts of IPv4 alone.
    ///
    /// A function of its own, as are the stages before it: what one loop over the burst needs stays in registers.
    #[inline(never)]
    fn decide_each<F: Frame, const ANY_V6: bool>(
        &mut self,
        cx: &Context<'_>,
        frames: &mut [F],
        verdicts: &mut [Verdict],
        staged: &[Staged],
        guesses: &[Guess<'_>],
    ) -> Way {
        // The bits that some port has, and those that all have: the same only of one port.
        let (mut some, mut all) = (0, u16::MAX);
        let packets = frames.iter_mut().zip(verdicts).zip(staged).zip(guesses);
        for (at, (((frame, verdict), packet), guess)) in packets.enumerate() {
            if at.is_multiple_of(AT_A_TIME) {
                cx.ask_again(staged, guesses, at);
            }
            if let Some(port) = self.decide::<F, ANY_V6>(cx, frame, packet, *guess) {
                *verdict = Verdict::Forward(port);
                some |= port.0;
                all &= port.0;
            } else {
                *verdict = self.instead;
                (some, all) = (u16::MAX, 0);
            }
        }
        (some == all).then_some(PortId(all))
    }

    #[inline(always)]
    fn decide<F: Frame, const ANY_V6: bool>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        staged: &Staged,
        guess: Guess<'_>,
    ) -> Way {
        match Table::likely::<ANY_V6>(guess, &staged.packet.key, &cx.snapshot.destinations) {
            // Two cases, so that the direction is not asked for again.
            Some(hit @ Hit { direction: Direction::In, .. }) if hit.entry.has_time(cx.now) => {
                self.inbound(cx, frame, staged, hit)
            }
            Some(hit @ Hit { direction: Direction::Out, .. }) if hit.entry.has_time(cx.now) => {
                self.outbound(cx, frame, staged, hit)
            }
            _ => {
                let verdict = self.decide_by_search(cx, frame, &staged.packet, staged.home);
                self.no_way(verdict)
            }
        }
    }

    /// Decides about a burst that has not only flows in it, or of which not all flows are the director's.
    #[cold]
    #[inline(never)]
    pub(super) fn decide_mixed<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        others: Frames,
        frames: &mut [F],
        verdicts: &mut [Verdict],
        (staged, guesses): (&[Staged], &[Guess<'_>]),
    ) {
        for (at, (frame, verdict)) in frames.iter_mut().zip(verdicts).enumerate() {
            if at.is_multiple_of(AT_A_TIME) {
                cx.ask_again(staged, guesses, at);
            }
            *verdict = if others >> at & 1 != 0 {
                self.other(cx, frame)
            } else if cx.snapshot.stands_aside {
                self.stand_aside(cx, frame, &staged[at])
            } else {
                let way = self.decide::<F, true>(cx, frame, &staged[at], guesses[at]);
                self.verdict_of(way)
            };
        }
    }

    /// What to do with a packet whose connection is not where it was looked for first, has no time left, or isn't there.
    #[cold]
    #[inline(never)]
    pub(super) fn decide_by_search<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
    ) -> Verdict {
        match cx.shared.table.search(home, &packet.key) {
            Some(hit) if !self.has_expired(cx, hit) => self.go_on(cx, frame, packet, home, hit),
            _ => self.schedule_new(cx, frame, packet, home),
        }
    }

    #[inline(always)]
    pub(super) fn forward<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, staged: &Staged, hit: Hit<'_>) -> Way {
        match hit.direction {
            Direction::In => self.inbound(cx, frame, staged, hit),
            Direction::Out => self.outbound(cx, frame, staged, hit),
        }
    }

    /// A packet of a connection that was searched for: a helper may have to see it.
    #[inline(never)]
    pub(super) fn go_on<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        hit: Hit<'_>,
    ) -> Verdict {
        if hit.control.is_helped() {
            self.helped(cx, frame, packet, home, hit)
        } else {
            let way = self.forward(cx, frame, &Staged { packet: *packet, home }, hit);
            self.verdict_of(way)
        }
    }

    /// The packet is not forwarded as it is: this becomes of it.
    #[inline(always)]
    pub(super) fn no_way(&mut self, instead: Verdict) -> Way {
        self.instead = instead;
        None
    }

    /// The verdict that the last way means.
    #[inline]
    pub(super) fn verdict_of(&self, way: Way) -> Verdict {
        way.map_or(self.instead, Verdict::Forward)
    }
}
