//! Fragments that came before the first of their packets: a bounded number, for a bounded time, and no source has all of it.

use std::collections::VecDeque;

use ulvs_engine::snapshot::PortId;
use ulvs_engine::{DatagramName, TICKS_PER_SECOND, Ticks};

/// Fragments at a time, of one worker.
const MOST: usize = 256;
/// Sources are told apart by so many numbers, and each number has so many places.
const SOURCES: usize = 64;
const OF_ONE_SOURCE: u16 = 32;
/// Ticks until a fragment is dropped: networks put packets out of order by milliseconds.
const PATIENCE: u32 = TICKS_PER_SECOND;

/// A fragment, and what it waits for.
#[derive(Debug)]
pub(crate) struct HeldPacket<P> {
    since: Ticks,
    pub(crate) port: PortId,
    pub(crate) name: DatagramName,
    pub(crate) packet: P,
}

/// The fragments one worker holds, oldest first. Its room is allocated once.
#[derive(Debug)]
pub(crate) struct Held<P> {
    packets: VecDeque<HeldPacket<P>>,
    of_source: [u16; SOURCES],
    /// How many first fragments had come when the packets were looked through.
    pub(crate) seen: u64,
}

impl<P> Held<P> {
    pub(crate) fn new() -> Self {
        Self { packets: VecDeque::with_capacity(MOST), of_source: [0; SOURCES], seen: 0 }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Keeps a fragment that came at `now`. Gives back what there is no room for: it, if its source has too many here, else
    /// the oldest, which most likely waits in vain.
    pub(crate) fn push(&mut self, now: Ticks, port: PortId, name: DatagramName, packet: P) -> Option<HeldPacket<P>> {
        let source = name.source(SOURCES);
        let held = HeldPacket { since: now, port, name, packet };
        if self.of_source[source] >= OF_ONE_SOURCE {
            return Some(held);
        }
        let oldest = if self.packets.len() >= MOST { self.pop() } else { None };
        self.of_source[source] += 1;
        self.packets.push_back(held);
        oldest
    }

    /// The oldest fragment.
    pub(crate) fn pop(&mut self) -> Option<HeldPacket<P>> {
        let oldest = self.packets.pop_front()?;
        self.of_source[oldest.name.source(SOURCES)] -= 1;
        Some(oldest)
    }

    /// Puts back behind the others what [`pop`](Self::pop) gave.
    pub(crate) fn put_back(&mut self, held: HeldPacket<P>) {
        self.of_source[held.name.source(SOURCES)] += 1;
        self.packets.push_back(held);
    }

    /// The oldest fragment if it has waited too long.
    pub(crate) fn pop_late(&mut self, now: Ticks) -> Option<HeldPacket<P>> {
        let since = self.packets.front()?.since;
        if now.since(since) < PATIENCE {
            return None;
        }
        self.pop()
    }
}
