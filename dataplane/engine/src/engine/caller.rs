//! Calls that a real server begins: its message gets a connection as if the client had asked (ipvs-facts B.6, C.2 step 3).

use ulvs_model::ForwardMethod;
use ulvs_wire::{FlowKey, Packet, parse};

use crate::conn::{Control, Direction, Entry, Helper, Hit, NewConnection, Refused, Role};
use crate::frame::Frame;
use crate::proto::State;
use crate::snapshot::{DestinationId, Persistence, Place, ServiceView};
use crate::verdict::{DropReason, Verdict};

use super::end::{forget, release};
use super::schedule::Choice;
use super::{Context, Own, Staged};

/// A real server's message that its service may send to a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called<'a> {
    pub(super) destination: DestinationId,
    pub(super) service: &'a ServiceView,
    pub(super) persistence: &'a Persistence,
    /// What the client's request would be.
    pub(super) request: FlowKey,
}

impl<'a> Context<'a> {
    /// `None`: it is nobody's, and goes as it is.
    pub(super) fn called(&self, packet: &Packet) -> Option<Called<'a>> {
        let (destination, service) = self.snapshot.callers.find(&packet.key)?;
        let address = service.address()?;
        let to = Place::new(address.ip().into(), address.port(), parse::UDP, packet.key.family());
        let service = self.snapshot.services.find(&to)?.service();
        let persistence = service.persistence.as_ref()?;
        let view = self.snapshot.destinations.get(destination);
        // Replies of other methods pass the director as they are.
        if view.method != ForwardMethod::Nat || packet.key.destination_port() == 0 {
            return None;
        }
        let request = packet.key.reversed().to(address.ip().into(), address.port());
        Some(Called { destination, service, persistence, request })
    }
}

impl Own {
    /// Sends a real server's message to a client, in the name of its service. `None`: it is nobody's, and goes as it is.
    #[cold]
    #[inline(never)]
    pub(super) fn call<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet) -> Option<Verdict> {
        let Called { destination, service, persistence, request: key } = cx.called(packet)?;
        let view = cx.snapshot.destinations.get(destination);
        let role = match self.keep_caller(cx, frame, packet, (service, persistence), &key, destination) {
            Ok(role) => role,
            // Not of SIP: it goes as it is.
            Err(DropReason::NoCallId) => return None,
            Err(reason) => return Some(Verdict::Drop(reason)),
        };
        let new = NewConnection {
            key,
            method: view.method,
            destination,
            generation: view.generation(),
            address: view.real_server.address,
            family: view.real_server.family(),
            port: packet.key.source_port(),
            role,
            helper: Helper::None,
            paired: cx.snapshot.destinations.has_pair_of(&key, destination, view.generation()),
        };
        if service.one_packet {
            let entry = Entry::of_one_packet(&new);
            let way =
                self.outbound(cx, frame, &Staged { packet: *packet, home: cx.shared.table.home(&key) }, reply(&entry));
            let verdict = self.verdict_of(way);
            if let Role::Controlled(template) = role {
                release(cx.shared, template);
            }
            return Some(verdict);
        }
        Some(self.answer(cx, frame, packet, &new))
    }

    /// Makes the connection, and sends the message by it.
    fn answer<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet, new: &NewConnection) -> Verdict {
        let home = cx.shared.table.home(&new.key);
        let timeout = cx.snapshot.timeouts.of(State::Udp);
        // Counted before it can be found, for it can be ended as soon as it is.
        cx.shared.live.opened(new.destination, false);
        cx.counters.connections_made.add(1);
        let made = cx.shared.table.insert(&mut self.local, (home, new), State::Udp, cx.now, timeout);
        match made {
            Ok(id) => {
                let entry = cx.shared.table.entry(id);
                let hit = Hit { entry, direction: Direction::Out, control: entry.control(), pair: None };
                let way = self.outbound(cx, frame, &Staged { packet: *packet, home }, hit);
                self.verdict_of(way)
            }
            Err(refused) => {
                forget(cx.shared, self.worker, new.destination, Control::INACTIVE);
                if let Role::Controlled(template) = new.role {
                    cx.shared.table.let_go(template);
                }
                Verdict::Drop(match refused {
                    Refused::Exists => DropReason::Contended,
                    Refused::Full => DropReason::ConnTableFull,
                    Refused::ReplyTuple => DropReason::ReplyTupleInUse,
                })
            }
        }
    }

    /// The template of the call, held, if it leads to this real server; else another one that does.
    fn keep_caller(
        &mut self,
        cx: &Context<'_>,
        frame: &impl Frame,
        packet: &Packet,
        (service, persistence): (&ServiceView, &Persistence),
        key: &FlowKey,
        destination: DestinationId,
    ) -> Result<Role, DropReason> {
        let request = Packet { key: *key, ..*packet };
        let choice = self.keep_to(cx, (frame, &request), service, persistence, Some(destination))?;
        // Nobody was asked for a choice.
        Ok(choice.map_or(Role::Single, |Choice { role, .. }| role))
    }
}

fn reply(entry: &Entry) -> Hit<'_> {
    Hit { direction: Direction::Out, ..entry.as_hit() }
}
