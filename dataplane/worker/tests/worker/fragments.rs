//! Fragments on one worker and on two, and packets that are cut.

use ulvs_engine::snapshot::PortId;
use ulvs_engine::{BURST, DropReason, Frame, MemoryFrame, TICKS_PER_SECOND, Ticks};
use ulvs_wire::fragment::Cut;

use crate::frames::{at, datagram_of};
use crate::lab::{Lab, VIP};

/// A datagram from this client in fragments of 600 bytes, without DF.
fn fragments(client: &str, length: usize) -> Vec<MemoryFrame> {
    let frame = without_df(&datagram_of(at(client), at(VIP), &vec![7; length]));
    let cut = Cut::of(&frame, 600, 0).unwrap();
    let one = |number| {
        let mut bytes = cut.parts(&frame, number).concat();
        cut.finish(number, &mut bytes);
        MemoryFrame::new(&bytes)
    };
    (0..cut.count()).map(one).collect()
}

fn without_df(frame: &MemoryFrame) -> Vec<u8> {
    let mut bytes = frame.bytes().to_vec();
    bytes[20..22].fill(0);
    bytes[24..26].fill(0);
    let sum = ulvs_wire::checksum::of(&bytes[14..34]);
    bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn identification(frame: &MemoryFrame) -> u16 {
    u16::from_be_bytes([frame.bytes()[18], frame.bytes()[19]])
}

/// Offsets of fragments, in bytes.
fn offsets(frames: &[MemoryFrame]) -> Vec<u16> {
    let offset = |frame: &MemoryFrame| (u16::from_be_bytes([frame.bytes()[20], frame.bytes()[21]]) & 0x1fff) * 8;
    frames.iter().map(offset).collect()
}

fn drops(lab: &Lab, reason: DropReason) -> u64 {
    lab.shared.drops(reason)
}

#[test]
fn the_last_comes_first_on_another_worker() {
    let mut lab = Lab::new(2, 2);
    let parts = fragments("198.51.100.1:1000", 1600);
    for part in parts[1..].iter().rev() {
        lab.arrive(1, 0, part.clone());
    }
    lab.settle();
    assert_eq!((lab.workers[1].waiting(), lab.sent(1, 1).len()), (2, 0));
    lab.check_sum();
    lab.arrive(0, 0, parts[0].clone());
    lab.settle();
    assert_eq!(offsets(&lab.sent(0, 1)), [0]);
    lab.settle();
    assert_eq!(offsets(&lab.sent(1, 1)), [1152, 576]);
    assert_eq!(lab.workers[1].waiting(), 0);
    lab.check_sum();
}

/// However many wait for the same pass: a bounded number of them goes on in one, in the order they came.
#[test]
fn many_that_waited_go_on_some_in_each_pass() {
    const MANY: u16 = 80;
    let part = |number: u16, at: usize| {
        let client = format!("198.{}.100.1:1000", number / 4);
        let mut bytes = fragments(&client, 1600)[at].bytes().to_vec();
        bytes[18..20].copy_from_slice(&number.to_be_bytes());
        without_checksum(bytes)
    };
    let mut lab = Lab::new(2, 2);
    for number in 0..MANY {
        lab.arrive(1, 0, part(number, 1));
    }
    lab.settle();
    for number in 0..MANY {
        lab.arrive(0, 0, part(number, 0));
    }
    for _ in 0..usize::from(MANY).div_ceil(BURST) {
        lab.pass(0);
    }
    assert_eq!(lab.workers[1].waiting(), MANY.into());
    for left in [64, 48, 32, 16, 0, 0] {
        lab.pass(1);
        assert_eq!(lab.workers[1].waiting(), left);
    }
    assert!(lab.sent(1, 1).iter().map(identification).eq(0..MANY));
    lab.check_sum();
}

#[test]
fn nobody_waits_for_ever() {
    let mut lab = Lab::new(1, 2);
    lab.arrive(0, 0, fragments("198.51.100.1:1000", 1600)[1].clone());
    lab.pass(0);
    lab.now = Ticks(lab.now.0 + TICKS_PER_SECOND - 1);
    lab.pass(0);
    assert_eq!(lab.workers[0].waiting(), 1);
    lab.now = Ticks(lab.now.0 + 1);
    lab.pass(0);
    assert_eq!((lab.workers[0].waiting(), drops(&lab, DropReason::FragmentTimeout)), (0, 1));
    lab.check_sum();
}

/// A source has some of the places only; of many sources the latest have them.
#[test]
fn a_flood_has_bounds() {
    let mut lab = Lab::new(1, 2);
    for number in 0..300u16 {
        let mut part = fragments("198.51.100.1:1000", 1600)[1].bytes().to_vec();
        part[18..20].copy_from_slice(&number.to_be_bytes());
        let part = without_checksum(part);
        lab.arrive(0, 0, part);
    }
    lab.settle();
    assert_eq!((lab.workers[0].waiting(), drops(&lab, DropReason::FragmentQueueFull)), (32, 268));
    for client in 2..200 {
        lab.arrive(0, 0, fragments(&format!("198.51.{client}.1:1000"), 1600)[1].clone());
    }
    lab.arrive(0, 0, fragments("203.0.113.9:1000", 1600)[2].clone());
    lab.settle();
    assert!(lab.workers[0].waiting() <= 256);
    lab.check_sum();
    lab.arrive(0, 0, fragments("203.0.113.9:1000", 1600)[0].clone());
    lab.settle();
    assert_eq!(offsets(&lab.sent(0, 1)), [0, 1152]);
    lab.check_sum();
}

fn without_checksum(mut bytes: Vec<u8>) -> MemoryFrame {
    bytes[24..26].fill(0);
    let sum = ulvs_wire::checksum::of(&bytes[14..34]);
    bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    MemoryFrame::new(&bytes)
}

/// Several in one burst, beside packets that fit and packets that may not be cut.
#[test]
fn packets_are_cut_for_a_narrow_link() {
    let mut lab = Lab::new(1, 2);
    lab.network.ports[1].mtu = 600;
    lab.publish();
    let long = |client: &str| MemoryFrame::new(&without_df(&datagram_of(at(client), at(VIP), &[7; 1400])));
    lab.arrive(0, 0, long("198.51.100.1:1000"));
    lab.arrive(0, 0, datagram_of(at("198.51.100.2:1000"), at(VIP), b"short"));
    lab.arrive(0, 0, datagram_of(at("198.51.100.3:1000"), at(VIP), &[7; 1400]));
    lab.arrive(0, 0, long("198.51.100.4:1000"));
    lab.settle();
    assert_eq!(offsets(&lab.sent(0, 1)), [0, 576, 1152, 0, 0, 576, 1152]);
    assert_eq!((lab.sent(0, 0).len(), drops(&lab, DropReason::TooBig)), (1, 1));
    lab.check_sum();
}

#[test]
fn without_buffers_nothing_is_lost_unseen() {
    let mut lab = Lab::new(1, 2);
    lab.network.ports[1].mtu = 600;
    lab.publish();
    lab.workers[0].io().buffers = 2;
    lab.arrive(0, 0, MemoryFrame::new(&without_df(&datagram_of(at("198.51.100.1:1000"), at(VIP), &[7; 1400]))));
    lab.settle();
    assert_eq!((lab.sent(0, 1).len(), drops(&lab, DropReason::NoBuffer)), (2, 1));
    lab.check_sum();
}

/// A first that waits for the neighbour of its real server, and what follows it, go on together.
#[test]
fn fragments_wait_for_neighbours_too() {
    let mut lab = Lab::unresolved();
    for part in fragments("198.51.100.1:1000", 1600) {
        lab.arrive(0, 0, part);
    }
    lab.settle();
    assert_eq!((lab.workers[0].waiting(), lab.sent(0, PortId(1).0.into()).len()), (3, 0));
    lab.learn_server();
    lab.settle();
    lab.settle();
    assert_eq!(offsets(&lab.sent(0, 1)), [0, 576, 1152]);
    lab.check_sum();
}
