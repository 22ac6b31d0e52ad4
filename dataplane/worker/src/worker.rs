//! One pass of the poll loop.

use std::sync::Arc;

use ulvs_engine::publish::Reader;
use ulvs_engine::snapshot::{PortId, Snapshot};
use ulvs_engine::{BURST, DropReason, Engine, Frame, Ticks, Verdict};

use crate::capture::{Captures, Recorders};
use crate::exception::Exception;
use crate::held::Held;
use crate::io::{Burst, PacketIo, PacketOf};
use crate::outlet::Outlet;
use crate::waiting::{Patience, Waiting};

/// Waiting packets that are tried again in one pass, whatever their ports: as much as a port may bring.
const TRIED_AT_ONCE: usize = BURST;
/// Held fragments that go on in one pass.
const RELEASED_AT_ONCE: usize = 16;
/// Packets that are given up in one pass.
const LATE_AT_ONCE: usize = 256;

/// Everything one worker owns.
pub struct Worker<I: PacketIo> {
    snapshots: Reader<Snapshot>,
    /// Where the last pass's snapshot lies in memory: another one lies elsewhere, because the last one is held until the
    /// new one is there.
    last: usize,
    forwarder: Forwarder<I>,
}

/// A worker without its snapshots, which lend one to a whole pass.
struct Forwarder<I: PacketIo> {
    engine: Engine,
    ports: Box<[PortId]>,
    /// Boxed, so that a whole burst changes hands by its pointer.
    received: Box<I::Burst>,
    verdicts: [Verdict; BURST],
    waiting: Waiting<PacketOf<I>>,
    held: Held<PacketOf<I>>,
    outlet: Outlet<I>,
    recorders: Recorders,
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
        let forwarder = Forwarder {
            engine,
            ports: (0..ports).filter_map(|port| u16::try_from(port).ok().map(PortId)).collect(),
            received: Box::default(),
            verdicts: [Verdict::Wait; BURST],
            waiting: Waiting::new(patience),
            held: Held::new(),
            outlet: Outlet::new(io, ports, (number, workers), exception),
            recorders: Recorders::default(),
        };
        Self { snapshots, last: 0, forwarder }
    }

    /// The same worker, whose packets may be looked on at.
    #[must_use]
    pub fn with_captures(mut self, captures: Arc<Captures>, number: usize) -> Self {
        self.forwarder.recorders = Recorders::new(captures, number);
        self
    }

    /// One pass over all ports at the moment `now`, with one snapshot; the number of packets it moved.
    pub fn pass(&mut self, now: Ticks) -> usize {
        let snapshot = self.snapshots.refresh();
        let address = std::ptr::from_ref(snapshot).addr();
        let forwarder = &mut self.forwarder;
        forwarder.recorders.refresh();
        if std::mem::replace(&mut self.last, address) != address {
            forwarder.waiting.try_again();
        }
        if forwarder.waiting.has_untried() {
            // Before anything is received: packets of one flow stay in their order.
            forwarder.retry_waiting(snapshot, now);
        }
        let moved = forwarder.receive(snapshot, now) + forwarder.inject(snapshot, now);
        if !forwarder.held.is_empty() {
            forwarder.look_through_held(snapshot, now);
        }
        forwarder.finish(snapshot, now);
        let counters = forwarder.engine.counters();
        counters.generation.set(self.snapshots.generation());
        counters.loops.add(1);
        if moved > 0 {
            counters.busy_loops.add(1);
        }
        moved
    }

    /// The I/O, for tests.
    pub fn io(&mut self) -> &mut I {
        &mut self.forwarder.outlet.io
    }

    /// The engine, for its counters.
    pub fn engine(&self) -> &Engine {
        &self.forwarder.engine
    }

    /// Packets that wait: for a neighbour, or for the first fragment of theirs.
    pub fn waiting(&self) -> usize {
        self.forwarder.waiting.len() + self.forwarder.held.len()
    }
}

