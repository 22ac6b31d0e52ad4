//! Every cell of IPVS's TCP state tables (ipvs-facts B.3).

use etherparse::{PacketBuilder, TcpHeader};
use ulvs_model::{ForwardMethod, Protocol, Sysctls};
use ulvs_wire::tcp;

use super::cells::{CLIENT, Cell, End, NOW, VIP, director, key};
use crate::engine::Engine;
use crate::frame::MemoryFrame;
use crate::proto::State;
use crate::snapshot::{DestinationId, PortId};
use crate::verdict::{DropReason, PuntReason, Verdict};

fn flags(event: &str) -> u8 {
    match event {
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

fn packet(flags: u8, from: End, to: End) -> MemoryFrame {
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

#[test]
fn every_cell_is_the_kernels() {
    let cells: Vec<Cell> = serde_json::from_str(include_str!("../../../tests/vectors/tcp-states.json")).unwrap();
    for cell in &cells {
        cell.play(Protocol::Tcp, |from, to| packet(flags(&cell.event), from, to));
    }
    assert_eq!(cells.len(), 726);
}

/// `conn_reuse_mode` 1, beside the recorded cells: the old connection ends, and a SYN begins the next.
#[test]
fn a_port_used_again_begins_a_new_connection() {
    for (from, flags, verdict, left) in [
        (State::TimeWait, tcp::SYN, Verdict::Forward(PortId(0)), 1),
        (State::Close, tcp::SYN | tcp::ACK, Verdict::Forward(PortId(0)), 1),
        (State::Close, tcp::SYN | tcp::RST, Verdict::Punt(PuntReason::NoConnection), 0),
    ] {
        let (mut engine, snapshot) = director(Protocol::Tcp, ForwardMethod::Nat, Sysctls::default());
        let mut verdicts = [Verdict::Drop(DropReason::NoTap)];
        engine.process(&snapshot, NOW, PortId(0), &mut [packet(tcp::SYN, CLIENT, VIP)], &mut verdicts);
        let find = |engine: &Engine| {
            let (table, key) = (&engine.shared.table, key(Protocol::Tcp));
            table.search(table.home(&key), &key).map(|hit| table.number_of(hit.entry).unwrap())
        };
        let id = find(&engine).unwrap();
        engine.shared.table.entry(id).swap_control(|control| Some(control.with_state(from)));
        engine.process(&snapshot, NOW, PortId(0), &mut [packet(flags, CLIENT, VIP)], &mut verdicts);
        assert_eq!(verdicts, [verdict], "{from:?} {flags:#x}");
        assert_eq!(engine.counters().connections_ended.get(), 1);
        assert_eq!(engine.shared.load(DestinationId(0)).total, left);
        assert_eq!(find(&engine).map(|now| now != id), (left == 1).then_some(true));
    }
}
