//! One burst through the stages: parse, look up, decide, rewrite.

mod ahead;
mod announced;
mod backup;
mod bypass;
mod caller;
mod decide;
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
mod stage;
mod state;
mod stray;
mod tally;
#[cfg(test)]
mod tests;
mod translation;
mod tunnel;
mod tunnel_error;
mod way;

use std::sync::Arc;

pub use pieces::Pieces;
pub use rehearsal::{Arrival, Rehearsal};

use crate::conn::{Entry, Local};
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

use decide::Way;
use defence::{DropRate, is_done};
use end::End;
use stage::{Frames, Staged};

/// The most packets in a burst.
pub const BURST: usize = 64;

/// One worker's forwarding.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    own: Own,
    /// Scratch, lent to the stages for a burst.
    staged: Box<[Staged; BURST]>,
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
    /// What becomes of a packet that has no [`Way`].
    instead: Verdict,
    /// Where the last packet of one-packet scheduling went, for fragments that follow; and which use of the number it is.
    sent_once: Option<(DestinationId, u32)>,
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
    /// Some flows of the burst are by IPv6.
    any_v6: bool,
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
            instead: Verdict::Wait,
            sent_once: None,
            flows: FlowSender::default(),
        };
        Self { shared, own, staged: Box::new([Staged::default(); BURST]) }
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
        let Self { shared, own, staged } = self;
        let cx = Context {
            shared,
            snapshot,
            counters: &shared.workers()[own.worker],
            now,
            ingress,
            tcp: TcpStates::of(snapshot.defence.secure_tcp),
            any_v6: false,
        };
        // The entries they most likely have, which are on their way into the cache.
        let mut guesses = [None; BURST];
        let (staged, guesses) = (&mut staged[..count], &mut guesses[..count]);
        if !own.cuts.is_empty() {
            own.cuts.clear();
        }
        let (others, any_v6) = cx.parse(frames, staged);
        let cx = Context { any_v6, ..cx };
        cx.look_up(staged, guesses);
        let by_one = if others == 0 && !snapshot.stands_aside {
            if snapshot.services.are_many() {
                own.decide_ahead(&cx, frames, verdicts, (staged, guesses))
            } else {
                own.decide_all(&cx, frames, verdicts, staged, guesses)
            }
        } else {
            if snapshot.services.are_many() {
                own.look_ahead_mixed(&cx, others, staged, guesses);
            }
            own.decide_mixed(&cx, others, frames, verdicts, (staged, guesses));
            None
        };
        if by_one.is_some() {
            cx.counters.forwarded.add(count as u64);
            return by_one;
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

impl Own {
    #[inline]
    fn ip_id(&mut self) -> u16 {
        self.next_ip_id = self.next_ip_id.wrapping_add(self.ip_id_step);
        self.next_ip_id
    }
}