impl<I: PacketIo> Forwarder<I> {
    fn receive(&mut self, snapshot: &Snapshot, now: Ticks) -> usize {
        let mut moved = 0;
        for at in 0..self.ports.len() {
            let port = self.ports[at];
            self.outlet.io.receive(port, &mut self.received);
            let count = self.received.len();
            if count == 0 {
                continue;
            }
            moved += count;
            let counters = self.engine.counters();
            counters.received.add(count as u64);
            counters.bursts.count(count);
            let frames = self.received.packets();
            let all = if self.recorders.are_on() {
                process_recorded(
                    &mut self.engine,
                    &mut self.recorders,
                    (snapshot, now, port),
                    frames,
                    &mut self.verdicts,
                )
            } else {
                self.engine.process(snapshot, now, port, frames, &mut self.verdicts)
            };
            if all.is_some_and(|to| self.outlet.forward_all(to, &mut self.received)) {
                continue;
            }
            self.dispatch_received(port, now, |_| now);
        }
        moved
    }

    /// Takes each packet of a burst where its verdict says. `since` tells when one came.
    #[inline]
    fn dispatch_received(&mut self, port: PortId, now: Ticks, since: impl Fn(usize) -> Ticks) {
        let engine = &self.engine;
        let counters = engine.counters();
        let mut cuts = engine.cuts().iter();
        for (at, (packet, verdict)) in self.received.drain().zip(&self.verdicts).enumerate() {
            let Some(packet) = self.outlet.dispatch(*verdict, port, packet, counters) else { continue };
            match (*verdict, cuts.as_slice()) {
                (Verdict::Fragment(to), [pieces, ..]) => {
                    self.outlet.fragment(to, *pieces, &packet, counters);
                    cuts.next();
                }
                (Verdict::Hold, _) => hold(&mut self.held, (engine, &mut self.recorders), now, port, packet),
                _ => wait(&mut self.waiting, (engine, &mut self.recorders), (since(at), now), port, packet),
            }
        }
    }

    /// Packets that wait get one try with each new snapshot. Those that must wait on keep their place and their deadline.
    #[cold]
    #[inline(never)]
    fn retry_waiting(&mut self, snapshot: &Snapshot, now: Ticks) {
        let (mut came, mut left) = ([now; TRIED_AT_ONCE], TRIED_AT_ONCE);
        while left > 0 {
            let Some(port) = self.waiting.take(&mut *self.received, &mut came[..left]) else { break };
            left -= self.received.len();
            let Self { engine, recorders, verdicts, received, .. } = self;
            decide_again(engine, recorders, (snapshot, now, port), received.packets(), verdicts);
            self.dispatch_received(port, now, |at| came[at]);
        }
    }

    /// Only when some first fragment has come since the last time: a flood of others costs one comparison a pass.
    #[cold]
    #[inline(never)]
    fn look_through_held(&mut self, snapshot: &Snapshot, now: Ticks) {
        let begun = self.engine.shared().datagrams.begun();
        if self.held.seen != begun && self.retry_held(snapshot, now) {
            self.held.seen = begun;
        }
        while let Some(held) = self.held.pop_late(now) {
            let Self { engine, recorders, .. } = self;
            give_up((engine, recorders), now, held.port, held.packet, DropReason::FragmentTimeout);
        }
    }

    /// Fragments whose first has come meanwhile, on whatever worker, go on in the order they came: some of them in a pass, each of
    /// which is a burst of its own. Whether it was all.
    #[cold]
    fn retry_held(&mut self, snapshot: &Snapshot, now: Ticks) -> bool {
        let mut left = RELEASED_AT_ONCE;
        for _ in 0..self.held.len() {
            let Some(mut held) = self.held.pop() else { break };
            if left > 0 && self.engine.shared().datagrams.has(held.name, now) {
                left -= 1;
                let Self { engine, recorders, verdicts, .. } = self;
                let frames = std::slice::from_mut(&mut held.packet);
                decide_again(engine, recorders, (snapshot, now, held.port), frames, verdicts);
                self.dispatch_again(self.verdicts[0], now, held.port, held.packet);
            } else {
                self.held.put_back(held);
            }
        }
        left > 0
    }

