//! One burst through the stages: parse, look up, decide, rewrite.

mod ahead;
mod announced;
mod bypass;
mod caller;
mod defence;
mod end;
mod fragment;
mod helped;
mod inbound;
mod ipsec;
mod look;
mod one_packet;
mod other;
mod outbound;
mod persist;
mod pieces;
mod rehearsal;
mod reject;
mod related;
mod schedule;
mod schedule_icmp;
mod service;
mod state;
mod stray;
#[cfg(test)]
mod tests;
mod tunnel;
mod tunnel_error;
mod way;

use std::sync::Arc;

pub use pieces::Pieces;
pub use rehearsal::{Arrival, Rehearsal};
use ulvs_wire::{Kind, Packet, parse};

use crate::conn::{ConnId, Direction, Entry, Hit, Home, Local};
use crate::counters::WorkerCounters;
use crate::datagrams::DatagramName;
use crate::frame::Frame;
use crate::limit::{HostLimits, IcmpLimit};
use crate::shared::Shared;
use crate::snapshot::{PortId, Snapshot};
use crate::time::Ticks;
use crate::verdict::Verdict;

use defence::{DropRate, is_done};
use end::ended;

/// The most packets in a burst.
pub const BURST: usize = 64;

/// A packet between stages: its home bucket is on its way into the cache, then its likely entry.
#[derive(Clone, Copy, Debug)]
struct Staged {
    packet: Packet,
    home: Home,
    guess: Option<ConnId>,
}

/// Frames of a burst, a bit for each.
type Frames = u64;
const _: () = assert!(BURST <= Frames::BITS as usize);

/// One worker's forwarding.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    own: Own,
    /// Scratch, lent to the stages for a burst.
    staged: Vec<Staged>,
}

/// What decisions change that is this worker's own.
#[derive(Debug)]
struct Own {
    worker: usize,
    local: Local,
    icmp: IcmpLimit,
    icmp_to: HostLimits,
    /// Identification of the next IPv4 header the director makes, and how far it is to the one after: no other worker's.
    next_ip_id: u16,
    ip_id_step: u16,
    /// The same of IPv6 packets it makes and cuts.
    next_fragment_id: u32,
    /// How frames of the burst are to be cut, in their order.
    cuts: Vec<Pieces>,
    droprate: DropRate,
}

/// What the packets of a burst are decided with.
#[derive(Clone, Copy)]
struct Context<'a> {
    shared: &'a Shared,
    snapshot: &'a Snapshot,
    counters: &'a WorkerCounters,
    now: Ticks,
    /// The port they came in by.
    ingress: PortId,
}

impl Engine {
    /// The engine of this worker. Each worker of `shared` has one.
    pub fn new(shared: Arc<Shared>, worker: usize) -> Self {
        let index = |number: usize| u16::try_from(number).unwrap_or(1);
        let own = Own {
            worker,
            local: shared.table.local(worker),
            icmp: IcmpLimit::new(),
            icmp_to: HostLimits::new(),
            next_ip_id: index(worker),
            ip_id_step: index(shared.capacity().workers),
            next_fragment_id: index(worker).into(),
            cuts: Vec::with_capacity(BURST),
            droprate: DropRate::default(),
        };
        let staged = vec![Staged { packet: Packet::default(), home: Home::default(), guess: None }; BURST];
        Self { shared, own, staged }
    }

    /// Decides the fate of up to [`BURST`] frames that came in by port `ingress`, and rewrites those to be forwarded.
    ///
    /// Each frame's verdict is written to the same place of `verdicts` and counted. Gives the port if all frames are to be
    /// forwarded by one: most bursts, which can then travel on as they are.
    pub fn process<F: Frame>(
        &mut self,
        snapshot: &Snapshot,
        now: Ticks,
        ingress: PortId,
        frames: &mut [F],
        verdicts: &mut [Verdict],
    ) -> Option<PortId> {
        debug_assert!(frames.len() <= BURST.min(verdicts.len()), "more frames than a burst has");
        let count = frames.len().min(BURST).min(verdicts.len());
        let (frames, verdicts) = (&mut frames[..count], &mut verdicts[..count]);
        let Self { shared, own, staged } = self;
        let cx = Context { shared, snapshot, counters: &shared.workers()[own.worker], now, ingress };
        let staged = &mut staged[..count];
        if !own.cuts.is_empty() {
            own.cuts.clear();
        }
        let flows = cx.parse(frames, staged);
        cx.look_up(flows, staged);
        if snapshot.services.are_many() {
            cx.look_ahead(flows, staged, own.worker);
        }
        if flows.trailing_ones() as usize == count {
            for ((frame, verdict), staged) in frames.iter_mut().zip(verdicts.iter_mut()).zip(staged) {
                *verdict = own.decide(&cx, frame, staged);
            }
        } else {
            own.decide_mixed(&cx, flows, frames, verdicts, staged);
        }
        cx.count(verdicts)
    }

    /// How the frames of the last burst whose verdict was [`Verdict::Fragment`] are to be cut, in their order.
    pub fn cuts(&self) -> &[Pieces] {
        &self.own.cuts
    }

