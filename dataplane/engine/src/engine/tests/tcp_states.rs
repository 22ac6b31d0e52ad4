//! Every cell of IPVS's TCP state tables as a running kernel showed it: a connection is put into a state, one packet is
//! played, and state, timeout and active counter must be what they were there.

use std::net::SocketAddr;
use std::sync::Arc;

use etherparse::{PacketBuilder, TcpHeader};
use serde::Deserialize;
use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Protocol, SchedulerKind, Service, ServiceKey, Sysctls, Thresholds,
    Weight,
};
use ulvs_wire::{Family, FlowKey, parse, tcp};

use super::super::Engine;
use crate::conn::{NewConnection, Role};
use crate::frame::MemoryFrame;
use crate::live::Load;
use crate::proto::{Path, State};
use crate::shared::{Capacity, Shared};
use crate::snapshot::{Compiler, DestinationId, Neighbour, Network, Port, PortId, Route, Snapshot};
use crate::time::{Ticks, ticks};
use crate::verdict::{DropReason, Verdict};

const CLIENT: ([u8; 4], u16) = ([10, 9, 3, 1], 7020);
const VIP: ([u8; 4], u16) = ([10, 0, 1, 100], 80);
const SERVER: ([u8; 4], u16) = ([10, 0, 2, 11], 8080);
const NOW: Ticks = Ticks::from_seconds(50);

#[derive(Debug, Deserialize)]
struct Cell {
    table: String,
    dir: String,
    event: String,
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

    fn flags(&self) -> u8 {
        match self.event.as_str() {
            "syn" => tcp::SYN,
            "synack" => tcp::SYN | tcp::ACK,
            "synfin" => tcp::SYN | tcp::FIN,
            "synrst" => tcp::SYN | tcp::RST,
            "fin" => tcp::FIN,
            "finack" => tcp::FIN | tcp::ACK,
            "ack" => tcp::ACK,
            "rst" => tcp::RST,
            "rstack" => tcp::RST | tcp::ACK,
            "psh" => 0x08,
            "none" => 0,
            other => panic!("{other}"),
        }
    }
}

fn state(name: &str) -> State {
    State::ALL.into_iter().find(|s| s.name() == name).unwrap_or_else(|| panic!("{name}"))
}

fn address((ip, port): ([u8; 4], u16)) -> SocketAddr {
    (ip, port).into()
}

/// One port, one service, one destination. The cells were recorded with `conn_reuse_mode` 0.
fn director(method: ForwardMethod, secure: bool, conn_reuse_mode: i32) -> (Engine, Snapshot) {
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
    let mut service = Service::new(ServiceKey::new(Protocol::Tcp, address(VIP)), SchedulerKind::Rr).unwrap();
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
    let secure_tcp = if secure { 3 } else { 0 };
    compiler.set_sysctls(Sysctls { secure_tcp, conn_reuse_mode, ..Sysctls::default() });
    let snapshot = compiler.snapshot();
    (Engine::new(shared, 0), snapshot)
}

fn key() -> FlowKey {
    let [client, vip] = [CLIENT, VIP].map(|end| (address(end).ip().into(), end.1));
    FlowKey::new(parse::TCP, Family::V4, client, vip)
}

fn packet(from: ([u8; 4], u16), to: ([u8; 4], u16), flags: u8) -> MemoryFrame {
    let mut header = TcpHeader::new(from.1, to.1, 1, 1024);
    header.fin = flags & tcp::FIN != 0;
    header.syn = flags & tcp::SYN != 0;
    header.rst = flags & tcp::RST != 0;
    header.psh = flags & 0x08 != 0;
    header.ack = flags & tcp::ACK != 0;
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([9; 6], [2; 6]).ipv4(from.0, to.0, 64).tcp_header(header).write(&mut bytes, b"").unwrap();
    MemoryFrame::new(&bytes)
}

/// State, ticks left and load after the cell's packet went through the whole engine.
fn through_the_engine(cell: &Cell, from: State) -> (State, Option<u32>, Load) {
    let method = if cell.path() == Path::InputOnly { ForwardMethod::Dr } else { ForwardMethod::Nat };
    let (mut engine, snapshot) = director(method, cell.table == "secure", 0);
    let destination = DestinationId(0);
    let new = NewConnection {
        key: key(),
        method,
        destination,
        generation: snapshot.destinations.get(destination).generation,
        address: address(SERVER).ip().into(),
        family: Family::V4,
        port: if method == ForwardMethod::Nat { SERVER.1 } else { VIP.1 },
        role: Role::Single,
    };
    let table = &engine.shared.table;
    let id = table.insert(&mut engine.own.local, (table.home(&new.key), &new), from, NOW, ticks(200)).unwrap();
    engine.shared.live.opened(destination, from.is_active());
    let frame = match cell.path() {
        Path::Output => packet(SERVER, CLIENT, cell.flags()),
        _ => packet(CLIENT, VIP, cell.flags()),
    };
    let mut verdicts = [Verdict::Drop(DropReason::NoTap)];
    engine.process(&snapshot, NOW, PortId(0), &mut [frame], &mut verdicts);
    assert_eq!(verdicts, [Verdict::Forward(PortId(0))], "{cell:?}");
    assert_eq!(engine.counters().connections_made.get(), 0, "{cell:?}");
    let entry = engine.shared.table.entry(id);
    (entry.control().state(), entry.expires_in(NOW), engine.shared.load(destination))
}

#[test]
fn every_cell_is_the_kernels() {
    let cells: Vec<Cell> = serde_json::from_str(include_str!("../../../tests/vectors/tcp-states.json")).unwrap();
    for cell in &cells {
        let (from, to) = (state(&cell.state_from), state(&cell.state_to));
        let timeout = ticks(cell.expires + 1);
        let load = Load { active: u32::from(to.is_active()), total: 1, overloaded: false };
        assert_eq!(through_the_engine(cell, from), (to, Some(timeout), load), "{cell:?}");
    }
    assert_eq!(cells.len(), 726);
}

/// `conn_reuse_mode` 1, beside the recorded cells: the old connection ends, and a SYN begins the next.
#[test]
fn a_port_used_again_begins_a_new_connection() {
    for (from, flags, verdict, left) in [
        (State::TimeWait, tcp::SYN, Verdict::Forward(PortId(0)), 1),
        (State::Close, tcp::SYN | tcp::ACK, Verdict::Forward(PortId(0)), 1),
        (State::Close, tcp::SYN | tcp::RST, Verdict::Punt(crate::verdict::PuntReason::NoConnection), 0),
    ] {
        let (mut engine, snapshot) = director(ForwardMethod::Nat, false, 1);
        let mut verdicts = [Verdict::Drop(DropReason::NoTap)];
        engine.process(&snapshot, NOW, PortId(0), &mut [packet(CLIENT, VIP, tcp::SYN)], &mut verdicts);
        let id = engine.shared.table.search(engine.shared.table.home(&key()), &key()).unwrap().id;
        let entry = engine.shared.table.entry(id);
        entry.swap_control(|control| Some(control.with_state(from)));
        engine.process(&snapshot, NOW, PortId(0), &mut [packet(CLIENT, VIP, flags)], &mut verdicts);
        assert_eq!(verdicts, [verdict], "{from:?} {flags:#x}");
        assert_eq!(engine.counters().connections_ended.get(), 1);
        assert_eq!(engine.shared.load(DestinationId(0)).total, left);
        let hit = engine.shared.table.search(engine.shared.table.home(&key()), &key());
        assert_eq!(hit.map(|hit| hit.id != id), (left == 1).then_some(true));
    }
}
