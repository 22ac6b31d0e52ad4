//! One burst through the stages: parse, look up, decide, rewrite.

mod inbound;
mod outbound;
mod reject;
mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ulvs_wire::{Malformed, Packet, Parsed, ethernet, parse};

use crate::conn::{ConnId, Control, Direction, Entry, Hit, Home, Local};
use crate::counters::WorkerCounters;
use crate::frame::Frame;
use crate::limit::IcmpLimit;
use crate::proto::{self, Path};
use crate::shared::Shared;
use crate::snapshot::{PortId, Snapshot};
use crate::time::Ticks;
use crate::verdict::{DropReason, PuntReason, Verdict};

/// The most packets in a burst.
pub const BURST: usize = 64;

/// A packet between stages.
#[derive(Clone, Copy, Debug)]
enum Staged {
    /// Decided by its headers alone.
    Done(Verdict),
    /// To be looked up: its home bucket is on its way into the cache, then its likely entry.
    Flow { packet: Packet, home: Home, guess: Option<ConnId> },
}

/// One worker's forwarding.
#[derive(Debug)]
pub struct Engine {
    worker: usize,
    shared: Arc<Shared>,
    local: Local,
    icmp: IcmpLimit,
    /// Identification of the IPv4 headers the director makes: each worker has its own, in steps of their number, for
    /// two workers may send to one real server (RFC 6864).
    next_ip_id: u16,
    ip_id_step: u16,
    /// Scratch, lent to the stages for a burst.
    staged: Vec<Staged>,
}

impl Engine {
    /// The engine of this worker. Each worker of `shared` has one.
    pub fn new(shared: Arc<Shared>, worker: usize) -> Self {
        let local = shared.table.local(worker);
        let staged = vec![Staged::Done(Verdict::Drop(DropReason::Truncated)); BURST];
        let index = |number: usize| u16::try_from(number).unwrap_or(1);
        let (next_ip_id, ip_id_step) = (index(worker), index(shared.capacity().workers));
        Self { worker, shared, local, icmp: IcmpLimit::new(), next_ip_id, ip_id_step, staged }
    }

    /// Decides the fate of up to [`BURST`] frames that came in by port `ingress`, and rewrites those to be forwarded.
    ///
    /// Each frame's verdict is written to the same place of `verdicts` and counted.
    pub fn process<F: Frame>(
        &mut self,
        snapshot: &Snapshot,
        now: Ticks,
        ingress: PortId,
        frames: &mut [F],
        verdicts: &mut [Verdict],
    ) {
        let count = frames.len().min(BURST).min(verdicts.len());
        let mut staged = std::mem::take(&mut self.staged);
        self.parse(snapshot, ingress, &frames[..count], &mut staged[..count]);
        self.look_up(&mut staged[..count]);
        for ((frame, verdict), staged) in frames.iter_mut().zip(verdicts.iter_mut()).zip(&staged[..count]) {
            *verdict = match staged {
                Staged::Done(verdict) => *verdict,
                Staged::Flow { packet, home, guess } => self.decide(snapshot, now, frame, packet, *home, *guess),
            };
            self.count(*verdict);
        }
        self.staged = staged;
    }

    /// Between two bursts: frees what no worker holds any more and ends connections whose time ran out, a bounded part of
    /// the table at each call.
    pub fn housekeeping(&mut self, now: Ticks) {
        self.local.quiesce(&self.shared.table);
        let (shared, worker) = (&self.shared, self.worker);
        self.local.sweep(&shared.table, now, &mut |id, was| ended(shared, worker, id, was));
    }

    /// What this worker counts.
    pub fn counters(&self) -> &WorkerCounters {
        &self.shared.workers()[self.worker]
    }

