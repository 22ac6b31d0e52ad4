//! What would happen to a packet: it goes through the very engine, over copies of what the engine would change.
//!
//! The snapshot is the workers' own but for the packet's service, whose scheduler is made anew with a copy of what one worker's
//! remembers. Connection table and counters are those of a director of its own, into which the packet's connection, its
//! client's template and the loads of the service's real servers are copied. So nothing of it is seen by any worker.

use std::io;
use std::sync::Arc;

use ulvs_model::{Destination, ServiceKey};
use ulvs_wire::{FlowKey, Kind, Packet, Quoted, fragment, parse_any};

use crate::conn::{CallId, Connection, Control};
use crate::frame::MemoryFrame;
use crate::live::Load;
use crate::proto::TcpStates;
use crate::shared::Shared;
use crate::snapshot::{Compiler, PortId, ServiceView, Snapshot};
use crate::time::Ticks;
use crate::verdict::Verdict;

use super::announced::announced;
use super::caller::Called;
use super::ipsec::{followed, is_ipsec};
use super::persist::{call_of, template_key};
use super::{Context, Engine};

/// What would happen to a packet, and what that hangs on.
#[derive(Debug)]
pub struct Rehearsal {
    /// What would be decided.
    pub verdict: Verdict,
    /// The frame as it would leave; as it came, if it would not.
    pub frame: MemoryFrame,
    /// Addresses and ports of the packet, or of what it quotes as an ICMP error; `None` of what is no matter of the director.
    pub flow: Option<FlowKey>,
    /// It is an ICMP error about `flow`.
    pub is_error: bool,
    /// The firewall mark that it has by the rules; 0: none, or nobody asks for it.
    pub mark: u32,
    /// The connection that it belongs to.
    pub before: Option<Connection>,
    /// The same afterwards.
    pub after: Option<Connection>,
    /// The service of packets to its address, port and mark, or the one whose real server begins a call with it.
    pub service: Option<ServiceKey>,
    /// A real server begins a call with it, and no scheduler is asked.
    pub is_call: bool,
    /// Where the client's template leads, or the call's, and its port.
    pub template: Option<Connection>,
    /// The real servers of the service as its scheduler has them, newest first.
    pub candidates: Vec<(Destination, Load)>,
    /// The connection table is full.
    pub is_full: bool,
}

/// Whose packet it would be, and when.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The worker: schedulers remember for each of them where they are.
    pub worker: usize,
    /// The port that it would come in by.
    pub ingress: PortId,
    /// The moment.
    pub now: Ticks,
}

impl Rehearsal {
    /// Rehearses a frame.
    ///
    /// # Errors
    /// What the kernel says when it has no room for the copies.
    pub fn of(compiler: &Compiler, arrival: Arrival, frame: &[u8]) -> io::Result<Self> {
        let Arrival { worker, ingress, now } = arrival;
        let live = compiler.shared();
        let shared = Arc::new(live.alike()?);
        let mut engine = Engine::new(Arc::clone(&shared), 0);
        let mut snapshot = compiler.snapshot();
        let (packet, is_error) = described(frame);
        let cx = Context {
            shared: live,
            snapshot: &snapshot,
            counters: &live.workers()[0],
            now,
            ingress,
            tcp: TcpStates::of(snapshot.defence.secure_tcp),
            any_v6: true,
        };
        let asking = packet.filter(|packet| !is_error && !is_ipsec(&packet.key));
        let called = asking.and_then(|packet| called(&cx, frame, packet));
        let found = called.or_else(|| asking.and_then(|packet| Some((packet, cx.service_of(&packet)?))));
        let mark = packet.map_or(0, |packet| snapshot.marks.of(&packet.key, ingress));
        let service = found.map(|(_, service)| service.key);
        let template_key = found.and_then(|(packet, service)| {
            let persistence = service.persistence.as_ref()?;
            let call = call_of(&MemoryFrame::new(frame), &packet, persistence).ok()?;
            Some((template_key(&packet, service, persistence), call))
        });
        let mut rehearsal = Self {
            verdict: Verdict::Wait,
            frame: MemoryFrame::new(frame),
            flow: packet.map(|packet| packet.key),
            is_error,
            mark: if snapshot.services.are_marked() { mark } else { 0 },
            before: None,
            after: None,
            service,
            is_call: called.is_some(),
            template: None,
            candidates: Vec::new(),
            is_full: live.is_full(),
        };
        if let (Some(limits), Some((packet, service))) = (&snapshot.source_limits, found)
            && let Some((_, source)) = limits.of(live.hasher(), service, &packet.key)
        {
            shared.sources.copy(&live.sources, source);
        }
        if let (Some(key), Some((packet, _))) = (service, found) {
            let listed = compiler.rehearse(&mut snapshot, key, (worker, packet.key.destination(), now));
            for (id, destination) in listed {
                shared.live.copy(&live.live, id);
                rehearsal.candidates.push((destination, live.load(id)));
            }
        }
        rehearsal.copy_connections(live, &mut engine, template_key.as_ref(), now);
        if rehearsal.is_full {
            shared.table.exhaust(&mut engine.own.local);
        }
        rehearsal.process(&mut engine, &snapshot, arrival);
        Ok(rehearsal)
    }

