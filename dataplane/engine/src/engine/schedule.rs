//! Packets that belong to no connection: a new one is made if a service wants it (ipvs-facts B.5.1).

use ulvs_model::ForwardMethod;
use ulvs_wire::{Packet, parse, tcp};

use crate::conn::{Direction, Hit, Home, NewConnection, Refused};
use crate::forward::icmp_error::Error;
use crate::frame::Frame;
use crate::proto::{self, Path, State};
use crate::sched::Request;
use crate::snapshot::{DestinationId, DestinationView};
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::{Context, Own};

/// Packets from this port are FTP data of a helper and never scheduled, whatever the service (ipvs-facts B.5.1).
const FTP_DATA: u16 = 20;

impl Own {
    #[cold]
    pub(super) fn schedule<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
    ) -> Verdict {
        let key = &packet.key;
        let service =
            cx.snapshot.services.find(key.destination(), key.destination_port(), key.protocol(), key.family());
        let Some(service) = service else {
            return Verdict::Punt(PuntReason::NotAService);
        };
        let opens = key.protocol() != parse::TCP || packet.tcp_flags & (tcp::SYN | tcp::RST) == tcp::SYN;
        if !opens || key.source_port() == FTP_DATA {
            return Verdict::Punt(PuntReason::NoConnection);
        }
        let request = Request { key, worker: self.worker, live: &cx.shared.live, now: cx.now };
        let Some(id) = service.pick(&request) else {
            let (error, reason) = (Error::PortUnreachable, DropReason::NoDestination);
            return self.reject_to_client(cx, frame, packet, error, reason);
        };
        let destination = *cx.snapshot.destinations.get(id);
        match self.connect(cx, packet, id, &destination) {
            Ok(hit) => {
                cx.counters.destination(id).connections.add(1);
                if destination.is_resolved() {
                    self.send(cx, frame, packet, id, &destination, hit)
                } else {
                    self.unreachable(cx, frame, packet, &destination)
                }
            }
            Err(Refused::Exists) => match cx.shared.table.search(home, key) {
                Some(hit) => self.forward(cx, frame, packet, home, hit),
                None => Verdict::Drop(DropReason::Contended),
            },
            Err(Refused::Full) => Verdict::Drop(DropReason::ConnTableFull),
            Err(Refused::ReplyTuple) => Verdict::Drop(DropReason::ReplyTupleInUse),
        }
    }

    /// Makes the connection, with the first packet's step of the state machine already taken.
    fn connect<'a>(
        &mut self,
        cx: &Context<'a>,
        packet: &Packet,
        id: DestinationId,
        destination: &DestinationView,
    ) -> Result<Hit<'a>, Refused> {
        if !self.local.can_retire() {
            return Err(Refused::Full);
        }
        let method = destination.method;
        let nat = method == ForwardMethod::Nat;
        let path = if nat { Path::Input } else { Path::InputOnly };
        let state =
            proto::step(packet.key.protocol(), cx.snapshot.secure_tcp, path, State::None.number(), packet.tcp_flags);
        let new = NewConnection {
            key: packet.key,
            method,
            destination: id,
            generation: destination.generation,
            address: destination.address,
            family: destination.family(),
            port: if nat { destination.destination_port } else { packet.key.destination_port() },
        };
        let timeout = cx.snapshot.timeouts.of(state);
        // Counted before it can be found, for it can be ended as soon as it is.
        cx.shared.live.opened(id, state.is_active());
        let inserted = cx.shared.table.insert(&mut self.local, &new, state, cx.now, timeout);
        let id = inserted.inspect_err(|_| cx.shared.live.ended(new.destination, state.is_active()))?;
        cx.counters.connections_made.add(1);
        let entry = cx.shared.table.entry(id);
        Ok(Hit { entry, id, direction: Direction::In, control: entry.control() })
    }
}
