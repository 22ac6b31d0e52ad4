//! From bytes to offsets and a flow key, with every bound proved once.

use zerocopy::FromBytes;

use crate::ethernet::{self, EthernetHeader};
use crate::flow::{Address, Family, FlowKey};
use crate::ipv4::{self, Ipv4Header};
use crate::ipv6::{self, Ipv6Header};
use crate::tcp::{self, TcpHeader};
use crate::udp::{self, UdpHeader};
use crate::{checksum, icmp};

/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;
/// Extension headers that are skipped before a packet counts as malformed.
const MAX_EXTENSIONS: usize = 8;

/// A TCP or UDP packet, whole and with its headers where it says.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Addresses, ports and protocol.
    pub key: FlowKey,
    /// Offset of the IP header in the frame.
    pub l3: u16,
    /// Offset of the TCP or UDP header in the frame.
    pub l4: u16,
    /// Bytes of the IP packet, without Ethernet header and padding.
    pub ip_len: u16,
    /// TTL or hop limit as it came in.
    pub ttl: u8,
    /// TCP flags; 0 for UDP.
    pub tcp_flags: u8,
    /// IPv4 with DF.
    pub dont_fragment: bool,
}

/// What a frame is.
#[derive(Clone, Copy, Debug)]
pub enum Parsed {
    /// A TCP or UDP packet.
    Flow(Packet),
    /// A fragment of an IP packet to this address.
    Fragment(Address, Family),
    /// ICMP or ICMPv6.
    Icmp,
    /// IP with some other protocol.
    OtherProtocol,
    /// ARP.
    Arp,
    /// Neither IP nor ARP.
    OtherEtherType,
    /// Broken.
    Malformed(Malformed),
}

/// How a frame is broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Malformed {
    /// Shorter than its headers, or than they say.
    Truncated,
    /// IP version, header length or total length make no sense.
    BadIpHeader,
    /// IPv4 header checksum does not verify.
    BadIpChecksum,
    /// The TCP or UDP header is cut off, or says it is longer than the packet.
    BadTransportHeader,
}

/// Says what `frame` is, beginning with the Ethernet header.
#[inline]
pub fn parse(frame: &[u8]) -> Parsed {
    let Ok((ethernet, rest)) = EthernetHeader::ref_from_prefix(frame) else {
        return Parsed::Malformed(Malformed::Truncated);
    };
    match ethernet.ether_type.get() {
        ethernet::TYPE_IPV4 => ipv4(rest),
        ethernet::TYPE_IPV6 => ipv6(rest),
        ethernet::TYPE_ARP => Parsed::Arp,
        _ => Parsed::OtherEtherType,
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "header_len is at most 60")]
fn ipv4(bytes: &[u8]) -> Parsed {
    let Ok((header, _)) = Ipv4Header::ref_from_prefix(bytes) else {
        return Parsed::Malformed(Malformed::Truncated);
    };
    let header_len = header.header_len();
    let ip_len = header.total_len.get();
    if header.version_ihl >> 4 != 4 || header_len < ipv4::HEADER_LEN || usize::from(ip_len) < header_len {
        return Parsed::Malformed(Malformed::BadIpHeader);
    }
    let Some(packet) = bytes.get(..usize::from(ip_len)) else {
        return Parsed::Malformed(Malformed::Truncated);
    };
    if checksum::fold(checksum::add(0, &packet[..header_len])) != 0xffff {
        return Parsed::Malformed(Malformed::BadIpChecksum);
    }
    let fragment = header.fragment.get();
    if fragment & ipv4::FRAGMENT_MASK != 0 {
        return Parsed::Fragment(Address::v4(header.destination.get()), Family::V4);
    }
    let partial = Packet {
        key: FlowKey {
            source: Address::v4(header.source.get()),
            destination: Address::v4(header.destination.get()),
            source_port: 0,
            destination_port: 0,
            protocol: header.protocol,
            family: Family::V4,
        },
        l3: ethernet::HEADER_LEN as u16,
        l4: (ethernet::HEADER_LEN + header_len) as u16,
        ip_len,
        ttl: header.ttl,
        tcp_flags: 0,
        dont_fragment: fragment & ipv4::DONT_FRAGMENT != 0,
    };
    transport(partial, &packet[header_len..])
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "offsets are within a packet of at most 65,575 bytes, checked below"
)]
fn ipv6(bytes: &[u8]) -> Parsed {
    let Ok((header, rest)) = Ipv6Header::ref_from_prefix(bytes) else {
        return Parsed::Malformed(Malformed::Truncated);
    };
    if header.version_class_flow.get() >> 28 != 6 {
        return Parsed::Malformed(Malformed::BadIpHeader);
    }
    let Some(payload) = rest.get(..usize::from(header.payload_len.get())) else {
        return Parsed::Malformed(Malformed::Truncated);
    };
    let ip_len = ipv6::HEADER_LEN + payload.len();
    if ethernet::HEADER_LEN + ip_len > usize::from(u16::MAX) {
        return Parsed::Malformed(Malformed::BadIpHeader);
    }
    let destination = Address(u128::from_be_bytes(header.destination));
    let (protocol, skipped) = match skip_extensions(header.next_header, payload) {
        Extensions::Transport(protocol, skipped) => (protocol, skipped),
        Extensions::Fragment => return Parsed::Fragment(destination, Family::V6),
        Extensions::Malformed(how) => return Parsed::Malformed(how),
    };
    let partial = Packet {
        key: FlowKey {
            source: Address(u128::from_be_bytes(header.source)),
            destination,
            source_port: 0,
            destination_port: 0,
            protocol,
            family: Family::V6,
        },
        l3: ethernet::HEADER_LEN as u16,
        l4: (ethernet::HEADER_LEN + ipv6::HEADER_LEN + skipped) as u16,
        ip_len: ip_len as u16,
        ttl: header.hop_limit,
        tcp_flags: 0,
        dont_fragment: true,
    };
    transport(partial, &payload[skipped..])
}

