//! Packets that belong to no connection: a new one is made if a service wants it (ipvs-facts B.5.1).

use ulvs_model::ForwardMethod;
use ulvs_wire::{Packet, parse, tcp};

use crate::conn::{ConnId, Control, Direction, Hit, Home, NewConnection, Refused};
use crate::forward::icmp_error::Error;
use crate::frame::Frame;
use crate::proto::{self, Path, State};
use crate::snapshot::{DestinationId, DestinationView, Snapshot};
use crate::time::Ticks;
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::Engine;

/// Packets from this port are FTP data of a helper and never scheduled, whatever the service (B.5.1).
const FTP_DATA: u16 = 20;

impl Engine {
    #[cold]
    pub(super) fn schedule<F: Frame>(
        &mut self,
        snapshot: &Snapshot,
        now: Ticks,
        frame: &mut F,
        packet: &Packet,
        home: Home,
    ) -> Verdict {
        let key = &packet.key;
        let service = snapshot.services.find(key.destination, key.destination_port, key.protocol, key.family);
        let Some(service) = service else {
            return Verdict::Punt(PuntReason::NotAService);
        };
        let opens = key.protocol != parse::TCP || packet.tcp_flags & (tcp::SYN | tcp::RST) == tcp::SYN;
        if !opens || key.source_port == FTP_DATA {
            return Verdict::Punt(PuntReason::NoConnection);
        }
        let Some(id) = service.pick(self.worker, &self.shared.live) else {
            let (error, reason) = (Error::PortUnreachable, DropReason::NoDestination);
            return self.reject_to_client(snapshot, now, frame, packet, error, reason);
        };
        let destination = *snapshot.destinations.get(id);
        match self.connect(snapshot, now, packet, id, &destination) {
            Ok((conn, control)) => {
                self.counters().destination(id).connections.add(1);
                let hit = Hit { id: conn, direction: Direction::In, control };
                if destination.is_resolved() {
                    self.send(snapshot, now, frame, packet, id, &destination, hit)
                } else {
                    self.unreachable(snapshot, now, frame, packet, &destination)
                }
            }
            Err(Refused::Exists) => match self.shared.table.search(home, key) {
                Some(hit) => self.forward(snapshot, now, frame, packet, home, hit),
                None => Verdict::Drop(DropReason::ConnTableFull),
            },
            Err(Refused::Full) => Verdict::Drop(DropReason::ConnTableFull),
            Err(Refused::ReplyTuple) => Verdict::Drop(DropReason::ReplyTupleInUse),
        }
    }

    /// Makes the connection, with the first packet's step of the state machine already taken.
    fn connect(
        &mut self,
        snapshot: &Snapshot,
        now: Ticks,
        packet: &Packet,
        id: DestinationId,
        destination: &DestinationView,
    ) -> Result<(ConnId, Control), Refused> {
        if !self.local.can_retire() {
            return Err(Refused::Full);
        }
        let method = destination.method;
        let nat = method == ForwardMethod::Nat;
        let path = if nat { Path::Input } else { Path::InputOnly };
        let state = proto::step(packet.key.protocol, snapshot.secure_tcp, path, State::None, packet.tcp_flags);
        let new = NewConnection {
            key: packet.key,
            method,
            destination: id,
            generation: destination.generation,
            address: destination.address,
            family: destination.family(),
            port: if nat { destination.destination_port } else { packet.key.destination_port },
        };
        let timeout = snapshot.timeouts.of(state);
        let conn = self.shared.table.insert(&mut self.local, &new, state, now, timeout)?;
        self.shared.live.opened(id, state.is_active());
        self.counters().connections_made.add(1);
        Ok((conn, self.shared.table.entry(conn).control()))
    }
}