    /// Which datagram a frame is a fragment of, if its verdict was [`Verdict::Hold`].
    pub fn datagram<F: Frame>(&self, frame: &F) -> Option<DatagramName> {
        fragment::name(&self.shared, frame)
    }

    /// Between two bursts: frees what no worker holds any more and ends connections whose time ran out, a bounded part of
    /// the table at each call.
    pub fn housekeeping(&mut self, snapshot: &Snapshot, now: Ticks) {
        let Self { shared, own, .. } = self;
        own.local.quiesce(&shared.table);
        let ended = &mut |id, was| ended(shared, own.worker, id, was);
        if snapshot.ends_early() {
            let is_done = |id, entry: &Entry| is_done(snapshot, now, id, entry);
            own.local.sweep_those(&shared.table, now, is_done, ended);
        } else {
            own.local.sweep(&shared.table, now, ended);
        }
    }

    /// What this worker counts.
    pub fn counters(&self) -> &WorkerCounters {
        &self.shared.workers()[self.own.worker]
    }

    /// What all workers share.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Context<'_> {
    /// Says which frames are flows for the director. They are staged, and their home buckets asked for.
    #[inline(always)]
    fn parse<F: Frame>(&self, frames: &[F], staged: &mut [Staged]) -> Frames {
        let mac = self.snapshot.network.port(self.ingress).map_or([0; 6], |port| port.mac);
        let mut flows = 0;
        for (at, (frame, staged)) in frames.iter().zip(staged).enumerate() {
            let bytes = frame.bytes();
            let kind = parse(bytes, &mut staged.packet);
            if kind == Kind::Flow && bytes.first_chunk() == Some(&mac) {
                staged.home = self.shared.table.home(&staged.packet.key);
                self.shared.table.prefetch_bucket(staged.home);
                flows |= 1 << at;
            }
        }
        flows
    }

    /// Finds the likely entry of each flow, and asks for it.
    #[inline(always)]
    fn look_up(&self, flows: Frames, staged: &mut [Staged]) {
        for (at, staged) in staged.iter_mut().enumerate() {
            if flows >> at & 1 != 0 {
                staged.guess = self.shared.table.prefetch_entry(staged.home, staged.packet.key.family());
            }
        }
    }

    /// Counts the verdicts of a burst; the port if all frames leave by one.
    #[inline]
    fn count(&self, verdicts: &[Verdict]) -> Option<PortId> {
        let Some(&Verdict::Forward(port)) = verdicts.first() else {
            self.count_each(verdicts);
            return None;
        };
        if verdicts.iter().all(|&verdict| verdict == Verdict::Forward(port)) {
            self.counters.forwarded.add(verdicts.len() as u64);
            return Some(port);
        }
        self.count_each(verdicts);
        None
    }

    fn count_each(&self, verdicts: &[Verdict]) {
        let counters = self.counters;
        for verdict in verdicts {
            match *verdict {
                Verdict::Forward(_) | Verdict::Fragment(_) => counters.forwarded.add(1),
                Verdict::Punt(reason) => counters.count_punt(reason),
                Verdict::Drop(reason) => counters.count_drop(reason),
                Verdict::Reject(_, reason) => {
                    counters.count_drop(reason);
                    counters.icmp_errors.add(1);
                }
                Verdict::Wait | Verdict::Hold => {}
            }
        }
    }
}

impl Own {
    #[inline(always)]
    fn decide<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, staged: &Staged) -> Verdict {
        let Staged { packet, home, guess } = staged;
        match cx.shared.table.likely(*guess, &packet.key) {
            Some(hit) if hit.entry.has_time(cx.now) => self.forward(cx, frame, packet, *home, hit),
            _ => self.decide_by_search(cx, frame, packet, *home),
        }
    }

    /// Decides about a burst that has not only flows in it.
    #[cold]
    #[inline(never)]
    fn decide_mixed<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        flows: Frames,
        frames: &mut [F],
        verdicts: &mut [Verdict],
        staged: &[Staged],
    ) {
        for (at, ((frame, verdict), staged)) in frames.iter_mut().zip(verdicts).zip(staged).enumerate() {
            *verdict = if flows >> at & 1 != 0 { self.decide(cx, frame, staged) } else { self.other(cx, frame) };
        }
    }

    /// What to do with a packet whose connection is not where it was looked for first, has no time left, or isn't there.
    #[cold]
    #[inline(never)]
    fn decide_by_search<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet, home: Home) -> Verdict {
        match cx.shared.table.search(home, &packet.key) {
            Some(hit) if !self.has_expired(cx, hit) => self.go_on(cx, frame, packet, home, hit),
            _ => self.schedule(cx, frame, packet, home),
        }
    }

    #[inline(always)]
    fn forward<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        hit: Hit<'_>,
    ) -> Verdict {
        match hit.direction {
            Direction::In => self.inbound(cx, frame, packet, home, hit),
            Direction::Out => self.outbound(cx, frame, packet, home, hit),
        }
    }

    /// A packet of a connection that was searched for: a helper may have to see it.
    fn go_on<F: Frame>(
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
            self.forward(cx, frame, packet, home, hit)
        }
    }

    #[inline]
    fn ip_id(&mut self) -> u16 {
        self.next_ip_id = self.next_ip_id.wrapping_add(self.ip_id_step);
        self.next_ip_id
    }
}
