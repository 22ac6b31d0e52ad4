use std::net::SocketAddr;

use etherparse::PacketBuilder;
use proptest::prelude::*;
use ulvs_wire::{Kind, parse};

use super::*;
use crate::frame::MemoryFrame;

fn frame(family: Family, options: &[u8], text: &[u8]) -> (MemoryFrame, Packet) {
    let ends: [SocketAddr; 2] = match family {
        Family::V4 => ["10.0.2.11:21".parse().unwrap(), "10.9.3.1:41000".parse().unwrap()],
        Family::V6 => ["[2001:db8:2::11]:21".parse().unwrap(), "[2001:db8:9::1]:41000".parse().unwrap()],
    };
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let builder = match ends.map(|end| end.ip()) {
        [std::net::IpAddr::V4(a), std::net::IpAddr::V4(b)] => builder.ipv4(a.octets(), b.octets(), 64),
        [std::net::IpAddr::V6(a), std::net::IpAddr::V6(b)] => builder.ipv6(a.octets(), b.octets(), 64),
        _ => unreachable!(),
    };
    let mut bytes = Vec::new();
    let builder = builder.tcp(21, 41000, 5000, 1024).ack(900).options_raw(options).unwrap();
    builder.write(&mut bytes, text).unwrap();
    let mut packet = Packet::default();
    assert_eq!(parse(&bytes, &mut packet), Kind::Flow);
    // As short frames come from a wire.
    bytes.extend_from_slice(&[0; 6]);
    (MemoryFrame::new(&bytes), packet)
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::V4), Just(Family::V6)]
}

proptest! {
    /// Any part of any text, by a longer or shorter one: the packet is whole and says what it should.
    #[test]
    fn text_is_replaced(
        family in family(), text in prop::collection::vec(any::<u8>(), 1..300), by in prop::collection::vec(any::<u8>(), 0..24),
        at: prop::sample::Index, len in 0usize..24,
    ) {
        let (mut frame, mut packet) = frame(family, &[], &text);
        let at = at.index(text.len());
        let range = at..(at + len).min(text.len());
        let begins = super::text(&frame, &packet).start;
        let place = begins + range.start..begins + range.end;
        prop_assert!(replace(&mut frame, &mut packet, place, &by));
        let mut want = text;
        want.splice(range, by);
        prop_assert!(verifies(&frame, &packet));
        prop_assert_eq!(&frame.bytes()[super::text(&frame, &packet)], &want[..]);
        prop_assert_eq!(frame.bytes().len(), end(&packet), "no padding is left");
        let mut parsed = Packet::default();
        prop_assert_eq!(parse(frame.bytes(), &mut parsed), Kind::Flow);
        prop_assert_eq!(parsed, packet);
    }

    /// Options of any bytes: the header's checksum stays right.
    #[test]
    fn numbers_are_shifted(family in family(), options in prop::collection::vec(any::<u8>(), 0..10), change in -8i8..9) {
        let options = [&options[..], &vec![0; options.len().next_multiple_of(4) - options.len()]].concat();
        let (mut frame, packet) = frame(family, &options, b"NOOP\r\n");
        let shift = Shift::default().with_change(1, change).unwrap();
        shift_request(&mut frame, &packet, shift);
        prop_assert!(verifies(&frame, &packet));
        shift_reply(&mut frame, &packet, shift);
        prop_assert!(verifies(&frame, &packet));
        prop_assert_eq!(sequence(&frame, &packet), 5000u32.wrapping_add_signed(change.into()));
    }
}

/// A frame without room in front stays as it is.
#[test]
fn no_room_changes_nothing() {
    let (mut frame, mut packet) = frame(Family::V4, &[], b"227");
    assert!(frame.prepend(MemoryFrame::HEADROOM - 2));
    assert!(!replace(&mut frame, &mut packet, 54..55, b"2222"));
}