    fn copy_connections(
        &mut self,
        live: &Shared,
        engine: &mut Engine,
        template: Option<&(FlowKey, Option<CallId>)>,
        now: Ticks,
    ) {
        let Engine { shared, own, .. } = engine;
        let (table, local) = (&shared.table, &mut own.local);
        let key = self.flow.map(|key| if self.is_error { key.reversed() } else { key });
        let found = |key: FlowKey| live.table.peek(&followed(&key), now);
        let hit = key.and_then(|key| found(key).or_else(|| found(announced(&key))));
        let mut copied = None;
        if let Some(id) = template.and_then(|(key, call)| live.table.peek_template(key, call.as_ref(), now)) {
            self.template = live.table.describe(id, now);
            copied = table.copy(local, (&live.table, id), None);
        }
        if let Some(hit) = hit {
            let id = live.table.number_of(hit.entry);
            self.before = id.and_then(|id| live.table.describe(id, now));
            let (destination, _) = hit.entry.destination_id();
            shared.live.copy(&live.live, destination);
            let controller =
                hit.entry.controller().and_then(|id| copied.or_else(|| table.copy(local, (&live.table, id), None)));
            id.and_then(|id| table.copy(local, (&live.table, id), controller));
            if hit.control.has(Control::NO_CPORT) {
                shared.announce();
            }
        }
    }

    fn process(&mut self, engine: &mut Engine, snapshot: &Snapshot, Arrival { ingress, now, .. }: Arrival) {
        let mut verdicts = [Verdict::Wait];
        engine.process(snapshot, now, ingress, std::slice::from_mut(&mut self.frame), &mut verdicts);
        self.verdict = verdicts[0];
        let key = self.flow.map(|key| if self.is_error { key.reversed() } else { key });
        self.after = key.and_then(|key| engine.connection(&followed(&key), now));
    }
}

/// The service whose real server begins a call with a packet, and the packet as the client's request would be.
fn called<'a>(cx: &Context<'a>, frame: &[u8], packet: Packet) -> Option<(Packet, &'a ServiceView)> {
    let Called { service, persistence, request, .. } = cx.called(&packet)?;
    let packet = Packet { key: request, ..packet };
    // What is not of a call goes as it is.
    call_of(&MemoryFrame::new(frame), &packet, persistence).ok()?;
    Some((packet, service))
}

/// The packet of a frame, or the one that it quotes as an ICMP error.
fn described(frame: &[u8]) -> (Option<Packet>, bool) {
    let mut packet = Packet::default();
    match parse_any(frame, &mut packet) {
        Kind::Flow => (Some(packet), false),
        // A first one has the ports; of those that follow nothing is known here.
        Kind::Fragment if fragment::describe(frame, &mut packet).is_some_and(|one| one.offset == 0) => {
            (Some(packet), false)
        }
        // They belong to the connection of their keys' agreement, wherever they were cut.
        Kind::OtherProtocol | Kind::Fragment if is_ipsec(&packet.key) => (Some(packet), false),
        Kind::Icmp => (Quoted::of(frame, &packet).map(|quoted| Packet { key: quoted.key, ..packet }), true),
        _ => (None, false),
    }
}