    /// Takes a fragment where its new verdict says.
    fn dispatch_again(&mut self, verdict: Verdict, now: Ticks, port: PortId, packet: PacketOf<I>) {
        let counters = self.engine.counters();
        let Some(packet) = self.outlet.dispatch(verdict, port, packet, counters) else { return };
        match (verdict, self.engine.cuts()) {
            (Verdict::Fragment(to), [pieces]) => self.outlet.fragment(to, *pieces, &packet, counters),
            (Verdict::Hold, _) => hold(&mut self.held, (&self.engine, &mut self.recorders), now, port, packet),
            _ => wait(&mut self.waiting, (&self.engine, &mut self.recorders), (now, now), port, packet),
        }
    }

    fn inject(&mut self, snapshot: &Snapshot, now: Ticks) -> usize {
        self.outlet.inject(&self.engine, (snapshot, now), &mut self.recorders)
    }

    /// Ends a pass: nothing waits too long, everything is sent, the connection table is swept a bit.
    fn finish(&mut self, snapshot: &Snapshot, now: Ticks) {
        for _ in 0..LATE_AT_ONCE {
            let Some((port, packet)) = self.waiting.pop_late(now) else { break };
            let Self { engine, recorders, .. } = self;
            give_up((engine, recorders), now, port, packet, DropReason::NeighbourUnresolved);
        }
        self.outlet.flush(&self.engine);
        self.engine.housekeeping(snapshot, now);
    }
}

/// Decides about a burst while somebody looks on.
#[cold]
#[inline(never)]
fn process_recorded<F: Frame>(
    engine: &mut Engine,
    recorders: &mut Recorders,
    (snapshot, now, port): (&Snapshot, Ticks, PortId),
    frames: &mut [F],
    verdicts: &mut [Verdict],
) -> Option<PortId> {
    recorders.before(engine, now, port, frames);
    let all = engine.process(snapshot, now, port, frames, verdicts);
    recorders.after(engine, (now, port), false, frames, verdicts);
    all
}

/// Decides about packets that have waited.
#[cold]
fn decide_again<F: Frame>(
    engine: &mut Engine,
    recorders: &mut Recorders,
    (snapshot, now, port): (&Snapshot, Ticks, PortId),
    frames: &mut [F],
    verdicts: &mut [Verdict],
) {
    if recorders.are_on() {
        recorders.before(engine, now, port, frames);
    }
    engine.process(snapshot, now, port, frames, verdicts);
    if recorders.are_on() {
        recorders.after(engine, (now, port), true, frames, verdicts);
    }
}

/// Keeps a packet that came at `since`, if there is room.
#[cold]
fn wait<P: Frame>(
    waiting: &mut Waiting<P>,
    looking: (&Engine, &mut Recorders),
    (since, now): (Ticks, Ticks),
    ingress: PortId,
    packet: P,
) {
    if let Err(packet) = waiting.push(since, ingress, packet) {
        give_up(looking, now, ingress, packet, DropReason::NeighbourQueueFull);
    }
}

/// Keeps a fragment that came at `now` until the first of its packet comes.
#[cold]
fn hold<P: Frame>(held: &mut Held<P>, looking: (&Engine, &mut Recorders), now: Ticks, ingress: PortId, packet: P) {
    let refused = match looking.0.datagram(&packet) {
        Some(name) => held.push(now, ingress, name, packet).map(|refused| (refused.port, refused.packet)),
        None => Some((ingress, packet)),
    };
    if let Some((port, packet)) = refused {
        give_up(looking, now, port, packet, DropReason::FragmentQueueFull);
    }
}

/// Drops a packet that has waited, or would have to; who looks on sees that.
#[cold]
fn give_up<P: Frame>(
    (engine, recorders): (&Engine, &mut Recorders),
    now: Ticks,
    ingress: PortId,
    packet: P,
    reason: DropReason,
) {
    engine.counters().count_drop(reason);
    if recorders.are_on() {
        let frames = std::slice::from_ref(&packet);
        recorders.before(engine, now, ingress, frames);
        recorders.after(engine, (now, ingress), true, frames, &[Verdict::Drop(reason)]);
    }
    drop(packet);
}