enum Extensions {
    Transport(u8, usize),
    Fragment,
    Malformed(Malformed),
}

#[inline]
fn skip_extensions(mut next: u8, payload: &[u8]) -> Extensions {
    let mut at = 0;
    for _ in 0..MAX_EXTENSIONS {
        match next {
            ipv6::FRAGMENT => return Extensions::Fragment,
            ipv6::HOP_BY_HOP | ipv6::ROUTING | ipv6::DESTINATION_OPTIONS => {}
            _ => return Extensions::Transport(next, at),
        }
        let Some(&[following, words, ..]) = payload.get(at..) else {
            return Extensions::Malformed(Malformed::Truncated);
        };
        // RFC 8200 section 4.3: the length is in 8-byte words, not counting the first.
        at += (usize::from(words) + 1) * 8;
        if at > payload.len() {
            return Extensions::Malformed(Malformed::Truncated);
        }
        next = following;
    }
    Extensions::Malformed(Malformed::BadIpHeader)
}

#[inline]
fn transport(mut packet: Packet, segment: &[u8]) -> Parsed {
    match packet.key.protocol {
        TCP => {
            let Ok((header, _)) = TcpHeader::ref_from_prefix(segment) else {
                return Parsed::Malformed(Malformed::BadTransportHeader);
            };
            let header_len = usize::from(header.data_offset >> 4) * 4;
            if header_len < tcp::HEADER_LEN || header_len > segment.len() {
                return Parsed::Malformed(Malformed::BadTransportHeader);
            }
            packet.key.source_port = header.source_port.get();
            packet.key.destination_port = header.destination_port.get();
            packet.tcp_flags = header.flags;
            Parsed::Flow(packet)
        }
        UDP => {
            let Ok((header, _)) = UdpHeader::ref_from_prefix(segment) else {
                return Parsed::Malformed(Malformed::BadTransportHeader);
            };
            let length = usize::from(header.length.get());
            // RFC 2675 jumbograms (length 0) don't fit a frame.
            if length < udp::HEADER_LEN || length > segment.len() {
                return Parsed::Malformed(Malformed::BadTransportHeader);
            }
            packet.key.source_port = header.source_port.get();
            packet.key.destination_port = header.destination_port.get();
            Parsed::Flow(packet)
        }
        icmp::PROTOCOL if packet.key.family == Family::V4 => Parsed::Icmp,
        icmp::PROTOCOL_V6 if packet.key.family == Family::V6 => Parsed::Icmp,
        _ => Parsed::OtherProtocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

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
        #[test]
        fn no_bytes_make_it_panic(frame in prop::collection::vec(any::<u8>(), 0..200), v6: bool) {
            let _ = parse(&frame);
            let mut frame = frame;
            if frame.len() > 14 {
                frame[12..14].copy_from_slice(if v6 { &[0x86, 0xdd] } else { &[8, 0] });
                frame[14] = if v6 { 0x60 } else { 0x45 };
                let _ = parse(&frame);
            }
        }

        #[test]
        fn agrees_with_etherparse_on_tcp(
            source: [u8; 4], destination: [u8; 4], ports: (u16, u16), payload in prop::collection::vec(any::<u8>(), 0..99),
        ) {
            let frame = tcp_v4(source, destination, ports, &payload);
            let Parsed::Flow(packet) = parse(&frame) else { panic!("not a flow") };
            prop_assert_eq!(packet.key.source, Address::v4(u32::from_be_bytes(source)));
            prop_assert_eq!(packet.key.destination, Address::v4(u32::from_be_bytes(destination)));
            prop_assert_eq!((packet.key.source_port, packet.key.destination_port), ports);
            prop_assert_eq!((packet.l3, packet.l4, packet.tcp_flags, packet.ttl), (14, 34, tcp::SYN, 64));
            prop_assert_eq!(usize::from(packet.ip_len) + 14, frame.len());
        }

        #[test]
        fn agrees_with_etherparse_on_udp_over_ipv6(
            source: [u8; 16], destination: [u8; 16], ports: (u16, u16), payload in prop::collection::vec(any::<u8>(), 0..99),
        ) {
            let frame = udp_v6(source, destination, ports, &payload);
            let Parsed::Flow(packet) = parse(&frame) else { panic!("not a flow") };
            prop_assert_eq!(packet.key.source, Address(u128::from_be_bytes(source)));
            prop_assert_eq!((packet.key.source_port, packet.key.destination_port), ports);
            prop_assert_eq!((packet.l4, packet.ttl), (54, 9));
        }
    }

    /// Whatever is cut off the end of a frame: never a flow, and never a panic.
    #[test]
    fn every_truncation_is_seen() {
        for frame in [tcp_v4([10, 0, 0, 1], [10, 0, 0, 2], (1, 2), b"data"), udp_v6([1; 16], [2; 16], (1, 2), b"data")]
        {
            for len in 0..frame.len() {
                let parsed = parse(&frame[..len]);
                assert!(matches!(parsed, Parsed::Malformed(_)), "{len} of {}: {parsed:?}", frame.len());
            }
            assert!(matches!(parse(&frame), Parsed::Flow(_)));
        }
    }

    #[test]
    fn padding_is_not_part_of_the_packet() {
        let mut frame = tcp_v4([10, 0, 0, 1], [10, 0, 0, 2], (1, 2), b"");
        frame.resize(60, 0xaa);
        let Parsed::Flow(packet) = parse(&frame) else { panic!("not a flow") };
        assert_eq!(packet.ip_len, 40);
    }

    #[test]
    fn a_wrong_ip_checksum_is_seen() {
        let mut frame = tcp_v4([10, 0, 0, 1], [10, 0, 0, 2], (1, 2), b"");
        frame[24] ^= 1;
        assert!(matches!(parse(&frame), Parsed::Malformed(Malformed::BadIpChecksum)));
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
        let Parsed::Flow(packet) = parse(&options) else { panic!("not a flow") };
        assert_eq!((packet.l4, packet.key.source_port), (62, 53));
        let fragment = with(ipv6::FRAGMENT, [UDP, 0, 0, 1, 0, 0, 0, 9]);
        assert!(matches!(parse(&fragment), Parsed::Fragment(to, Family::V6) if to == packet.key.destination));
    }
}
