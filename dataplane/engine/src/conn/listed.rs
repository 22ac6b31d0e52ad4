//! Entries as values, for listings.

use ulvs_model::ForwardMethod;
use ulvs_wire::FlowKey;

use crate::proto::State;
use crate::sync::atomic::{
    Ordering::{Acquire, Relaxed},
    fence,
};
use crate::time::Ticks;

use super::call_id::CallId;
use super::control::Control;
use super::entry::{ConnId, Entry};
use super::table::Table;
use super::tuple::Tuple;

/// Virtual and destination port of a template that is looked for no longer, as IPVS lists it (ipvs-facts B.6).
const EXPELLED_PORT: u16 = 0xffff;

/// A connection as it is listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connection {
    /// Client to virtual address.
    pub key: FlowKey,
    /// How its packets get to the real server.
    pub method: ForwardMethod,
    /// Protocol state.
    pub state: State,
    /// The real server.
    pub destination: std::net::IpAddr,
    /// Its port.
    pub destination_port: u16,
    /// Ticks until it ends if no packet comes.
    pub expires_in: u32,
    /// It is a template: no packet belongs to it, and its state is [`State::None`] or, when one of its connections was
    /// answered, [`State::Established`].
    pub is_template: bool,
    /// The call it is a template of.
    pub call: Option<CallId>,
}

impl Connection {
    /// The state's name, as `ipvsadm -Lnc` prints it.
    pub const fn state_name(&self) -> &'static str {
        match self.state {
            State::Established if self.is_template => "ASSURED",
            state => state.name(),
        }
    }
}

impl Table {
    /// Connections with numbers from `from` on, at most `limit` numbers looked at, and the number to go on from.
    ///
    /// For listings: takes nothing from the workers and is no snapshot; a connection that lives all the while is in it.
    pub fn list(&self, from: ConnId, limit: u32, now: Ticks, each: &mut dyn FnMut(Connection)) -> Option<ConnId> {
        self.list_while(from, limit, now, &mut |connection| {
            each(connection);
            true
        })
    }

    /// The same, no further than the connection that `goes_on` says false of.
    pub fn list_while(
        &self,
        from: ConnId,
        limit: u32,
        now: Ticks,
        goes_on: &mut dyn FnMut(Connection) -> bool,
    ) -> Option<ConnId> {
        let used = self.pool.used();
        let until = from.saturating_add(limit).min(used);
        let mut ids = from..until;
        let stopped = ids.any(|id| self.describe(id, now).is_some_and(|one| !goes_on(one)));
        let next = if stopped { ids.start } else { until };
        (next < used).then_some(next)
    }

    /// A connection or template as a value; `None` if there is none or it changed hands meanwhile.
    pub(crate) fn describe(&self, id: ConnId, now: Ticks) -> Option<Connection> {
        self.entries[id as usize].describe_to(now, || self.calls.get(id))
    }
}

impl Entry {
    fn describe_to(&self, now: Ticks, call: impl FnOnce() -> CallId) -> Option<Connection> {
        let before = self.control();
        if !before.is_live() {
            return None;
        }
        let tuple = Tuple(self.tuple.load(Relaxed));
        let (address, mut port) = self.destination();
        let mut key = self.key();
        if before.has(Control::EXPELLED) {
            // One that is only here because its time has not run out, or connections still refer to it.
            self.expires_in(now).or((self.controls() > 0).then_some(0))?;
            (key, port) = (key.to(key.destination(), EXPELLED_PORT), EXPELLED_PORT);
        }
        let connection = Connection {
            key,
            method: before.method(),
            state: before.state(),
            destination: address.to_ip(tuple.destination_family()),
            destination_port: port,
            expires_in: self.expires_in(now).unwrap_or(0),
            is_template: before.has(Control::TEMPLATE),
            call: tuple.is_of_call().then(call),
        };
        // The fields are of one connection only if it is still there: the next one's are written before its control word,
        // but after this one's end. The fence pairs with the one in `describe`.
        fence(Acquire);
        let after = Control(self.control.load(Relaxed));
        (after.is_live() && after.incarnation() == before.incarnation()).then_some(connection)
    }
}
