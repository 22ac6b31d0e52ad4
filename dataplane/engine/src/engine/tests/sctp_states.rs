//! Every cell of IPVS's SCTP state table (ipvs-facts B.4).

use etherparse::PacketBuilder;
use ulvs_model::{ForwardMethod, Protocol, Sysctls};
use ulvs_wire::sctp;

use super::cells::{CLIENT, Cell, End, NOW, VIP, director, key};
use crate::frame::MemoryFrame;
use crate::proto::State;
use crate::snapshot::{DestinationId, PortId};
use crate::verdict::{DropReason, PuntReason, Verdict};

const INIT: u8 = 1;
const ABORT: u8 = 6;

/// Types of the chunks of an event's packet, each of them without a value.
fn chunks(event: &str) -> &'static [u8] {
    match event {
        "d" => &[0],
        "d.sack" => &[3],
        "d.hb" => &[4],
        "d.hback" => &[5],
        "d.ecne" => &[12],
        "d.cwr" => &[13],
        "d.unknown" => &[63],
        "d.data+ab" => &[0, ABORT],
        "i" => &[INIT],
        "i_a" => &[2],
        "c_e" => &[10],
        "c_e.ce+data" => &[10, 0],
        "c_a" => &[11],
        "s" => &[7],
        "s_a" => &[8],
        "s_c" => &[14],
        "err" => &[9],
        "ab" => &[ABORT],
        "ab.ce+ab" => &[10, ABORT],
        "ab.ca+ab" => &[11, ABORT],
        other => panic!("{other}"),
    }
}

fn packet(chunks: &[u8], from: End, to: End) -> MemoryFrame {
    let mut segment = [&from.1.to_be_bytes()[..], &to.1.to_be_bytes(), &[0; 8]].concat();
    segment.extend(chunks.iter().flat_map(|&kind| [kind, 0, 0, 4]));
    let sum = sctp::checksum(&segment);
    segment[8..12].copy_from_slice(&sum);
    let mut bytes = Vec::new();
    let start = PacketBuilder::ethernet2([9; 6], [2; 6]).ipv4(from.0, to.0, 64);
    start.write(&mut bytes, etherparse::ip_number::SCTP, &segment).unwrap();
    MemoryFrame::new(&bytes)
}

#[test]
fn every_cell_is_the_kernels() {
    let cells: Vec<Cell> = serde_json::from_str(include_str!("../../../tests/vectors/sctp-states.json")).unwrap();
    for cell in &cells {
        cell.play(Protocol::Sctp, |from, to| packet(chunks(&cell.event), from, to));
    }
    assert_eq!(cells.len(), 840);
}

/// ipvs-facts B.5, step 5: a closed association ends, and an INIT begins the next; by `conn_reuse_mode` 0 it goes on.
#[test]
fn a_port_used_again_begins_a_new_connection() {
    for (mode, from, is_new) in [(1, State::Closed, true), (0, State::Closed, false), (1, State::Rejected, false)] {
        let sysctls = Sysctls { conn_reuse_mode: mode, ..Sysctls::default() };
        let (mut engine, snapshot) = director(Protocol::Sctp, ForwardMethod::Nat, sysctls);
        let mut verdicts = [Verdict::Drop(DropReason::NoTap)];
        engine.process(&snapshot, NOW, PortId(0), &mut [packet(&[INIT], CLIENT, VIP)], &mut verdicts);
        let key = key(Protocol::Sctp);
        let found = engine.shared.table.search(engine.shared.table.home(&key), &key).unwrap();
        assert_eq!(found.control.state(), State::Init1);
        let id = engine.shared.table.number_of(found.entry);
        found.entry.swap_control(|control| Some(control.with_state(from)));
        engine.process(&snapshot, NOW, PortId(0), &mut [packet(&[INIT], CLIENT, VIP)], &mut verdicts);
        assert_eq!(verdicts, [Verdict::Forward(PortId(0))]);
        let found = engine.shared.table.search(engine.shared.table.home(&key), &key).unwrap();
        assert_eq!(
            (engine.shared.table.number_of(found.entry) != id, engine.counters().connections_ended.get() > 0),
            (is_new, is_new),
            "{mode} {from:?}"
        );
        assert_eq!(engine.shared.load(DestinationId(0)).total, 1);
    }
}

/// ipvs-facts B.5.1: with `sloppy_sctp` anything opens a connection but what begins with ABORT.
#[test]
fn sloppy_sctp() {
    let forwarded = Verdict::Forward(PortId(0));
    let left = Verdict::Punt(PuntReason::NoConnection);
    for (chunks, verdict, state) in [
        (&[0][..], forwarded, Some(State::Associated)),
        (&[10, ABORT], forwarded, Some(State::Closed)),
        (&[ABORT], left, None),
    ] {
        let sysctls = Sysctls { sloppy_sctp: 1, ..Sysctls::default() };
        let (mut engine, snapshot) = director(Protocol::Sctp, ForwardMethod::Nat, sysctls);
        let mut verdicts = [Verdict::Drop(DropReason::NoTap)];
        engine.process(&snapshot, NOW, PortId(0), &mut [packet(chunks, CLIENT, VIP)], &mut verdicts);
        let key = key(Protocol::Sctp);
        let found = engine.shared.table.search(engine.shared.table.home(&key), &key);
        assert_eq!((verdicts[0], found.map(|hit| hit.control.state())), (verdict, state), "{chunks:?}");
    }
}
