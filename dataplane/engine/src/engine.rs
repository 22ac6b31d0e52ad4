//! One burst through the stages: parse, look up, decide, rewrite.

mod ahead;
mod announced;
mod backup;
mod bypass;
mod caller;
mod defence;
mod end;
mod fragment;
mod helped;
mod inbound;
mod ipsec;
mod local;
mod look;
mod one_packet;
mod open;
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
use ulvs_wire::{Kind, Packet, parse_other, parse_plain};

use crate::conn::{Direction, Entry, Guess, Hit, Home, Local};
use crate::counters::WorkerCounters;
use crate::datagrams::DatagramName;
use crate::flows::FlowSender;
use crate::frame::Frame;
use crate::limit::{HostLimits, IcmpLimit};
use crate::proto::TcpStates;
use crate::shared::Shared;
use crate::snapshot::{DestinationId, PortId, Snapshot};
use crate::time::Ticks;
use crate::verdict::Verdict;

use defence::{DropRate, is_done};
use end::End;
use service::Recent;

/// The most packets in a burst.
pub const BURST: usize = 64;

/// A packet between stages, on one cache line: its home bucket is on its way into the cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
struct Staged {
    packet: Packet,
    home: Home,
}

const _: () = assert!(size_of::<Staged>() == 64);

/// Frames of a burst, a bit for each.
type Frames = u64;
const _: () = assert!(BURST <= Frames::BITS as usize);

/// The port a packet is forwarded by; `None` if something else becomes of it, which is then in [`Own::instead`]. Two places, for the
/// one that most packets need is a number in a register.
type Way = Option<PortId>;

