//! How connections and templates end, and what is counted of it (ipvs-facts B.2, B.4).

use crate::conn::{ConnId, Control, Hit};
use crate::proto::State;
use crate::shared::Shared;
use crate::snapshot::DestinationId;

use super::{Context, Own};

impl Own {
    /// Ends a connection whose time ran out before the sweep came by.
    pub(super) fn has_expired(&mut self, cx: &Context<'_>, hit: Hit<'_>) -> bool {
        !hit.entry.has_time(cx.now) && self.end(cx, hit.id)
    }

    /// Ends a connection now; false if that must wait until the other workers have begun a new burst, or it controls others.
    #[cold]
    pub(super) fn end(&mut self, cx: &Context<'_>, id: ConnId) -> bool {
        if !self.local.can_retire() || cx.shared.table.entry(id).controls() > 0 {
            return false;
        }
        if let Some(was) = cx.shared.table.kill(&mut self.local, id) {
            ended(cx.shared, self.worker, id, was);
        }
        true
    }
}

/// A connection or template ended: its destination has one less.
pub(super) fn ended(shared: &Shared, worker: usize, id: ConnId, was: Control) {
    let entry = shared.table.entry(id);
    let (destination, _) = entry.destination_id();
    if was.has(Control::TEMPLATE) {
        shared.templates.ended(destination);
        return;
    }
    forget(shared, worker, destination, was.flags());
    if let Some(template) = entry.controller() {
        release(shared, template);
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
