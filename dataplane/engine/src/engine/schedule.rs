//! Packets that belong to no connection: a new one is made if a service wants it (ipvs-facts B.5.1).

use ulvs_model::{ForwardMethod, Sysctls};
use ulvs_wire::{FlowKey, Packet, parse, sctp, tcp};

use crate::conn::{Direction, Hit, Home, NewConnection, Refused, Role};
use crate::forward::icmp_error::Error;
use crate::frame::Frame;
use crate::proto::{self, Path, State};
use crate::sched::Request;
use crate::snapshot::{DestinationId, DestinationView, FTP, FTP_DATA, ServiceView};
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::{Context, Own, assure};

/// Where a new connection goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) destination: DestinationId,
    /// The real server's port.
    pub(super) port: u16,
    pub(super) role: Role,
}

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
        let Some(service) = cx.service_of(packet) else {
            return Verdict::Punt(PuntReason::NotAService);
        };
        if !opens(packet, &cx.snapshot.sysctls) {
            return Verdict::Punt(PuntReason::NoConnection);
        }
        if cx.snapshot.defence.drop_rate > 0 && self.droprate.drops(cx.snapshot.defence) {
            return Verdict::Drop(DropReason::DropPacket);
        }
        // Packets from FTP's data port are of a helper and never scheduled, whatever the service.
        if key.source_port() == FTP_DATA {
            return Verdict::Punt(PuntReason::NoConnection);
        }
        let choice = match &service.persistence {
            Some(persistence) => self.keep(cx, packet, service, persistence),
            None => Ok(self.choose(cx, packet, service)),
        };
        match choice {
            Ok(Some(choice)) if service.one_packet && key.protocol() == parse::UDP => {
                self.send_once(cx, frame, packet, choice)
            }
            Ok(Some(choice)) => self.open(cx, frame, packet, home, choice),
            Ok(None) => self.leave(cx, frame, packet, service),
            Err(reason) => Verdict::Drop(reason),
        }
    }

    /// What schedulers are asked with.
    pub(super) const fn request<'a>(&self, cx: &Context<'a>, packet: &'a Packet) -> Request<'a> {
        Request { key: &packet.key, worker: self.worker, live: &cx.shared.live, now: cx.now }
    }

    /// The scheduler's choice for a packet of a service without persistence.
    fn choose(&self, cx: &Context<'_>, packet: &Packet, service: &ServiceView) -> Option<Choice> {
        // Found as a service of FTP or of all ports: without persistence such a packet goes nowhere.
        if packet.key.destination_port() != service.port() && !service.is_marked() {
            return None;
        }
        let destination = service.pick(&self.request(cx, packet))?;
        let own = cx.snapshot.destinations.get(destination).destination_port;
        let port = if own == 0 { packet.key.destination_port() } else { own };
        Some(Choice { destination, port, role: Role::Single })
    }

    /// Makes the connection, and sends its first packet.
    fn open<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        choice: Choice,
    ) -> Verdict {
        let id = choice.destination;
        let destination = *cx.snapshot.destinations.get(id);
        let made = self.connect(cx, packet, home, choice, &destination);
        if made.is_err()
            && let Role::Controlled(template) = choice.role
        {
            cx.shared.table.let_go(template);
        }
        match made {
            Ok(hit) => {
                cx.counters.destination(id).connections.add(1);
                if destination.is_resolved() {
                    self.send(cx, frame, packet, id, &destination, hit)
                } else {
                    self.unreachable(cx, frame, packet, &destination)
                }
            }
            Err(Refused::Exists) => match cx.shared.table.search(home, &packet.key) {
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
        home: Home,
        choice: Choice,
        destination: &DestinationView,
    ) -> Result<Hit<'a>, Refused> {
        if !self.local.can_retire() {
            return Err(Refused::Full);
        }
        let new = new(packet.key, choice, destination);
        let path = if new.method == ForwardMethod::Nat { Path::Input } else { Path::InputOnly };
        let state = proto::step(
            packet.key.protocol(),
            cx.snapshot.defence.secure_tcp,
            path,
            State::None.number(),
            packet.signal,
        );
        let timeout = cx.snapshot.timeouts.of(state);
        // Counted before it can be found, for it can be ended as soon as it is.
        cx.shared.live.opened(new.destination, state.is_active());
        let inserted = cx.shared.table.insert(&mut self.local, (home, &new), state, cx.now, timeout);
        let id = inserted.inspect_err(|_| cx.shared.live.ended(new.destination, state.is_active()))?;
        cx.counters.connections_made.add(1);
        let entry = cx.shared.table.entry(id);
        if state.is_established() {
            assure(cx.shared, entry);
        }
        Ok(Hit { entry, id, direction: Direction::In, control: entry.control() })
    }

    /// Nobody to send the packet to (ipvs-facts B.5.3).
    fn leave<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet, service: &ServiceView) -> Verdict {
        if service.port() == FTP && packet.key.destination_port() != FTP {
            // It was taken for FTP's data, and may be anything.
            return Verdict::Punt(PuntReason::NotAService);
        }
        self.reject_to_client(cx, frame, packet, Error::PortUnreachable, DropReason::NoDestination)
    }
}

/// Whether a packet may begin a connection (ipvs-facts B.5.1).
fn opens(packet: &Packet, sysctls: &Sysctls) -> bool {
    match packet.key.protocol() {
        parse::TCP => {
            let flags = packet.signal & (tcp::SYN | tcp::RST);
            flags == tcp::SYN || sysctls.sloppy_tcp != 0 && flags == 0
        }
        parse::SCTP => {
            let is_abort = packet.signal == sctp::Event::Abort.signal();
            packet.signal & parse::OPENS != 0 || sysctls.sloppy_sctp != 0 && !is_abort
        }
        parse::UDP => true,
        _ => false,
    }
}

/// A connection of this choice.
pub(super) fn new(key: FlowKey, choice: Choice, destination: &DestinationView) -> NewConnection {
    NewConnection {
        key,
        method: destination.method,
        destination: choice.destination,
        generation: destination.generation,
        address: destination.address,
        family: destination.family(),
        port: choice.port,
        role: choice.role,
    }
}
