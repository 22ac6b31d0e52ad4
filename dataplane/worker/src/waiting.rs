//! Packets whose next hop's hardware address is not known yet: a bounded number, for a bounded time.

use std::collections::VecDeque;

use ulvs_engine::Ticks;
use ulvs_engine::snapshot::PortId;

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
    patience: Patience,
}

impl<P> Waiting<P> {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { packets: VecDeque::with_capacity(patience.packets), patience }
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

    /// The oldest packet, with the time it came and its port.
    pub(crate) fn pop(&mut self) -> Option<(Ticks, PortId, P)> {
        self.packets.pop_front()
    }

    /// The oldest packet if it has waited too long, with its port.
    pub(crate) fn pop_late(&mut self, now: Ticks) -> Option<(PortId, P)> {
        let &(since, ..) = self.packets.front()?;
        if now.since(since) < self.patience.ticks {
            return None;
        }
        self.packets.pop_front().map(|(_, port, packet)| (port, packet))
    }
}
