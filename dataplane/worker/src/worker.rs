//! One pass of the poll loop.

use std::sync::Arc;

use ulvs_engine::publish::Reader;
use ulvs_engine::snapshot::{PortId, Snapshot};
use ulvs_engine::{BURST, DropReason, Engine, PuntReason, Ticks, Verdict};

use crate::exception::Exception;
use crate::io::{Burst, PacketIo, PacketOf};
use crate::waiting::{Patience, Waiting};

/// Packets of the kernel's that a worker sends in one pass, for each port.
const INJECTED_AT_ONCE: usize = 32;

/// Everything one worker owns.
pub struct Worker<I: PacketIo> {
    io: I,
    engine: Engine,
    snapshots: Reader<Snapshot>,
    ports: Vec<PortId>,
    /// Ports whose packets from the kernel this worker sends.
    kernel_ports: Vec<PortId>,
    exception: Arc<Exception<PacketOf<I>>>,
    waiting: Waiting<PacketOf<I>>,
    received: I::Burst,
    /// By port number.
    outgoing: Vec<I::Burst>,
    verdicts: [Verdict; BURST],
}

impl<I: PacketIo> Worker<I> {
    /// Worker `number` of `workers` on `ports` ports.
    pub fn new(
        io: I,
        engine: Engine,
        snapshots: Reader<Snapshot>,
        (number, workers): (usize, usize),
        ports: usize,
        exception: Arc<Exception<PacketOf<I>>>,
        patience: Patience,
    ) -> Self {
        let ports: Vec<_> = (0..ports).filter_map(|port| u16::try_from(port).ok().map(PortId)).collect();
        Self {
            io,
            engine,
            snapshots,
            kernel_ports: ports.iter().copied().filter(|p| usize::from(p.0) % workers.max(1) == number).collect(),
            exception,
            waiting: Waiting::new(patience),
            received: I::Burst::default(),
            outgoing: ports.iter().map(|_| I::Burst::default()).collect(),
            verdicts: [Verdict::Wait; BURST],
            ports,
        }
    }

    /// One pass over all ports at the moment `now`; the number of packets it moved.
    pub fn pass(&mut self, now: Ticks) -> usize {
        let moved = self.receive(now) + self.send_injected();
        self.retry_waiting(now);
        self.flush();
        self.engine.housekeeping(now);
        let counters = self.engine.counters();
        counters.generation.set(self.snapshots.generation());
        counters.loops.add(1);
        if moved > 0 {
            counters.busy_loops.add(1);
        }
        moved
    }

    /// The I/O, for tests.
    pub fn io(&mut self) -> &mut I {
        &mut self.io
    }

    /// The engine, for its counters.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Packets that wait for a neighbour.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn receive(&mut self, now: Ticks) -> usize {
        let mut moved = 0;
        for at in 0..self.ports.len() {
            let port = self.ports[at];
            self.io.receive(port, &mut self.received);
            let count = self.received.len();
            if count > 0 {
                moved += count;
                self.engine.counters().received.add(count as u64);
                let snapshot = self.snapshots.refresh();
                self.engine.process(snapshot, now, port, self.received.packets(), &mut self.verdicts);
                self.distribute(now, port);
            }
        }
        if moved == 0 {
            self.snapshots.refresh();
        }
        moved
    }

    /// Sends every received packet where its verdict says.
    fn distribute(&mut self, now: Ticks, ingress: PortId) {
        let mut received = std::mem::take(&mut self.received);
        for (packet, at) in received.drain().zip(0..) {
            match self.verdicts[at] {
                Verdict::Forward(port) | Verdict::Reject(port, _) => self.queue(port, packet),
                Verdict::Punt(reason) => self.punt(ingress, reason, packet),
                Verdict::Drop(_) => drop(packet),
                Verdict::Wait => self.wait(now, ingress, packet),
            }
        }
        self.received = received;
    }

    #[inline]
    fn queue(&mut self, port: PortId, packet: PacketOf<I>) {
        let Some(burst) = self.outgoing.get_mut(usize::from(port.0)) else {
            return;
        };
        if let Err(packet) = burst.push(packet) {
            send(&mut self.io, &self.engine, port, burst);
            // Cannot fail: sending leaves the burst empty.
            let _ = burst.push(packet);
        }
    }

    fn punt(&mut self, ingress: PortId, reason: PuntReason, packet: PacketOf<I>) {
        if let Err((reason, packet)) = self.exception.punt(ingress, reason, packet) {
            self.engine.counters().count_drop(reason);
            drop(packet);
        }
    }

    fn wait(&mut self, since: Ticks, ingress: PortId, packet: PacketOf<I>) {
        if self.waiting.push(since, ingress, packet).is_err() {
            self.engine.counters().count_drop(DropReason::NeighbourQueueFull);
        }
    }

    /// Packets that wait get another try with a new snapshot, and are dropped when they waited too long.
    fn retry_waiting(&mut self, now: Ticks) {
        if self.waiting.is_empty() {
            return;
        }
        while let Some(packet) = self.waiting.pop_late(now) {
            self.engine.counters().count_drop(DropReason::NeighbourUnresolved);
            drop(packet);
        }
        if !self.waiting.is_new(self.snapshots.generation()) {
            return;
        }
        for _ in 0..self.waiting.len() {
            let Some((since, ingress, packet)) = self.waiting.pop() else { break };
            let mut one = I::Burst::default();
            if one.push(packet).is_err() {
                continue;
            }
            let snapshot = self.snapshots.refresh();
            self.engine.process(snapshot, now, ingress, one.packets(), &mut self.verdicts);
            std::mem::swap(&mut self.received, &mut one);
            self.distribute(since, ingress);
        }
    }

    fn send_injected(&mut self) -> usize {
        let mut moved = 0;
        for at in 0..self.kernel_ports.len() {
            let port = self.kernel_ports[at];
            for _ in 0..INJECTED_AT_ONCE {
                let Some(packet) = self.exception.next_from_kernel(port) else { break };
                self.queue(port, packet);
                moved += 1;
            }
        }
        moved
    }

    fn flush(&mut self) {
        for (&port, burst) in self.ports.iter().zip(&mut self.outgoing) {
            if !burst.is_empty() {
                send(&mut self.io, &self.engine, port, burst);
            }
        }
    }
}

/// Sends a burst; what the port refuses is a counted drop, never a wait.
fn send<I: PacketIo>(io: &mut I, engine: &Engine, port: PortId, burst: &mut I::Burst) {
    io.send(port, burst);
    if !burst.is_empty() {
        for _ in 0..burst.len() {
            engine.counters().count_drop(DropReason::TxFull);
        }
        burst.clear();
    }
}
