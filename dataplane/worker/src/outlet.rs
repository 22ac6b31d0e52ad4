//! Where packets go when they have a verdict: a port, the kernel, back to the pool.

use std::sync::Arc;

use ulvs_engine::counters::WorkerCounters;
use ulvs_engine::snapshot::{PortId, Snapshot};
use ulvs_engine::{DropReason, Engine, Frame, Pieces, PuntReason, Ticks, Verdict};
use ulvs_wire::fragment::Cut;

use crate::capture::Recorders;
use crate::exception::Exception;
use crate::io::{Burst, PacketIo, PacketOf};

/// Packets of the kernel's that a worker sends in one pass, for each port.
const INJECTED_AT_ONCE: usize = 32;

/// One worker's ways out.
pub(crate) struct Outlet<I: PacketIo> {
    pub(crate) io: I,
    /// By port number. Boxed, so that a whole burst changes hands by its pointer.
    outgoing: Box<[Box<I::Burst>]>,
    /// Ports whose packets from the kernel this worker sends.
    kernel_ports: Box<[PortId]>,
    exception: Arc<Exception<PacketOf<I>>>,
}

impl<I: PacketIo> Outlet<I> {
    /// For worker `number` of `workers`.
    pub(crate) fn new(
        io: I,
        ports: usize,
        (number, workers): (usize, usize),
        exception: Arc<Exception<PacketOf<I>>>,
    ) -> Self {
        let own = (0..ports).filter(|port| port % workers.max(1) == number);
        Self {
            io,
            outgoing: (0..ports).map(|_| Box::default()).collect(),
            kernel_ports: own.filter_map(|port| u16::try_from(port).ok().map(PortId)).collect(),
            exception,
        }
    }

    /// Takes a whole burst to `port`, if nothing is queued there: its packets are not touched one by one. False, and
    /// nothing done, if something is.
    #[inline]
    pub(crate) fn forward_all(&mut self, port: PortId, received: &mut Box<I::Burst>) -> bool {
        match self.outgoing.get_mut(usize::from(port.0)) {
            Some(burst) if burst.is_empty() => {
                std::mem::swap(received, burst);
                true
            }
            _ => false,
        }
    }

    /// Takes a packet where its verdict says; gives it back if it must wait.
    #[inline]
    pub(crate) fn dispatch(
        &mut self,
        verdict: Verdict,
        ingress: PortId,
        packet: PacketOf<I>,
        counters: &WorkerCounters,
    ) -> Option<PacketOf<I>> {
        match verdict {
            Verdict::Forward(port) | Verdict::Reject(port, _) => self.queue(port, packet, counters),
            Verdict::Punt(reason) => self.punt(ingress, reason, packet, counters),
            Verdict::Drop(_) => drop(packet),
            // The engine says beside its verdicts how packets are cut: `fragment`.
            Verdict::Wait | Verdict::Hold | Verdict::Fragment(_) => return Some(packet),
        }
        None
    }

    /// Sends a packet in fragments.
    #[cold]
    pub(crate) fn fragment(&mut self, port: PortId, pieces: Pieces, packet: &PacketOf<I>, counters: &WorkerCounters) {
        let bytes = packet.bytes();
        let count = Cut::of(bytes, pieces.mtu, pieces.id).map_or(0, |cut| {
            for number in 0..cut.count() {
                let Some(mut fragment) = self.io.assemble(cut.parts(bytes, number)) else { return number };
                cut.finish(number, fragment.bytes_mut());
                self.queue(port, fragment, counters);
            }
            usize::MAX
        });
        if count < usize::MAX {
            // What is missing makes the rest useless.
            counters.count_drop(DropReason::NoBuffer);
        }
    }

    #[inline]
    fn queue(&mut self, port: PortId, packet: PacketOf<I>, counters: &WorkerCounters) {
        let Some(burst) = self.outgoing.get_mut(usize::from(port.0)) else {
            // No snapshot leads to a port that is not there; were it so, the packet must not be lost unseen.
            return counters.count_drop(DropReason::TxFull);
        };
        if let Err(packet) = burst.push(packet) {
            send(&mut self.io, port, burst, counters);
            // Cannot fail: sending leaves the burst empty.
            let _ = burst.push(packet);
        }
    }

    #[cold]
    fn punt(&mut self, ingress: PortId, reason: PuntReason, packet: PacketOf<I>, counters: &WorkerCounters) {
        if let Err((reason, packet)) = self.exception.punt(ingress, reason, packet) {
            counters.count_drop(reason);
            drop(packet);
        }
    }

    /// Queues what the kernel sends, a bounded number; how many there were.
    pub(crate) fn inject(
        &mut self,
        engine: &Engine,
        (snapshot, now): (&Snapshot, Ticks),
        recorders: &mut Recorders,
    ) -> usize {
        let mut moved = 0;
        for at in 0..self.kernel_ports.len() {
            let port = self.kernel_ports[at];
            for _ in 0..INJECTED_AT_ONCE {
                let Some(mut packet) = self.exception.next_from_kernel(port) else { break };
                engine.translate_reply(snapshot, now, port, &mut packet);
                if recorders.are_on() {
                    recorders.sent_by_kernel(port, packet.bytes());
                }
                self.queue(port, packet, engine.counters());
                moved += 1;
            }
        }
        moved
    }

    /// Sends everything that is queued.
    #[inline]
    pub(crate) fn flush(&mut self, engine: &Engine) {
        for (burst, port) in self.outgoing.iter_mut().zip(0..) {
            if !burst.is_empty() {
                send(&mut self.io, PortId(port), burst, engine.counters());
            }
        }
    }
}

/// Sends a burst; what the port refuses is a counted drop, never a wait.
#[inline]
fn send<I: PacketIo>(io: &mut I, port: PortId, burst: &mut I::Burst, counters: &WorkerCounters) {
    io.send(port, burst);
    if !burst.is_empty() {
        for _ in 0..burst.len() {
            counters.count_drop(DropReason::TxFull);
        }
        burst.clear();
    }
}
