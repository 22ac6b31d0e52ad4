//! Between the workers and the kernel: bounded queues, so that neither ever waits for the other.

use crossbeam::queue::ArrayQueue;
use ulvs_engine::snapshot::PortId;
use ulvs_engine::{DropReason, PuntReason};

/// Packets of each class on their way to the kernel.
const TO_KERNEL: usize = 1024;
/// Packets on their way from the kernel, for each port.
const FROM_KERNEL: usize = 1024;

/// What a punted packet is to the kernel. Each class has a queue of its own: a flood of one can't starve the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Class {
    /// What keeps the network together: ARP, neighbour discovery, VRRP, OSPF, spanning tree.
    Control,
    /// Everything else, first of all packets to the director's own addresses.
    Data,
}

impl Class {
    const fn of(reason: PuntReason) -> Self {
        match reason {
            PuntReason::Arp | PuntReason::Icmp | PuntReason::OtherProtocol | PuntReason::OtherEtherType => Self::Control,
            PuntReason::Group
            | PuntReason::NotAService
            | PuntReason::NoConnection
            | PuntReason::Fragment
            | PuntReason::LocalDestination => Self::Data,
        }
    }
}

/// The exception path of all ports.
#[derive(Debug)]
pub struct Exception<P> {
    control: ArrayQueue<(PortId, P)>,
    data: ArrayQueue<(PortId, P)>,
    from_kernel: Box<[ArrayQueue<P>]>,
    has_tap: Box<[bool]>,
}

impl<P> Exception<P> {
    /// Queues for these ports, by number; true for those with a TAP twin.
    pub fn new(has_tap: &[bool]) -> Self {
        Self {
            control: ArrayQueue::new(TO_KERNEL),
            data: ArrayQueue::new(TO_KERNEL),
            from_kernel: has_tap.iter().map(|_| ArrayQueue::new(FROM_KERNEL)).collect(),
            has_tap: has_tap.into(),
        }
    }

    /// Hands a packet that came in by `port` to the kernel.
    ///
    /// # Errors
    /// The packet, and why it can't be.
    pub fn punt(&self, port: PortId, reason: PuntReason, packet: P) -> Result<(), (DropReason, P)> {
        if !self.has_tap.get(usize::from(port.0)).is_some_and(|&tap| tap) {
            return Err((DropReason::NoTap, packet));
        }
        let queue = match Class::of(reason) {
            Class::Control => &self.control,
            Class::Data => &self.data,
        };
        queue.push((port, packet)).map_err(|(_, packet)| (DropReason::PuntQueueFull, packet))
    }

    /// The next packet for the kernel and the port it came in by; those that keep the network together first.
    pub fn next_for_kernel(&self) -> Option<(PortId, P)> {
        self.control.pop().or_else(|| self.data.pop())
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
        self.from_kernel.get(usize::from(port.0))?.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_does_not_starve_arp() {
        let exception = Exception::new(&[true]);
        while exception.punt(PortId(0), PuntReason::NotAService, "syn").is_ok() {}
        exception.punt(PortId(0), PuntReason::Arp, "arp").unwrap();
        assert_eq!(exception.next_for_kernel(), Some((PortId(0), "arp")));
    }

    #[test]
    fn without_a_tap_nothing_is_queued() {
        let exception = Exception::new(&[true, false]);
        assert_eq!(exception.punt(PortId(1), PuntReason::Arp, 1), Err((DropReason::NoTap, 1)));
        assert_eq!(exception.punt(PortId(2), PuntReason::Arp, 1), Err((DropReason::NoTap, 1)));
    }
}
