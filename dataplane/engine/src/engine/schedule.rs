//! Packets that belong to no connection: a new one is made if a service wants it (ipvs-facts B.5.1).

use ulvs_model::{ForwardMethod, Sysctls};
use ulvs_wire::{FlowKey, Packet, parse, tcp};

use crate::conn::{Helper, Home, NewConnection, Refused, Role};
use crate::forward::icmp_error::Error;
use crate::frame::Frame;
use crate::proto::{self, Path, State};
use crate::sched::Request;
use crate::snapshot::{DestinationId, DestinationView, FTP, FTP_DATA, ServiceView};
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::{Context, Own};

/// Where a new connection goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<'a> {
    pub(super) destination: DestinationId,
    pub(super) view: &'a DestinationView,
    /// Its own: once it was looked at, it is known for all that follows.
    pub(super) method: ForwardMethod,
    /// The real server's port.
    pub(super) port: u16,
    pub(super) role: Role,
}

impl Own {
    /// A packet whose connection has just ended.
    #[cold]
    #[inline(never)]
    pub(super) fn schedule<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
    ) -> Verdict {
        self.schedule_new(cx, frame, packet, home)
    }

    /// A packet that belongs to no connection.
    #[inline(always)]
    pub(super) fn schedule_new<F: Frame>(
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
        let Some(line) = cx.service_line_of(packet) else {
            return Verdict::Punt(PuntReason::NotAService);
        };
        if !opens(packet, &cx.snapshot.sysctls) {
            let bypassed = self.bypass(cx, frame, packet, line.service());
            return bypassed.unwrap_or(Verdict::Punt(PuntReason::NoConnection));
        }
        let is_defended = cx.snapshot.defence.drop_rate > 0 || cx.snapshot.source_limits.is_some();
        let with_care = is_defended || key.destination_port() != line.port() || key.source_port() == FTP_DATA;
        let request = self.request(cx, packet);
        let in_turn = if with_care { None } else { line.turns().and_then(|turns| turns.pick(&request)) };
        let choice = match in_turn {
            Some(destination) => Some(cx.chosen(packet, destination)),
            None if with_care || !line.service().is_plain() => {
                return self.schedule_with_care(cx, frame, packet, home, line.service());
            }
            None => self.pick(cx, packet, line.service()),
        };
        match choice {
            Some(choice) if choice.method != ForwardMethod::Nat => self.open(cx, frame, packet, home, choice),
            Some(choice) => self.open_any(cx, frame, packet, home, choice),
            None => self.leave(cx, frame, packet, line.service()),
        }
    }

    /// A packet that may open a connection of a service, if there is more to it than the scheduler's choice.
    #[inline(never)]
    fn schedule_with_care<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        service: &ServiceView,
    ) -> Verdict {
        match self.assign(cx, (&*frame, packet), service) {
            Ok(Some(choice)) if is_one_packet(service, &packet.key) => self.send_once(cx, frame, packet, choice),
            Ok(Some(choice)) => self.open_any(cx, frame, packet, home, choice),
            Ok(None) => self.leave(cx, frame, packet, service),
            Err(verdict) => verdict,
        }
    }

    /// Where a packet goes that may open a connection of a service; `None`: there is nobody to send it to.
    ///
    /// # Errors
    /// What becomes of it instead.
    #[inline(always)]
    pub(super) fn assign<'a>(
        &mut self,
        cx: &Context<'a>,
        (frame, packet): (&impl Frame, &Packet),
        service: &ServiceView,
    ) -> Result<Option<Choice<'a>>, Verdict> {
        if cx.snapshot.defence.drop_rate > 0 && self.droprate.drops(cx.snapshot.defence) {
            return Err(Verdict::Drop(DropReason::DropPacket));
        }
        // Packets from FTP's data port are of a helper and never scheduled, whatever the service.
        if packet.key.source_port() == FTP_DATA {
            return Err(Verdict::Punt(PuntReason::NoConnection));
        }
        if let Some(limits) = &cx.snapshot.source_limits
            && serves(service, &packet.key)
            && !cx.may_begin(limits, service, &packet.key)
        {
            return Err(Verdict::Drop(DropReason::SourceLimit));
        }
        match &service.persistence {
            Some(persistence) => self.keep(cx, (frame, packet), service, persistence).map_err(Verdict::Drop),
            None => Ok(self.choose(cx, packet, service)),
        }
    }

    /// What schedulers are asked with.
    #[inline(always)]
    pub(super) const fn request<'p>(&self, cx: &'p Context<'_>, packet: &'p Packet) -> Request<'p> {
        Request { key: &packet.key, worker: self.worker, live: &cx.shared.live, now: cx.now }
    }

    /// The scheduler's choice for a packet of a service without persistence.
    fn choose<'a>(&self, cx: &Context<'a>, packet: &Packet, service: &ServiceView) -> Option<Choice<'a>> {
        if serves(service, &packet.key) { self.pick(cx, packet, service) } else { None }
    }

    /// The scheduler's choice.
    #[inline(always)]
    fn pick<'a>(&self, cx: &Context<'a>, packet: &Packet, service: &ServiceView) -> Option<Choice<'a>> {
        Some(cx.chosen(packet, service.pick(&self.request(cx, packet))?))
    }

    /// Nobody to send the packet to (ipvs-facts B.5.3).
    #[inline(never)]
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

impl<'a> Context<'a> {
    /// A scheduler's choice of this destination.
    #[inline(always)]
    fn chosen(&self, packet: &Packet, destination: DestinationId) -> Choice<'a> {
        let view = self.snapshot.destinations.get(destination);
        let own = view.destination_port;
        let port = if own == 0 { packet.key.destination_port() } else { own };
        Choice { destination, view, method: view.method, port, role: Role::Single }
    }
}

/// Whether a packet may begin a connection (ipvs-facts B.5.1). Only TCP and SCTP ask for one.
#[inline(always)]
fn opens(packet: &Packet, sysctls: &Sysctls) -> bool {
    if packet.signal & (parse::OPENS | parse::RESETS) == parse::OPENS {
        return true;
    }
    let asks = |sloppy: i32| packet.signal & parse::RESETS == 0 && sloppy != 0;
    match packet.key.protocol() {
        parse::TCP => asks(sysctls.sloppy_tcp),
        parse::SCTP => asks(sysctls.sloppy_sctp),
        parse::UDP => true,
        _ => false,
    }
}

/// Whether a service that was found serves this port: without persistence one that was found as one of FTP or of all ports
/// does not.
fn serves(service: &ServiceView, key: &FlowKey) -> bool {
    key.destination_port() == service.port() || service.is_marked() || service.persistence.is_some()
}

/// Whether the connection of a packet lives no longer than it (ipvs-facts B.7).
pub(super) const fn is_one_packet(service: &ServiceView, key: &FlowKey) -> bool {
    service.one_packet && key.protocol() == parse::UDP
}

/// The state of a connection after the step of the state machine that its first packet makes.
#[inline(always)]
pub(super) fn first_state(cx: &Context<'_>, packet: &Packet, method: ForwardMethod) -> State {
    let path = if method == ForwardMethod::Nat { Path::Input } else { Path::InputOnly };
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
#[inline(always)]
pub(super) fn new(key: FlowKey, choice: Choice<'_>) -> NewConnection {
    let destination = choice.view;
    NewConnection {
        key,
        method: choice.method,
        destination: choice.destination,
        generation: destination.generation(),
        address: destination.real_server.address,
        family: destination.real_server.family(),
        port: choice.port,
        role: choice.role,
        helper: Helper::None,
        paired: false,
    }
}
