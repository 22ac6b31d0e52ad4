use super::*;
use crate::parse::{Kind, parse};
use crate::{Address, FlowKey, checksum};
use etherparse::PacketBuilder;
use proptest::prelude::*;

fn udp(v6: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let start = PacketBuilder::ethernet2([2; 6], [4; 6]);
    if v6 {
        start.ipv6([1; 16], [2; 16], 9).udp(53, 54).write(&mut frame, payload).unwrap();
    } else {
        start.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(53, 54).write(&mut frame, payload).unwrap();
        unfix(&mut frame, 0);
    }
    frame
}

/// Sets the fragment field of an IPv4 header, and its checksum.
fn unfix(frame: &mut [u8], field: u16) {
    let len = usize::from(frame[14] & 15) * 4;
    frame[20..22].copy_from_slice(&field.to_be_bytes());
    frame[24..26].fill(0);
    let sum = checksum::of(&frame[14..14 + len]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}

fn cut(frame: &[u8], mtu: u16) -> Vec<Vec<u8>> {
    let cut = Cut::of(frame, mtu, 0x0102_0304).unwrap();
    let one = |number| {
        let mut fragment = cut.parts(frame, number).concat();
        cut.finish(number, &mut fragment);
        fragment
    };
    (0..cut.count()).map(one).collect()
}

fn described(frame: &[u8]) -> Option<(Fragment, Packet)> {
    let mut packet = Packet::default();
    assert_eq!(parse(frame, &mut packet), Kind::Fragment);
    describe(frame, &mut packet).map(|fragment| (fragment, packet))
}

/// Put together again, for [`describe`] to say what it was.
fn data(fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut all = Vec::new();
    for bytes in fragments {
        let (fragment, packet) = described(bytes).unwrap();
        let at = usize::from(fragment.offset) * 8;
        all.resize(all.len().max(at + usize::from(fragment.length)), 0);
        all[at..at + usize::from(fragment.length)].copy_from_slice(&bytes[usize::from(packet.l4)..]);
        assert_eq!(fragment.units().start, usize::from(fragment.offset));
    }
    all
}

proptest! {
    /// What was cut makes the packet again, no fragment is longer than it may be, and only the first has ports.
    #[test]
    fn fragments_make_the_packet(payload in prop::collection::vec(any::<u8>(), 200..3000), mtu in 88u16..1500, v6: bool) {
        let frame = udp(v6, &payload);
        let start = if v6 { 54 } else { 34 };
        prop_assume!(frame.len() - 14 > usize::from(mtu));
        let fragments = cut(&frame, mtu);
        prop_assert!(fragments.iter().all(|f| f.len() - 14 <= usize::from(mtu)));
        prop_assert_eq!(&data(&fragments), &frame[start..]);
        for (number, bytes) in fragments.iter().enumerate() {
            let (fragment, packet) = described(bytes).unwrap();
            prop_assert_eq!(fragment.more, number + 1 < fragments.len());
            prop_assert_eq!(packet.key.source_port(), if number == 0 { 53 } else { 0 });
            prop_assert_eq!(fragment.id, if v6 { 0x0102_0304 } else { 0 });
        }
        // A fragment that is too long for a later link is cut again.
        if !v6 {
            let again: Vec<_> = fragments.iter().flat_map(|f| if f.len() - 14 > 68 { cut(f, 68) } else { vec![f.clone()] }).collect();
            prop_assert_eq!(&data(&again), &frame[start..]);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..120), v6: bool, mtu: u16) {
        let mut frame = bytes;
        let mut packet = Packet::default();
        if let Some(first) = frame.get_mut(14) {
            *first = if v6 { 0x60 } else { 0x46 };
        }
        let family = if v6 { Family::V6 } else { Family::V4 };
        packet.key = FlowKey::new(17, family, (Address(0), 0), (Address(0), 0));
        (packet.l3, packet.l4, packet.ip_len) = (14, 34, 60);
        let _ = describe(&frame, &mut packet);
        if let Some(cut) = Cut::of(&frame, mtu, 1) {
            for number in 0..cut.count() {
                let mut fragment = cut.parts(&frame, number).concat();
                cut.finish(number, &mut fragment);
            }
        }
    }
}

/// RFC 1858, RFC 3128: no TCP header is spread over fragments or written over.
#[test]
fn tiny_fragments_are_told() {
    let mut frame = Vec::new();
    let start = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
    start.tcp(53, 54, 7, 1024).syn().write(&mut frame, &[0; 300]).unwrap();
    unfix(&mut frame, 0);
    let small = cut(&frame, 36);
    assert!(described(&small[0]).is_none(), "16 bytes of a TCP header");
    assert!(described(&small[1]).is_none(), "the rest of it");
    assert!(described(&small[2]).is_some());
    let (fragment, packet) = described(&cut(&frame, 44)[0]).unwrap();
    assert_eq!((packet.key.destination_port(), packet.signal, fragment.length), (54, tcp::SYN, 24));
}

#[test]
fn impossible_fragments_are_told() {
    let mut frame = udp(false, &[7; 100]);
    for (field, right) in [(0x2000, false), (0x1fff, false), (0x1ff1, true), (0x0001, true), (0x2001, false)] {
        // 108 bytes: more are to follow only if it were a multiple of eight.
        unfix(&mut frame, field);
        assert_eq!(described(&frame).is_some(), right, "{field:#x}");
    }
}

/// RFC 791: what is not to be copied is in the first fragment only.
#[test]
fn options_are_copied_as_they_say() {
    let mut frame = udp(false, &[7; 100]);
    // Record route (not copied), security (copied), end.
    let options = [7, 3, 4, 0x82, 4, 9, 9, 0];
    frame.splice(34..34, options);
    frame[14] = 0x47;
    let len = u16::try_from(frame.len() - 14).unwrap();
    frame[16..18].copy_from_slice(&len.to_be_bytes());
    unfix(&mut frame, 0);
    let fragments = cut(&frame, 68);
    assert_eq!(fragments[0][34..42], options);
    assert_eq!(fragments[1][34..42], [1, 1, 1, 0x82, 4, 9, 9, 0]);
}