/// One worker's forwarding.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    own: Own,
    /// Scratch, lent to the stages for a burst.
    staged: Box<[Staged; BURST]>,
    /// The entries they most likely have, which are on their way into the cache.
    guesses: Box<[Guess; BURST]>,
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
    /// The port that the last burst left by that left as a whole.
    expected: PortId,
    /// What becomes of a packet that has no [`Way`].
    instead: Verdict,
    /// Where the last packet of one-packet scheduling went, for fragments that follow; and which use of the number it is.
    sent_once: Option<(DestinationId, u32)>,
    /// Where services of new connections were found.
    recent: Recent,
    flows: FlowSender,
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
    /// TCP's states, as `secure_tcp` has them now.
    tcp: &'static TcpStates,
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
            expected: PortId(0),
            instead: Verdict::Wait,
            sent_once: None,
            recent: Recent::new(),
            flows: FlowSender::default(),
        };
        Self { shared, own, staged: Box::new([Staged::default(); BURST]), guesses: Box::new([Guess::NONE; BURST]) }
    }

    /// The same, which tells of connections that ended. When they began is known if `shared` was made
    /// [with beginnings](Shared::with_beginnings).
    #[must_use]
    pub fn with_flows(mut self, flows: FlowSender) -> Self {
        self.own.flows = flows;
        self
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
        let Self { shared, own, staged, guesses } = self;
        let cx = Context {
            shared,
            snapshot,
            counters: &shared.workers()[own.worker],
            now,
            ingress,
            tcp: TcpStates::of(snapshot.defence.secure_tcp),
        };
        let (staged, guesses) = (&mut staged[..count], &mut guesses[..count]);
        if !own.cuts.is_empty() {
            own.cuts.clear();
        }
        let others = cx.parse(frames, staged);
        cx.look_up(staged, guesses);
        if snapshot.services.are_many() {
            own.look_ahead(&cx, others, staged, guesses);
        }
        let as_expected = if others == 0 && !snapshot.stands_aside {
            own.decide_all(&cx, frames, verdicts, staged, guesses)
        } else {
            own.decide_mixed(&cx, others, frames, verdicts, (staged, guesses));
            false
        };
        if as_expected {
            cx.counters.forwarded.add(count as u64);
            return Some(own.expected);
        }
        own.expected = cx.count(verdicts)?;
        Some(own.expected)
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
        let Self { shared, own: Own { local, worker, flows, .. }, .. } = self;
        local.quiesce(&shared.table);
        let at = End { shared, snapshot, worker: *worker, now };
        let ended = &mut |id, was| at.ended(flows, id, was);
        if snapshot.ends_early() {
            let is_done = |id, entry: &Entry| is_done(snapshot, now, id, entry);
            local.sweep_those(&shared.table, now, is_done, ended);
        } else {
            local.sweep(&shared.table, now, ended);
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
    /// Stages the frames that are flows for the director, and asks for their home buckets; says which frames are not.
    #[inline(never)]
    fn parse<F: Frame>(&self, frames: &[F], staged: &mut [Staged]) -> Frames {
        let mac = self.snapshot.network.port(self.ingress).map_or(0, |port| address_word(&port.mac));
        let table = &self.shared.table;
        let mut others = 0;
        for at in 0..frames.len().min(staged.len()) {
            let bytes = frames[at].bytes();
            let staged = &mut staged[at];
            if bytes.first_chunk().is_none_or(|start| destination_word(start) != mac) {
                mark(&mut others, at);
                continue;
            }
            if parse_plain(bytes, &mut staged.packet) {
                staged.home = table.home_v4(&staged.packet.key);
            } else if !self.parse_other(bytes, staged) {
                mark(&mut others, at);
                continue;
            }
            table.prefetch_bucket(staged.home);
        }
        others
    }

    /// Whether a frame that is not plain is a flow, which is staged. A function of its own: a frame that is plain has the registers.
    #[inline(never)]
    fn parse_other(&self, bytes: &[u8], staged: &mut Staged) -> bool {
        let is_flow = parse_other(bytes, &mut staged.packet) == Kind::Flow;
        if is_flow {
            staged.home = self.shared.table.home(&staged.packet.key);
        }
        is_flow
    }

    /// Finds the likely entry of each flow, and asks for it. What is no flow has the home of an earlier burst's: to ask for that
    /// line, too, does no harm, and to look whether it is one would cost all others.
    #[inline(never)]
    fn look_up(&self, staged: &[Staged], guesses: &mut [Guess]) {
        for (staged, guess) in staged.iter().zip(guesses) {
            *guess = self.shared.table.prefetch_entry(staged.home, staged.packet.key.family());
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

/// Says that this frame is no flow.
#[cold]
#[inline(never)]
fn mark(others: &mut Frames, at: usize) {
    *others |= 1 << at;
}

/// A hardware address in one word, and the first one of a frame likewise: to compare them is one instruction.
#[inline(always)]
const fn address_word(mac: &[u8; 6]) -> u64 {
    destination_word(&[mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], 0, 0])
}

#[inline(always)]
const fn destination_word(start: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*start) << 16
}

impl Own {
    /// Decides about a burst of nothing but flows; whether all are to leave by the port that the last burst left by.
    ///
    /// A function of its own, as are the stages before it: what one loop over the burst needs stays in registers.
    #[inline(never)]
    fn decide_all<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frames: &mut [F],
        verdicts: &mut [Verdict],
        staged: &[Staged],
        guesses: &[Guess],
    ) -> bool {
        let expected = self.expected;
        let mut differences = 0;
        for (((frame, verdict), staged), guess) in frames.iter_mut().zip(verdicts).zip(staged).zip(guesses) {
            if let Some(port) = self.decide(cx, frame, staged, *guess) {
                *verdict = Verdict::Forward(port);
                differences |= port.0 ^ expected.0;
            } else {
                *verdict = self.instead;
                differences = 1;
            }
        }
        differences == 0
    }

    #[inline(always)]
    fn decide<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, staged: &Staged, guess: Guess) -> Way {
        match cx.shared.table.likely(guess, &staged.packet.key) {
            Some(hit) if hit.entry.has_time(cx.now) => self.forward(cx, frame, staged, hit),
            _ => {
                let verdict = self.decide_by_search(cx, frame, &staged.packet, staged.home);
                self.no_way(verdict)
            }
        }
    }

    /// Decides about a burst that has not only flows in it, or of which not all flows are the director's.
    #[cold]
    #[inline(never)]
    fn decide_mixed<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        others: Frames,
        frames: &mut [F],
        verdicts: &mut [Verdict],
        (staged, guesses): (&[Staged], &[Guess]),
    ) {
        for (at, (frame, verdict)) in frames.iter_mut().zip(verdicts).enumerate() {
            *verdict = if others >> at & 1 != 0 {
                self.other(cx, frame)
            } else if cx.snapshot.stands_aside {
                self.stand_aside(cx, frame, &staged[at])
            } else {
                let way = self.decide(cx, frame, &staged[at], guesses[at]);
                self.verdict_of(way)
            };
        }
    }

    /// What to do with a packet whose connection is not where it was looked for first, has no time left, or isn't there.
    #[cold]
    #[inline(never)]
    fn decide_by_search<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet, home: Home) -> Verdict {
        match cx.shared.table.search(home, &packet.key) {
            Some(hit) if !self.has_expired(cx, hit) => self.go_on(cx, frame, packet, home, hit),
            _ => self.schedule_new(cx, frame, packet, home),
        }
    }

    #[inline(always)]
    fn forward<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, staged: &Staged, hit: Hit<'_>) -> Way {
        match hit.direction {
            Direction::In => self.inbound(cx, frame, staged, hit),
            Direction::Out => self.outbound(cx, frame, staged, hit),
        }
    }

    /// A packet of a connection that was searched for: a helper may have to see it.
    #[inline(never)]
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
            let way = self.forward(cx, frame, &Staged { packet: *packet, home }, hit);
            self.verdict_of(way)
        }
    }

    /// The packet is not forwarded as it is: this becomes of it.
    #[inline(always)]
    fn no_way(&mut self, instead: Verdict) -> Way {
        self.instead = instead;
        None
    }

    /// The verdict that the last way means.
    #[inline]
    fn verdict_of(&self, way: Way) -> Verdict {
        way.map_or(self.instead, Verdict::Forward)
    }

    #[inline]
    fn ip_id(&mut self) -> u16 {
        self.next_ip_id = self.next_ip_id.wrapping_add(self.ip_id_step);
        self.next_ip_id
    }
}
