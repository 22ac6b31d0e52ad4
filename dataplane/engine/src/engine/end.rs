//! How connections and templates end, and what is counted of it (ipvs-facts B.2, B.4).

use crate::conn::{ConnId, Control, Entry, Hit};
use crate::flows::{EndReason, FlowRecord, FlowSender};
use crate::proto::State;
use crate::shared::Shared;
use crate::snapshot::{DestinationId, Snapshot};
use crate::time::Ticks;

use super::defence::is_of_little_use;
use super::{Context, Own};

impl Own {
    /// Ends a connection whose time ran out before the sweep came by.
    pub(super) fn has_expired(&mut self, cx: &Context<'_>, hit: Hit<'_>) -> bool {
        !hit.entry.has_time(cx.now) && self.end(cx, hit.entry)
    }

    /// Ends a connection now; false if that must wait until the other workers have begun a new burst, or it controls others.
    #[cold]
    pub(super) fn end(&mut self, cx: &Context<'_>, entry: &Entry) -> bool {
        if !self.local.can_retire() || entry.controls() > 0 {
            return false;
        }
        let Some(id) = cx.shared.table.number_of(entry) else { return false };
        if let Some(was) = cx.shared.table.kill(&mut self.local, id) {
            let at = End { shared: cx.shared, snapshot: cx.snapshot, worker: self.worker, now: cx.now };
            at.ended(&mut self.flows, id, was);
        }
        true
    }
}

/// Where and when connections end.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) shared: &'a Shared,
    pub(super) snapshot: &'a Snapshot,
    pub(super) worker: usize,
    pub(super) now: Ticks,
}

impl End<'_> {
    /// A connection or template ended: its destination has one less.
    pub(super) fn ended(self, flows: &mut FlowSender, id: ConnId, was: Control) {
        let shared = self.shared;
        let entry = shared.table.entry(id);
        if flows.is_on() || self.snapshot.ends_early() {
            self.tell(flows, entry, was);
        }
        let (destination, _) = entry.destination_id();
        if was.has(Control::TEMPLATE) {
            shared.templates.ended(destination);
            return;
        }
        forget(shared, self.worker, destination, was.flags());
        if let Some(template) = entry.controller() {
            release(shared, template);
        }
    }

    /// Counts what ended before its time, and records connections.
    #[cold]
    #[inline(never)]
    fn tell(self, flows: &mut FlowSender, entry: &Entry, was: Control) {
        let reason = self.reason(entry, was);
        let counters = &self.shared.workers()[self.worker];
        match reason {
            EndReason::DestinationRemoved => counters.orphaned.add(1),
            EndReason::Evicted => counters.evicted.add(1),
            EndReason::Idle | EndReason::Closed | EndReason::Reused => {}
        }
        // What was announced and never came is no connection of anybody's.
        if flows.is_on()
            && !was.has(Control::TEMPLATE | Control::NO_CPORT)
            && !flows.send(record(entry, was, (self.now, reason)))
        {
            counters.flow_records_lost.add(1);
        }
    }

    fn reason(self, entry: &Entry, was: Control) -> EndReason {
        if entry.expires_in(self.now).is_none() {
            return if was.state().is_closing() { EndReason::Closed } else { EndReason::Idle };
        }
        let (destination, generation) = entry.destination_id();
        let serves = self.snapshot.destinations.get(destination).serves(generation);
        if self.snapshot.sysctls.expire_nodest_conn != 0 && !serves {
            EndReason::DestinationRemoved
        } else if self.snapshot.defence.drop_entry && is_of_little_use(self.now, entry) {
            EndReason::Evicted
        } else {
            EndReason::Reused
        }
    }
}

/// What is told of a connection whose entry is still its own.
fn record(entry: &Entry, was: Control, (ended, reason): (Ticks, EndReason)) -> FlowRecord {
    let (address, destination_port) = entry.destination();
    let idle = entry.idle(ended);
    FlowRecord {
        key: entry.key(),
        method: was.method(),
        destination: address.to_ip(entry.destination_family()),
        destination_port,
        state: was.state(),
        began: entry.began(),
        last_packet: Ticks(ended.0.wrapping_sub(idle)),
        ended,
        reason,
    }
}

/// A connection with these flags is no longer counted.
pub(super) fn forget(shared: &Shared, worker: usize, destination: DestinationId, flags: u16) {
    shared.live.ended(destination, flags & Control::INACTIVE == 0);
    shared.workers()[worker].connections_ended.add(1);
    if flags & Control::NO_CPORT != 0 {
        shared.announced_ended();
    }
}

/// A template or connection controls one connection less. In a crowded table a template that proved of no use ends with its
/// last connection.
pub(super) fn release(shared: &Shared, id: ConnId) {
    let is_last = !shared.table.let_go(id);
    let entry = shared.table.entry(id);
    let control = entry.control();
    if is_last && shared.templates.are_many() && control.has(Control::TEMPLATE) && control.state() != State::Established
    {
        entry.expire();
    }
}
