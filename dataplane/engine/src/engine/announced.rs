//! Data connections that a control connection of FTP announces (ipvs-facts C.9).
//!
//! They are in the table before their first packet, in the state `LISTEN`, so that it is found by whatever worker it comes to:
//! a real server's by the address and port that the client named; a client's with 0 in the place of its port, for which
//! it is looked for when nothing else is found.

use ulvs_model::ForwardMethod;
use ulvs_wire::{Address, Family, FlowKey, Packet, parse};

use crate::conn::{Control, Direction, Entry, Helper, Hit, Home, NewConnection, Role, Table};
use crate::frame::Frame;
use crate::proto::State;
use crate::verdict::{DropReason, Verdict};

use super::end::forget;
use super::schedule::{Choice, first_state, refused};
use super::{Context, Own};

impl Own {
    /// The server is going to open a connection to this end of the client's, from the port before its own.
    pub(super) fn announce_active(
        &mut self,
        cx: &Context<'_>,
        family: Family,
        control: Hit<'_>,
        client: (Address, u16),
    ) {
        let (vip, port) = control.entry.vip();
        let (_, destination_port) = control.entry.destination();
        let key = FlowKey::new(parse::TCP, family, client, (vip, port.wrapping_sub(1)));
        self.announce(cx, key, control, destination_port.wrapping_sub(1), Helper::None);
    }

    /// The client is going to open a connection to this port.
    ///
    /// The address that the server names is not looked at: it is the real server's own, or one that is right for clients
    /// that ask it directly.
    pub(super) fn announce_passive(&mut self, cx: &Context<'_>, family: Family, control: Hit<'_>, port: u16) {
        let key = control.entry.key();
        let (vip, _) = control.entry.vip();
        let key = FlowKey::new(parse::TCP, family, (key.source(), 0), (vip, port));
        self.announce(cx, key, control, port, Helper::Announced);
    }

    /// Makes the connection, or has it wait anew. If the table has no room or the tuple is another's, there is none, and
    /// its first packet is any packet.
    fn announce(&mut self, cx: &Context<'_>, key: FlowKey, control: Hit<'_>, port: u16, helper: Helper) {
        let Some(controller) = cx.shared.table.number_of(control.entry) else { return };
        let home = cx.shared.table.home(&key);
        if let Some(hit) = cx.shared.table.search(home, &key)
            && hit.direction == Direction::In
        {
            if hit.entry.controller() == Some(controller) {
                listen(cx, hit.entry);
            }
            return;
        }
        if !Table::hold_connection(control.entry) {
            return;
        }
        let (destination, generation) = control.entry.destination_id();
        let (address, _) = control.entry.destination();
        let role = Role::Controlled(controller);
        let (method, family) = (ForwardMethod::Nat, key.family());
        let paired = cx.snapshot.destinations.has_pair_of(&key, destination, generation);
        let new = NewConnection { key, method, destination, generation, address, family, port, role, helper, paired };
        // Counted before it can be found, for it can be ended as soon as it is.
        cx.shared.live.opened(destination, false);
        if helper == Helper::Announced {
            cx.shared.announce();
        }
        cx.counters.connections_made.add(1);
        let timeout = cx.snapshot.timeouts.of(State::Listen);
        let made = cx.shared.table.insert(&mut self.local, (home, &new), State::Listen, cx.now, timeout);
        if made.is_err() {
            let flags = Control::INACTIVE | if helper == Helper::Announced { Control::NO_CPORT } else { 0 };
            forget(cx.shared, self.worker, destination, flags);
            cx.shared.table.let_go(controller);
        }
    }

    /// A client's first packet that belongs to no connection: one may have been announced, which it makes known the port of.
    #[cold]
    #[inline(never)]
    pub(super) fn open_announced<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
    ) -> Option<Verdict> {
        let key = announced(&packet.key);
        let hit = cx.shared.table.search(cx.shared.table.home(&key), &key)?;
        let (destination, generation) = hit.entry.destination_id();
        let is_it = hit.direction == Direction::In && hit.control.has(Control::NO_CPORT) && hit.entry.has_time(cx.now);
        if !is_it || !cx.snapshot.destinations.get(destination).serves(generation) {
            return None;
        }
        let controller = hit.entry.controller()?;
        if !self.local.can_retire() {
            return Some(Verdict::Drop(DropReason::ConnTableFull));
        }
        // Of several workers with such a packet one gets it; its hold passes on.
        let was = cx.shared.table.kill(&mut self.local, cx.shared.table.number_of(hit.entry)?)?;
        forget(cx.shared, self.worker, destination, was.flags());
        let view = cx.snapshot.destinations.get(destination);
        let port = hit.entry.destination().1;
        let method = view.method;
        let choice = Choice { destination, view, method, port, role: Role::Controlled(controller) };
        let state = first_state(cx, packet, view.method);
        let begin = (state, cx.snapshot.timeouts.of(state));
        Some(match self.insert(cx, &packet.key, home, choice, begin) {
            Ok(hit) if view.is_resolved() => {
                let way = self.send(cx, frame, packet, destination, view, hit);
                self.verdict_of(way)
            }
            Ok(hit) => self.send_elsewhere(cx, frame, packet, &view.real_server, hit),
            Err(why) => {
                cx.shared.table.let_go(controller);
                refused(why)
            }
        })
    }
}

/// What the connection that a client's packet with this key may open was announced by.
pub(super) const fn announced(key: &FlowKey) -> FlowKey {
    FlowKey::new(key.protocol(), key.family(), (key.source(), 0), (key.destination(), key.destination_port()))
}

/// Has a data connection wait for its first packet again.
fn listen(cx: &Context<'_>, entry: &Entry) {
    let _ = entry.swap_control(|control| control.is_live().then(|| control.with_state(State::Listen)));
    entry.restart(cx.now);
    entry.set_timeout(|state| cx.snapshot.timeouts.of(state));
}
