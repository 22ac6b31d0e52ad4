//! A cell of IPVS's state tables as a running kernel showed it: a connection is put into a state, one packet is played, and
//! state, timeout and active counter must be what they were there.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Deserialize;
use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Protocol, SchedulerKind, Service, ServiceKey, Sysctls, Thresholds,
    Weight,
};
use ulvs_wire::{Family, FlowKey};

use super::super::Engine;
use crate::conn::{Helper, NewConnection, Role};
use crate::frame::MemoryFrame;
use crate::live::Load;
use crate::proto::{Path, State};
use crate::shared::{Capacity, Shared};
use crate::snapshot::{Compiler, DestinationId, Neighbour, Network, Port, PortId, Route, Snapshot};
use crate::time::{Ticks, ticks};
use crate::verdict::{DropReason, Verdict};

/// An address and a port.
pub(super) type End = ([u8; 4], u16);

pub(super) const CLIENT: End = ([10, 9, 3, 1], 7020);
pub(super) const VIP: End = ([10, 0, 1, 100], 80);
const SERVER: End = ([10, 0, 2, 11], 8080);
pub(super) const NOW: Ticks = Ticks::from_seconds(50);

#[derive(Debug, Deserialize)]
pub(super) struct Cell {
    /// TCP has two.
    #[serde(default)]
    table: String,
    dir: String,
    pub(super) event: String,
    state_from: String,
    state_to: String,
    /// Seconds left within a second after the packet: one less than the timeout.
    expires: u32,
}

impl Cell {
    fn path(&self) -> Path {
        match self.dir.as_str() {
            "IN" => Path::Input,
            "OUT" => Path::Output,
            "IO" => Path::InputOnly,
            other => panic!("{other}"),
        }
    }

    /// Plays the packet that `packet` makes of its two ends through the whole engine.
    ///
    /// # Panics
    /// If state, ticks left or load are not the kernel's.
    pub(super) fn play(&self, protocol: Protocol, packet: impl Fn(End, End) -> MemoryFrame) {
        let (from, to) = (state(protocol, &self.state_from), state(protocol, &self.state_to));
        let timeout = ticks(self.expires + 1);
        let load = Load { active: u32::from(to.is_active()), total: 1, overloaded: false };
        let frame = match self.path() {
            Path::Output => packet(SERVER, CLIENT),
            _ => packet(CLIENT, VIP),
        };
        assert_eq!(self.through_the_engine(protocol, from, frame), (to, Some(timeout), load), "{self:?}");
    }

    fn through_the_engine(&self, protocol: Protocol, from: State, frame: MemoryFrame) -> (State, Option<u32>, Load) {
        let method = if self.path() == Path::InputOnly { ForwardMethod::Dr } else { ForwardMethod::Nat };
        let secure_tcp = if self.table == "secure" { 3 } else { 0 };
        // As they were recorded.
        let sysctls = Sysctls { secure_tcp, conn_reuse_mode: 0, ..Sysctls::default() };
        let (mut engine, snapshot) = director(protocol, method, sysctls);
        let destination = DestinationId(0);
        let new = NewConnection {
            key: key(protocol),
            method,
            destination,
            generation: snapshot.destinations.get(destination).generation(),
            address: address(SERVER).ip().into(),
            family: Family::V4,
            port: if method == ForwardMethod::Nat { SERVER.1 } else { VIP.1 },
            role: Role::Single,
            helper: Helper::None,
            paired: false,
        };
        let table = &engine.shared.table;
        // A tick ago: within one a timeout is that of the state in any case.
        let before = Ticks(NOW.0 - 1);
        let id = table.insert(&mut engine.own.local, (table.home(&new.key), &new), from, before, ticks(200)).unwrap();
        engine.shared.live.opened(destination, from.is_active());
        let mut verdicts = [Verdict::Drop(DropReason::NoTap)];
        engine.process(&snapshot, NOW, PortId(0), &mut [frame], &mut verdicts);
        assert_eq!(verdicts, [Verdict::Forward(PortId(0))], "{self:?}");
        assert_eq!(engine.counters().connections_made.get(), 0, "{self:?}");
        let entry = engine.shared.table.entry(id);
        (entry.control().state(), entry.expires_in(NOW), engine.shared.load(destination))
    }
}

/// The state of this name: two protocols have an ESTABLISHED.
fn state(protocol: Protocol, name: &str) -> State {
    let mut known = State::ALL.into_iter().filter(|state| state.name() == name);
    let found = if protocol == Protocol::Sctp { known.next_back() } else { known.next() };
    found.unwrap_or_else(|| panic!("{name}"))
}

fn address((ip, port): End) -> SocketAddr {
    (ip, port).into()
}

/// One port, one service, one destination.
pub(super) fn director(protocol: Protocol, method: ForwardMethod, sysctls: Sysctls) -> (Engine, Snapshot) {
    let shared = Arc::new(Shared::new(Capacity { connections: 64, destinations: 4, workers: 1 }, [1, 2, 3]).unwrap());
    let mut compiler = Compiler::new(Arc::clone(&shared));
    let neighbour = |ip: [u8; 4]| Neighbour { port: PortId(0), address: ip.into(), mac: [2, 0, 0, 0, 0, ip[3]] };
    compiler.set_network(&Network {
        ports: vec![Port { mac: [2; 6], mtu: 1500 }],
        routes: vec![Route {
            prefix: "10.0.0.0/8".parse().unwrap(),
            port: Some(PortId(0)),
            via: None,
            source: None,
            mtu: None,
        }],
        neighbours: vec![neighbour(CLIENT.0), neighbour(SERVER.0)],
        addresses: vec![(PortId(0), "10.0.1.1/24".parse().unwrap())],
    });
    let mut service = Service::new(ServiceKey::new(protocol, address(VIP)), SchedulerKind::Rr).unwrap();
    service
        .add(Destination {
            address: address(SERVER),
            method,
            encapsulation: Encapsulation::default(),
            weight: Weight::default(),
            thresholds: Thresholds::default(),
        })
        .unwrap();
    compiler.add_service(&service).unwrap();
    compiler.set_sysctls(sysctls);
    let snapshot = compiler.snapshot();
    (Engine::new(shared, 0), snapshot)
}

pub(super) fn key(protocol: Protocol) -> FlowKey {
    let [client, vip] = [CLIENT, VIP].map(|end| (address(end).ip().into(), end.1));
    FlowKey::new(protocol.number(), Family::V4, client, vip)
}
