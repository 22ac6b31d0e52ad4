//! Between the workers and the kernel: bounded queues, so that neither ever waits for the other.

mod class;

use std::sync::atomic::AtomicU64;

use crossbeam::queue::ArrayQueue;
use ulvs_engine::snapshot::PortId;
use ulvs_engine::{DropReason, Frame, PuntReason};

use self::class::Class;

/// Packets of each class on their way to the kernel.
const TO_KERNEL: usize = 512;
/// Packets on their way from the kernel, for each port.
const FROM_KERNEL: usize = 1024;
/// Packets of a class that go to the kernel before it is the next class's turn.
const TURN: usize = 64;

/// The exception path of all ports.
///
/// Classes of punted packets have a queue each, which takes turns with the others: a flood of one class fills its own
/// queue and costs the others at most the time of its turns.
#[derive(Debug)]
pub struct Exception<P> {
    to_kernel: [ArrayQueue<(PortId, P)>; Class::ALL.len()],
    from_kernel: Box<[ArrayQueue<P>]>,
    has_tap: Box<[bool]>,
    counters: Box<[TapCounters]>,
}

/// Frames between one port and its TAP twin. Written by whoever moves them, read by everybody.
#[derive(Debug, Default)]
pub struct TapCounters {
    /// Handed to the kernel.
    pub to_kernel: AtomicU64,
    /// Not taken by the kernel, because the TAP is down or gone.
    pub refused: AtomicU64,
    /// Sent by the kernel, those that got lost included.
    pub from_kernel: AtomicU64,
    /// Sent by the kernel and lost, for want of a packet buffer or because workers did not take earlier ones fast enough.
    pub lost: AtomicU64,
}

impl<P> Exception<P> {
    /// Queues for these ports, by number; true for those with a TAP twin.
    pub fn new(has_tap: &[bool]) -> Self {
        Self {
            to_kernel: Class::ALL.map(|_| ArrayQueue::new(TO_KERNEL)),
            from_kernel: has_tap.iter().map(|_| ArrayQueue::new(FROM_KERNEL)).collect(),
            has_tap: has_tap.into(),
            counters: has_tap.iter().map(|_| TapCounters::default()).collect(),
        }
    }

    /// The most packets that can be in the queues of this many ports: what a pool must have beside.
    pub const fn capacity(ports: usize) -> usize {
        Class::ALL.len() * TO_KERNEL + ports * FROM_KERNEL
    }

    /// What passed between a port and its TAP twin.
    pub fn counters(&self, port: PortId) -> Option<&TapCounters> {
        self.counters.get(usize::from(port.0))
    }

    /// Gives the next packets for the kernel to `deliver`, with the port each came in by, at most one turn of each class;
    /// returns how many.
    pub fn deliver(&self, mut deliver: impl FnMut(PortId, P)) -> usize {
        let mut moved = 0;
        for queue in &self.to_kernel {
            for _ in 0..TURN {
                let Some((port, packet)) = queue.pop() else { break };
                deliver(port, packet);
                moved += 1;
            }
        }
        moved
    }

    /// Sends a packet of the kernel's out of `port`.
    ///
    /// # Errors
    /// The packet, if the workers did not take earlier ones fast enough.
    pub fn inject(&self, port: PortId, packet: P) -> Result<(), P> {
        match self.from_kernel.get(usize::from(port.0)) {
            Some(queue) => queue.push(packet),
            None => Err(packet),
        }
    }

    /// The kernel's next packet to be sent out of `port`.
    #[inline]
    pub(crate) fn next_from_kernel(&self, port: PortId) -> Option<P> {
        let queue = self.from_kernel.get(usize::from(port.0))?;
        // Nearly every pass finds none; to look first saves it the fence of an empty queue's `pop`.
        if queue.is_empty() { None } else { queue.pop() }
    }
}

impl<P: Frame> Exception<P> {
    /// Hands a packet that came in by `port` to the kernel.
    ///
    /// # Errors
    /// The packet, and why it can't be.
    pub fn punt(&self, port: PortId, reason: PuntReason, packet: P) -> Result<(), (DropReason, P)> {
        if !self.has_tap.get(usize::from(port.0)).is_some_and(|&tap| tap) {
            return Err((DropReason::NoTap, packet));
        }
        let queue = &self.to_kernel[Class::of(reason, packet.bytes()) as usize];
        queue.push((port, packet)).map_err(|(_, packet)| (DropReason::PuntQueueFull, packet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulvs_engine::MemoryFrame;

    fn frame(byte: u8) -> MemoryFrame {
        MemoryFrame::new(&[byte; 60])
    }

    #[test]
    fn a_flood_does_not_starve_arp() {
        let exception = Exception::new(&[true]);
        while exception.punt(PortId(0), PuntReason::NotAService, frame(1)).is_ok() {}
        exception.punt(PortId(0), PuntReason::Arp, frame(2)).unwrap();
        let mut first = None;
        let moved = exception.deliver(|_, packet| {
            first.get_or_insert(packet.bytes()[0]);
        });
        assert_eq!((moved, first), (TURN + 1, Some(2)));
    }

    #[test]
    fn a_flood_of_arp_does_not_starve_the_rest() {
        let exception = Exception::new(&[true]);
        while exception.punt(PortId(0), PuntReason::Arp, frame(2)).is_ok() {}
        exception.punt(PortId(0), PuntReason::NotAService, frame(1)).unwrap();
        let mut last = None;
        exception.deliver(|_, packet| last = Some(packet.bytes()[0]));
        assert_eq!(last, Some(1));
    }

    #[test]
    fn queues_hold_what_the_pool_is_made_for() {
        let exception = Exception::new(&[true, true]);
        let mut held = 0;
        for reason in PuntReason::ALL {
            while exception.punt(PortId(0), *reason, frame(0)).is_ok() {
                held += 1;
            }
        }
        for port in 0..2 {
            while exception.inject(PortId(port), frame(0)).is_ok() {
                held += 1;
            }
        }
        assert!(held <= Exception::<MemoryFrame>::capacity(2));
    }

    #[test]
    fn without_a_tap_nothing_is_queued() {
        let exception = Exception::new(&[true, false]);
        for port in [1, 2] {
            let refused = exception.punt(PortId(port), PuntReason::Arp, frame(0));
            assert_eq!(refused, Err((DropReason::NoTap, frame(0))));
        }
    }
}
