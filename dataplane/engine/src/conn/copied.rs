//! Connections copied into another table, for rehearsals: what is done to the copy is not done to the connection.

use ulvs_wire::FlowKey;

use crate::sync::atomic::{
    Ordering::{Acquire, Relaxed},
    fence,
};
use crate::time::Ticks;

use super::call_id::CallId;
use super::control::{Control, Life};
use super::entry::{ConnId, Helper, NewConnection, Role};
use super::local::Local;
use super::table::Table;
use super::tuple::Tuple;

impl Table {
    /// The template with this key, of this call, if its time has not run out, as [`peek`](Self::peek) finds connections.
    pub(crate) fn peek_template(&self, key: &FlowKey, call: Option<&CallId>, now: Ticks) -> Option<ConnId> {
        let lives = |id: ConnId, control: Control| control.life() == Life::Live && self.entry(id).has_time(now);
        let is_it = |id| self.is_template(id, key, call).is_some_and(|control| lives(id, control));
        self.index.find(self.template_home(key, call), is_it)
    }

    /// Copies a connection or template of another table, controlled by `template` of this one. `None`: it ended meanwhile, or
    /// there is no room for it.
    pub(crate) fn copy(
        &self,
        local: &mut Local,
        (table, id): (&Self, ConnId),
        template: Option<ConnId>,
    ) -> Option<ConnId> {
        let from = table.entry(id);
        let control = from.control();
        let (destination, generation) = from.destination_id();
        let (address, port) = from.destination();
        let new = NewConnection {
            key: from.key(),
            method: control.method(),
            destination,
            generation,
            address,
            family: Tuple(from.tuple.load(Relaxed)).destination_family(),
            port,
            role: match template {
                _ if from.is_of_call() => Role::Call,
                _ if control.has(Control::TEMPLATE) => Role::Template,
                Some(id) => Role::Controlled(id),
                None => Role::Single,
            },
            helper: match control {
                _ if control.is_helped() => Helper::Ftp,
                _ if control.has(Control::NO_CPORT) => Helper::Announced,
                _ => Helper::None,
            },
            paired: Tuple(from.tuple.load(Relaxed)).is_paired(),
        };
        let call = from.is_of_call().then(|| table.calls.get(id));
        let (seen, timeout) = (Ticks(from.last_seen.load(Relaxed)), from.timeout.load(Relaxed));
        // As in listings: what was read is of one connection only if it is still there.
        fence(Acquire);
        let after = from.control();
        if !after.is_live() || after.incarnation() != control.incarnation() {
            return None;
        }
        let home =
            if new.role.is_template() { self.template_home(&new.key, call.as_ref()) } else { self.home(&new.key) };
        let id = self.insert_of(local, (home, &new, call.as_ref()), control.state(), seen, timeout).ok()?;
        let copy = self.entry(id);
        copy.swap_control(|own| Some(own.with_flags(control.flags())));
        if control.is_helped() {
            copy.change_shift(|_| Some(from.shift()));
        }
        if let Some(template) = template {
            self.entry(template).control_one_more();
        }
        Some(id)
    }

    /// Takes all free entries, as in a table that is full.
    pub(crate) fn exhaust(&self, local: &mut Local) {
        while self.pool.take(&mut local.free, &self.entries).is_some() {}
    }
}
