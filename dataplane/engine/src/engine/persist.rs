//! New connections of persistent services: a client's go where its template says (ipvs-facts B.6). With the persistence engine
//! sip, those of a call.

use ulvs_wire::{Address, FlowKey, Packet, parse};

use crate::conn::{CallId, Contended, Refused, Role, Table, Template};
use crate::frame::Frame;
use crate::sip;
use crate::snapshot::{ANY, DestinationId, FTP, Persistence, ServiceView, mark_as_address};
use crate::verdict::DropReason;

use super::schedule::{Choice, new};
use super::{Context, Own};

impl Own {
    /// The choice for a packet of a persistent service, with its template held; `None`: there is nobody to send it to.
    pub(super) fn keep<'a>(
        &mut self,
        cx: &Context<'a>,
        packet: (&impl Frame, &Packet),
        service: &ServiceView,
        persistence: &Persistence,
    ) -> Result<Option<Choice<'a>>, DropReason> {
        self.keep_to(cx, packet, service, persistence, None)
    }

    /// The same; if a destination is said, it is that one, and a template that leads to another is expelled.
    pub(super) fn keep_to<'a>(
        &mut self,
        cx: &Context<'a>,
        (frame, packet): (&impl Frame, &Packet),
        service: &ServiceView,
        persistence: &Persistence,
        wanted: Option<DestinationId>,
    ) -> Result<Option<Choice<'a>>, DropReason> {
        let key = template_key(packet, service, persistence);
        let call = call_of(frame, packet, persistence)?;
        let leads_there = |template: &Template<'_>| wanted.is_none_or(|to| template.entry.destination_id().0 == to);
        let found = valid_template(cx, &key, call.as_ref())?;
        if let Some(template) = found
            && !leads_there(&template)
        {
            cx.shared.table.expel(template);
        } else if let Some(template) = found {
            return Ok(Some(held(cx, packet, service, template)));
        }
        let Some(destination) = wanted.or_else(|| service.pick(&self.request(cx, packet))) else {
            return Ok(None);
        };
        let view = cx.snapshot.destinations.get(destination);
        let is_own_port = packet.key.destination_port() == service.port();
        if cx.shared.templates.is_full() {
            let port = port(is_own_port, packet, view.destination_port);
            return Ok(Some(Choice { destination, view, method: view.method, port, role: Role::Single }));
        }
        let port = if is_own_port && service.port() != FTP { view.destination_port } else { 0 };
        let role = if call.is_some() { Role::Call } else { Role::Template };
        let template = new(key, Choice { destination, view, method: view.method, port, role });
        // Counted before it can be found, as connections are.
        cx.shared.templates.made(destination);
        let table = &cx.shared.table;
        let made = table.insert_template(&mut self.local, (&template, call.as_ref()), cx.now, persistence.timeout);
        match made.inspect_err(|_| cx.shared.templates.ended(destination)) {
            Ok(id) => Ok(Some(held(cx, packet, service, Template { entry: table.entry(id), id }))),
            // Another worker has scheduled the client at this moment.
            Err(Refused::Exists) => match valid_template(cx, &key, call.as_ref())? {
                Some(template) => Ok(Some(held(cx, packet, service, template))),
                None => Err(DropReason::Contended),
            },
            Err(Refused::Full | Refused::ReplyTuple) => Err(DropReason::ConnTableFull),
        }
    }
}

/// What the client's template is found by.
pub(super) fn template_key(packet: &Packet, service: &ServiceView, persistence: &Persistence) -> FlowKey {
    let key = &packet.key;
    let is_own_port = key.destination_port() == service.port();
    let client = Address(key.source().0 & persistence.mask);
    match service.key.mark() {
        Some(mark) if !is_own_port => {
            FlowKey::new(ANY, key.family(), (client, 0), (mark_as_address(mark.get(), key.family()), 0))
        }
        _ => {
            let port = if is_own_port && service.port() != FTP { service.port() } else { 0 };
            FlowKey::new(key.protocol(), key.family(), (client, 0), (key.destination(), port))
        }
    }
}

/// The call that a message is of, if the service tells calls apart; a packet without any is not scheduled then.
pub(super) fn call_of(
    frame: &impl Frame,
    packet: &Packet,
    persistence: &Persistence,
) -> Result<Option<CallId>, DropReason> {
    const UDP_HEADER: usize = ulvs_wire::udp::HEADER_LEN;
    if !persistence.by_call {
        return Ok(None);
    }
    let (from, to) = (usize::from(packet.l4) + UDP_HEADER, usize::from(packet.l3) + usize::from(packet.ip_len));
    let is_udp = packet.key.protocol() == parse::UDP;
    let message = frame.bytes().get(from..to).filter(|_| is_udp);
    message.and_then(sip::call_id).and_then(CallId::new).map(Some).ok_or(DropReason::NoCallId)
}

/// The template with this key, if there is one and its destination can still be used; one that can't is expelled.
fn valid_template<'a>(
    cx: &Context<'a>,
    key: &FlowKey,
    call: Option<&CallId>,
) -> Result<Option<Template<'a>>, DropReason> {
    let found = cx.shared.table.template(key, call).map_err(|Contended| DropReason::Contended)?;
    let Some(template) = found else {
        return Ok(None);
    };
    let entry = template.entry;
    let (id, generation) = entry.destination_id();
    let destination = cx.snapshot.destinations.get(id);
    let is_quiescent = cx.snapshot.sysctls.expire_quiescent_template != 0 && destination.is_quiescent();
    let mut is_valid = destination.serves(generation) && !is_quiescent;
    if entry.expires_in(cx.now).is_none() {
        // Its time ran out before the sweep came by.
        if entry.controls() > 0 {
            entry.expire_later(cx.now);
        } else {
            is_valid = false;
        }
    }
    if !is_valid {
        cx.shared.table.expel(template);
    }
    Ok(is_valid.then_some(template))
}

/// The template's choice. Its timer starts again, and it is held for the connection.
fn held<'a>(cx: &Context<'a>, packet: &Packet, service: &ServiceView, template: Template<'_>) -> Choice<'a> {
    Table::hold(template);
    template.entry.restart(cx.now);
    let (destination, _) = template.entry.destination_id();
    let view = cx.snapshot.destinations.get(destination);
    let port = port(packet.key.destination_port() == service.port(), packet, view.destination_port);
    Choice { destination, view, method: view.method, port, role: Role::Controlled(template.id) }
}

/// The packet's port, unless it is the service's, which the destination may serve by another one.
fn port(is_own: bool, packet: &Packet, destination_port: u16) -> u16 {
    if is_own && destination_port != 0 { destination_port } else { packet.key.destination_port() }
}
