//! Packets whose next hop's hardware address is not known yet: a bounded number, for a bounded time.

use std::collections::VecDeque;

use ulvs_engine::Ticks;
use ulvs_engine::snapshot::PortId;

use crate::io::Burst;

/// How many packets may wait, and how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// Packets at a time, of one worker.
    pub packets: usize,
    /// Ticks until a packet is dropped.
    pub ticks: u32,
}

/// The waiting packets of one worker, oldest first. Its room is allocated once.
#[derive(Debug)]
pub(crate) struct Waiting<P> {
    packets: VecDeque<(Ticks, PortId, P)>,
    /// How many of the oldest are to be tried again.
    untried: usize,
    patience: Patience,
}

impl<P> Waiting<P> {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { packets: VecDeque::with_capacity(patience.packets), untried: 0, patience }
    }

    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Keeps a packet that came at `since`; gives it back if too many wait.
    pub(crate) fn push(&mut self, since: Ticks, port: PortId, packet: P) -> Result<(), P> {
        if self.packets.len() >= self.patience.packets {
            return Err(packet);
        }
        self.packets.push_back((since, port, packet));
        Ok(())
    }

    /// All that wait now are to be tried again.
    pub(crate) fn try_again(&mut self) {
        self.untried = self.packets.len();
    }

    /// Whether some are to be tried again.
    #[inline]
    pub(crate) const fn has_untried(&self) -> bool {
        self.untried > 0
    }

    /// Takes the oldest of those that are to be tried again into an empty burst, with the times they came: as many as came by
    /// the same port one after the other, and as there are times for, of which there are at most [`BURST`](ulvs_engine::BURST).
    /// That port; `None`: there are none.
    pub(crate) fn take<B: Burst<Packet = P>>(&mut self, burst: &mut B, came: &mut [Ticks]) -> Option<PortId> {
        let &(_, port, _) = self.packets.front().filter(|_| self.untried > 0)?;
        for since in came.iter_mut().take(self.untried) {
            if self.packets.front().is_none_or(|(_, of, _)| *of != port) {
                break;
            }
            let Some((at, _, packet)) = self.packets.pop_front() else { break };
            self.untried -= 1;
            *since = at;
            // An empty burst has room for as many as there are times.
            let _ = burst.push(packet);
        }
        Some(port)
    }

    /// The oldest packet if it has waited too long, with its port.
    pub(crate) fn pop_late(&mut self, now: Ticks) -> Option<(PortId, P)> {
        let &(since, ..) = self.packets.front()?;
        if now.since(since) < self.patience.ticks {
            return None;
        }
        self.untried = self.untried.saturating_sub(1);
        self.packets.pop_front().map(|(_, port, packet)| (port, packet))
    }
}
