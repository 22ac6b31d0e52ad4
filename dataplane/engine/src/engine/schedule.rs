//! Packets that belong to no connection: a new one is made if a service wants it (ipvs-facts B.5.1).

use ulvs_model::{ForwardMethod, Sysctls};
use ulvs_wire::{FlowKey, Packet, parse, tcp};

use crate::conn::{Direction, Helper, Hit, Home, NewConnection, Refused, Role};
use crate::forward::icmp_error::Error;
use crate::frame::Frame;
use crate::proto::{self, Path, State};
use crate::sched::Request;
use crate::snapshot::{DestinationId, DestinationView, FTP, FTP_DATA, ServiceView};
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::state::assure;
use super::{Context, Own};

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
        if cx.shared.any_announced()
            && packet.signal & (tcp::SYN | tcp::RST) == tcp::SYN
            && key.protocol() == parse::TCP
            && let Some(verdict) = self.open_announced(cx, frame, packet, home)
        {
            return verdict;
        }
        if !cx.snapshot.callers.is_empty()
            && let Some(verdict) = self.call(cx, frame, packet)
        {
            return verdict;
        }
        if cx.snapshot.sysctls.nat_icmp_send != 0
            && let Some(verdict) = self.stray(cx, frame, packet)
        {
            return verdict;
        }
        let Some(service) = cx.service_of(packet) else {
            return Verdict::Punt(PuntReason::NotAService);
        };
        if !opens(packet, &cx.snapshot.sysctls) {
            return self.bypass(cx, frame, packet, service).unwrap_or(Verdict::Punt(PuntReason::NoConnection));
        }
        match self.assign(cx, (&*frame, packet), service) {
            Ok(Some(choice)) if is_one_packet(service, key) => self.send_once(cx, frame, packet, choice),
            Ok(Some(choice)) => self.open(cx, frame, packet, home, choice),
            Ok(None) => self.leave(cx, frame, packet, service),
            Err(verdict) => verdict,
        }
    }

    /// Where a packet goes that may open a connection of a service; `None`: there is nobody to send it to.
    ///
    /// # Errors
    /// What becomes of it instead.
    #[inline(always)]
    pub(super) fn assign(
        &mut self,
        cx: &Context<'_>,
        (frame, packet): (&impl Frame, &Packet),
        service: &ServiceView,
    ) -> Result<Option<Choice>, Verdict> {
        if cx.snapshot.defence.drop_rate > 0 && self.droprate.drops(cx.snapshot.defence) {
            return Err(Verdict::Drop(DropReason::DropPacket));
        }
        // Packets from FTP's data port are of a helper and never scheduled, whatever the service.
        if packet.key.source_port() == FTP_DATA {
            return Err(Verdict::Punt(PuntReason::NoConnection));
        }
        match &service.persistence {
            Some(persistence) => self.keep(cx, (frame, packet), service, persistence).map_err(Verdict::Drop),
            None => Ok(self.choose(cx, packet, service)),
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

    /// Makes a scheduled connection, and sends its first packet.
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
        let state = first_state(cx, packet, &destination);
        match self.connect(cx, packet.key, home, choice, (state, cx.snapshot.timeouts.of(state))) {
            Ok(hit) if destination.is_resolved() => {
                let way = self.send(cx, frame, packet, id, &destination, hit);
                self.verdict_of(way)
            }
            Ok(_) => self.unreachable(cx, frame, packet, &destination),
            Err(Refused::Exists) => match cx.shared.table.search(home, &packet.key) {
                Some(hit) => self.go_on(cx, frame, packet, home, hit),
                None => refused(Refused::Exists),
            },
            Err(why) => refused(why),
        }
    }

    /// Makes the connection of a choice, in a state that ends after so many ticks.
    #[inline(always)]
    pub(super) fn connect<'a>(
        &mut self,
        cx: &Context<'a>,
        key: FlowKey,
        home: Home,
        choice: Choice,
        begin: (State, u32),
    ) -> Result<Hit<'a>, Refused> {
        let made = self.insert(cx, key, home, choice, begin);
        match (&made, choice.role) {
            (Ok(_), _) => cx.counters.destination(choice.destination).connections.add(1),
            (Err(_), Role::Controlled(template)) => drop(cx.shared.table.let_go(template)),
            (Err(_), _) => {}
        }
        made
    }

    /// The same, of one that was announced: the scheduler has no part in it, and it is not counted as one of the service's.
    #[inline(always)]
    pub(super) fn insert<'a>(
        &mut self,
        cx: &Context<'a>,
        key: FlowKey,
        home: Home,
        choice: Choice,
        (state, timeout): (State, u32),
    ) -> Result<Hit<'a>, Refused> {
        if !self.local.can_retire() {
            return Err(Refused::Full);
        }
        let destination = cx.snapshot.destinations.get(choice.destination);
        let helper = cx.helper_of(&key, destination.method);
        let new = NewConnection { helper, ..new(key, choice, destination) };
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
        match self.bypass(cx, frame, packet, service) {
            Some(verdict) => verdict,
            None => self.reject_to_client(cx, frame, packet, Error::PortUnreachable, DropReason::NoDestination),
        }
    }
}

/// Whether a packet may begin a connection (ipvs-facts B.5.1).
fn opens(packet: &Packet, sysctls: &Sysctls) -> bool {
    let asks = |sloppy: i32| packet.signal & parse::RESETS == 0 && (sloppy != 0 || packet.signal & parse::OPENS != 0);
    match packet.key.protocol() {
        parse::TCP => asks(sysctls.sloppy_tcp),
        parse::SCTP => asks(sysctls.sloppy_sctp),
        parse::UDP => true,
        _ => false,
    }
}

/// Whether the connection of a packet lives no longer than it (ipvs-facts B.7).
pub(super) const fn is_one_packet(service: &ServiceView, key: &FlowKey) -> bool {
    service.one_packet && key.protocol() == parse::UDP
}

/// The state of a connection after the step of the state machine that its first packet makes.
#[inline]
pub(super) fn first_state(cx: &Context<'_>, packet: &Packet, destination: &DestinationView) -> State {
    let path = if destination.method == ForwardMethod::Nat { Path::Input } else { Path::InputOnly };
    proto::step(packet.key.protocol(), cx.tcp, path, State::None.number(), packet.signal)
}

/// What becomes of a packet whose connection could not be made.
pub(super) const fn refused(why: Refused) -> Verdict {
    Verdict::Drop(match why {
        Refused::Exists => DropReason::Contended,
        Refused::Full => DropReason::ConnTableFull,
        Refused::ReplyTuple => DropReason::ReplyTupleInUse,
    })
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
        helper: Helper::None,
    }
}