    /// What all workers share.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    fn parse<F: Frame>(&self, snapshot: &Snapshot, ingress: PortId, frames: &[F], staged: &mut [Staged]) {
        let mac = snapshot.network.port(ingress).map_or([0; 6], |port| port.mac);
        for (frame, staged) in frames.iter().zip(staged) {
            *staged = match classify(snapshot, mac, frame.bytes()) {
                Ok(packet) => {
                    let home = self.shared.table.home(&packet.key);
                    self.shared.table.prefetch_bucket(home);
                    Staged::Flow { packet, home, guess: None }
                }
                Err(verdict) => Staged::Done(verdict),
            };
        }
    }

    fn look_up(&self, staged: &mut [Staged]) {
        for staged in staged {
            if let Staged::Flow { home, guess, .. } = staged {
                *guess = self.shared.table.prefetch_entry(*home);
            }
        }
    }

    fn decide<F: Frame>(
        &mut self,
        snapshot: &Snapshot,
        now: Ticks,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        guess: Option<ConnId>,
    ) -> Verdict {
        match self.shared.table.find(home, guess, &packet.key) {
            Some(hit) if !self.has_expired(hit, now) => self.forward(snapshot, now, frame, packet, home, hit),
            _ => self.schedule(snapshot, now, frame, packet, home),
        }
    }

    fn forward<F: Frame>(
        &mut self,
        snapshot: &Snapshot,
        now: Ticks,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        hit: Hit,
    ) -> Verdict {
        match hit.direction {
            Direction::In => self.inbound(snapshot, now, frame, packet, home, hit),
            Direction::Out => self.outbound(snapshot, now, frame, packet, hit),
        }
    }

    /// Ends a connection whose time ran out before the sweep came by.
    #[inline]
    fn has_expired(&mut self, hit: Hit, now: Ticks) -> bool {
        if self.shared.table.entry(hit.id).expires_in(now).is_some() {
            return false;
        }
        self.end(hit.id)
    }

    /// Ends a connection now; false if that must wait until the other workers have begun a new burst.
    #[cold]
    fn end(&mut self, id: ConnId) -> bool {
        if !self.local.can_retire() {
            return false;
        }
        if let Some(was) = self.shared.table.kill(&mut self.local, id) {
            ended(&self.shared, self.worker, id, was);
        }
        true
    }

    /// Steps the protocol state machine and restarts the timer. Only a change of state is a locked instruction.
    #[inline]
    fn advance(&self, snapshot: &Snapshot, now: Ticks, packet: &Packet, hit: Hit) {
        let entry = self.shared.table.entry(hit.id);
        let step = |control: Control| {
            let path = match hit.direction {
                Direction::Out => Path::Output,
                Direction::In if control.has(Control::NO_OUTPUT) => Path::InputOnly,
                Direction::In => Path::Input,
            };
            proto::step(packet.key.protocol, snapshot.secure_tcp, path, control.state(), packet.tcp_flags)
        };
        let next = step(hit.control);
        let first_output = hit.direction == Direction::Out && hit.control.has(Control::NO_OUTPUT);
        if next != hit.control.state() || first_output {
            self.change_state(entry, hit.direction, &step);
        }
        entry.touch(now, snapshot.timeouts.of(next));
    }

    #[cold]
    fn change_state(&self, entry: &Entry, direction: Direction, step: &dyn Fn(Control) -> proto::State) {
        let changed = |control: Control| {
            let state = step(control);
            // Counters follow changes of state only (ipvs-facts B.3).
            let inactive = if state == control.state() { control.has(Control::INACTIVE) } else { !state.is_active() };
            let no_output = control.has(Control::NO_OUTPUT) && direction == Direction::In;
            control.with_state(state).with_flag(Control::INACTIVE, inactive).with_flag(Control::NO_OUTPUT, no_output)
        };
        let swapped = entry.swap_control(|control| control.is_live().then(|| changed(control)));
        if let Some(was) = swapped {
            let (before, after) = (!was.has(Control::INACTIVE), !changed(was).has(Control::INACTIVE));
            if before != after {
                self.shared.live.became(entry.destination_id().0, after);
            }
        }
    }

    #[inline]
    fn count(&self, verdict: Verdict) {
        let counters = self.counters();
        match verdict {
            Verdict::Forward(_) => counters.forwarded.add(1),
            Verdict::Punt(reason) => counters.count_punt(reason),
            Verdict::Drop(reason) => counters.count_drop(reason),
            Verdict::Reject(_, reason) => {
                counters.count_drop(reason);
                counters.icmp_errors.add(1);
            }
            Verdict::Wait => {}
        }
    }
}

/// A connection ended: its destination has one less.
fn ended(shared: &Shared, worker: usize, id: ConnId, was: Control) {
    let (destination, _) = shared.table.entry(id).destination_id();
    shared.live.ended(destination, !was.has(Control::INACTIVE));
    shared.workers()[worker].connections_ended.add(1);
}

/// What the headers alone decide, or the TCP or UDP packet to be looked up.
#[inline]
fn classify(snapshot: &Snapshot, mac: ethernet::Mac, bytes: &[u8]) -> Result<Packet, Verdict> {
    let parsed = parse(bytes);
    let to = bytes.first_chunk::<6>().copied().unwrap_or_default();
    if to == mac
        && let Parsed::Flow(packet) = parsed
    {
        return Ok(packet);
    }
    Err(other(snapshot, parsed, to, mac))
}

#[cold]
fn other(snapshot: &Snapshot, parsed: Parsed, to: ethernet::Mac, mac: ethernet::Mac) -> Verdict {
    match parsed {
        Parsed::Malformed(how) => Verdict::Drop(match how {
            Malformed::Truncated => DropReason::Truncated,
            Malformed::BadIpHeader => DropReason::BadIpHeader,
            Malformed::BadIpChecksum => DropReason::BadIpChecksum,
            Malformed::BadTransportHeader => DropReason::BadTransportHeader,
        }),
        _ if to != mac && !ethernet::is_group(to) => Verdict::Drop(DropReason::OtherHost),
        Parsed::Arp => Verdict::Punt(PuntReason::Arp),
        Parsed::Icmp => Verdict::Punt(PuntReason::Icmp),
        Parsed::OtherEtherType => Verdict::Punt(PuntReason::OtherEtherType),
        Parsed::OtherProtocol => Verdict::Punt(PuntReason::OtherProtocol),
        _ if to != mac => Verdict::Punt(PuntReason::Group),
        // The kernel would put it together and refuse it: it knows nothing of services.
        Parsed::Fragment(to, family) if snapshot.services.has_vip(to, family) => Verdict::Drop(DropReason::Fragment),
        Parsed::Fragment(..) => Verdict::Punt(PuntReason::Fragment),
        Parsed::Flow(_) => Verdict::Punt(PuntReason::NotAService),
    }
}
