use super::*;
use etherparse::PacketBuilder;
use proptest::prelude::*;

fn kind(frame: &[u8]) -> Kind {
    parse(frame, &mut Packet::default())
}

fn flow(frame: &[u8]) -> Packet {
    let mut packet = Packet::default();
    assert_eq!(parse(frame, &mut packet), Kind::Flow);
    packet
}

fn tcp_v4(source: [u8; 4], destination: [u8; 4], ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(source, destination, 64)
        .tcp(ports.0, ports.1, 7, 1024)
        .syn()
        .write(&mut frame, payload)
        .unwrap();
    frame
}

fn udp_v6(source: [u8; 16], destination: [u8; 16], ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv6(source, destination, 9)
        .udp(ports.0, ports.1)
        .write(&mut frame, payload)
        .unwrap();
    frame
}

proptest! {
    /// The short way for plain packets says what the long way says, or nothing.
    #[test]
    fn both_ways_agree(
        mut frame in prop::collection::vec(any::<u8>(), 0..90), tcp: bool, damage in any::<Option<(prop::sample::Index, u8)>>(),
    ) {
        if frame.len() > PLAIN {
            let len = u16::try_from(frame.len() - 14).unwrap();
            frame[12..24].copy_from_slice(&[8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, if tcp { TCP } else { UDP }]);
            frame[16..18].copy_from_slice(&len.to_be_bytes());
            frame[24..26].fill(0);
            frame[46] = 0x50;
            if !tcp {
                frame[38..40].copy_from_slice(&(len - 20).to_be_bytes());
            }
            let sum = checksum::of(&frame[14..34]);
            frame[24..26].copy_from_slice(&sum.to_be_bytes());
            if let Some((at, value)) = damage {
                *at.get_mut(&mut frame) = value;
            }
        }
        let (mut short, mut long) = (Packet::default(), Packet::default());
        let plain = frame.first_chunk().is_some_and(|start| plain_ipv4(start, frame.len(), &mut short));
        let kind = parse_any(&frame, &mut long);
        if plain {
            prop_assert_eq!(kind, Kind::Flow);
            prop_assert_eq!(short, long);
        }
        // Whole and undamaged, it must not take the long way.
        prop_assert!(plain || damage.is_some() || frame.len() <= PLAIN);
    }

    #[test]
    fn no_bytes_make_it_panic(frame in prop::collection::vec(any::<u8>(), 0..200), v6: bool) {
        let _ = kind(&frame);
        let mut frame = frame;
        if frame.len() > 14 {
            frame[12..14].copy_from_slice(if v6 { &[0x86, 0xdd] } else { &[8, 0] });
            frame[14] = if v6 { 0x60 } else { 0x45 };
            let _ = kind(&frame);
        }
    }

    #[test]
    fn agrees_with_etherparse_on_tcp(
        source: [u8; 4], destination: [u8; 4], ports: (u16, u16), payload in prop::collection::vec(any::<u8>(), 0..99),
    ) {
        let frame = tcp_v4(source, destination, ports, &payload);
        let packet = flow(&frame);
        prop_assert_eq!(packet.key.source(), Address::v4(u32::from_be_bytes(source)));
        prop_assert_eq!(packet.key.destination(), Address::v4(u32::from_be_bytes(destination)));
        prop_assert_eq!((packet.key.source_port(), packet.key.destination_port()), ports);
        prop_assert_eq!((packet.l3, packet.l4, packet.signal, packet.ttl), (14, 34, tcp::SYN, 64));
        prop_assert_eq!(usize::from(packet.ip_len) + 14, frame.len());
    }

    #[test]
    fn agrees_with_etherparse_on_udp_over_ipv6(
        source: [u8; 16], destination: [u8; 16], ports: (u16, u16), payload in prop::collection::vec(any::<u8>(), 0..99),
    ) {
        let frame = udp_v6(source, destination, ports, &payload);
        let packet = flow(&frame);
        prop_assert_eq!(packet.key.source(), Address(u128::from_be_bytes(source)));
        prop_assert_eq!((packet.key.source_port(), packet.key.destination_port()), ports);
        prop_assert_eq!((packet.l4, packet.ttl), (54, 9));
    }
}

/// Whatever is cut off the end of a frame: never a flow, and never a panic.
#[test]
fn every_truncation_is_seen() {
    for frame in [tcp_v4([10, 0, 0, 1], [10, 0, 0, 2], (1, 2), b"data"), udp_v6([1; 16], [2; 16], (1, 2), b"data")] {
        for len in 0..frame.len() {
            let parsed = kind(&frame[..len]);
            assert!(matches!(parsed, Kind::Malformed(_)), "{len} of {}: {parsed:?}", frame.len());
        }
        assert_eq!(kind(&frame), Kind::Flow);
    }
}

#[test]
fn padding_is_not_part_of_the_packet() {
    let mut frame = tcp_v4([10, 0, 0, 1], [10, 0, 0, 2], (1, 2), b"");
    frame.resize(60, 0xaa);
    let packet = flow(&frame);
    assert_eq!(packet.ip_len, 40);
}

#[test]
fn a_wrong_ip_checksum_is_seen() {
    let mut frame = tcp_v4([10, 0, 0, 1], [10, 0, 0, 2], (1, 2), b"");
    frame[24] ^= 1;
    assert_eq!(kind(&frame), Kind::Malformed(Malformed::BadIpChecksum));
}

#[test]
fn extension_headers_are_skipped_and_fragments_told() {
    let plain = udp_v6([1; 16], [2; 16], (53, 54), b"x");
    let with = |next: u8, extension: [u8; 8]| {
        let mut frame = plain.clone();
        frame[20] = next;
        frame.splice(54..54, extension);
        let len = u16::from_be_bytes([frame[18], frame[19]]) + 8;
        frame[18..20].copy_from_slice(&len.to_be_bytes());
        frame
    };
    let options = with(ipv6::HOP_BY_HOP, [UDP, 0, 1, 4, 0, 0, 0, 0]);
    let packet = flow(&options);
    assert_eq!((packet.l4, packet.key.source_port()), (62, 53));
    let fragment = with(ipv6::FRAGMENT, [UDP, 0, 0, 1, 0, 0, 0, 9]);
    let mut parsed = Packet::default();
    assert_eq!(parse(&fragment, &mut parsed), Kind::Fragment);
    assert_eq!(parsed.key.destination(), packet.key.destination());
}

/// Behind a routing header stands no flow of this destination until no segment is left.
#[test]
fn a_packet_on_its_way_is_no_flow() {
    let mut frame = udp_v6([1; 16], [2; 16], (53, 54), b"x");
    frame[20] = ipv6::ROUTING;
    frame[19] += 8;
    frame.splice(54..54, [UDP, 0, 4, 1, 0, 0, 0, 0]);
    assert_eq!(kind(&frame), Kind::OtherProtocol);
    frame[57] = 0;
    assert_eq!(flow(&frame).l4, 62);
}
