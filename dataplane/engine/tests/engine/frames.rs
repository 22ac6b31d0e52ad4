//! IP packets made by etherparse, and their checksums verified by it.

use std::net::{IpAddr, SocketAddr};

use etherparse::{IpHeaders, NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use ulvs_model::Protocol;

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// Who talks to whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Flow {
    pub(crate) protocol: Protocol,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
}

impl Flow {
    pub(crate) fn new(protocol: Protocol, source: &str, destination: &str) -> Self {
        Self { protocol, source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    pub(crate) const fn reversed(self) -> Self {
        Self { protocol: self.protocol, source: self.destination, destination: self.source }
    }

    /// A packet of the flow. TCP flags count for TCP, and mean for SCTP: INIT, INIT ACK, ABORT, and else DATA.
    pub(crate) fn packet(&self, flags: u8, payload: &[u8]) -> Vec<u8> {
        match self.protocol {
            Protocol::Tcp => tcp(self, flags, payload),
            Protocol::Udp => udp(self, payload),
            Protocol::Sctp => sctp(self, flags, payload),
        }
    }
}

fn ip(flow: &Flow) -> IpHeaders {
    match (flow.source.ip(), flow.destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header =
                etherparse::Ipv4Header::new(0, 64, 0.into(), source.octets(), destination.octets()).unwrap();
            header.dont_fragment = true;
            IpHeaders::Ipv4(header, etherparse::Ipv4Extensions::default())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let (source, destination) = (source.octets(), destination.octets());
            let header = etherparse::Ipv6Header { hop_limit: 64, source, destination, ..Default::default() };
            IpHeaders::Ipv6(header, etherparse::Ipv6Extensions::default())
        }
        _ => panic!("both ends of a flow are of one family"),
    }
}

/// A TCP packet.
pub(crate) fn tcp(flow: &Flow, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = etherparse::TcpHeader::new(flow.source.port(), flow.destination.port(), 7, 1024);
    header.fin = flags & FIN != 0;
    header.syn = flags & SYN != 0;
    header.rst = flags & RST != 0;
    header.ack = flags & ACK != 0;
    let mut packet = Vec::new();
    PacketBuilder::ip(ip(flow)).tcp_header(header).write(&mut packet, payload).unwrap();
    packet
}

/// A UDP packet.
pub(crate) fn udp(flow: &Flow, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let (from, to) = (flow.source.port(), flow.destination.port());
    PacketBuilder::ip(ip(flow)).udp(from, to).write(&mut packet, payload).unwrap();
    packet
}

/// An SCTP packet with one chunk.
pub(crate) fn sctp(flow: &Flow, flags: u8, payload: &[u8]) -> Vec<u8> {
    let chunk = match flags & (SYN | ACK | RST) {
        SYN => 1,
        0x12 => 2,
        flags if flags & RST != 0 => 6,
        _ => 0,
    };
    let mut segment = [&flow.source.port().to_be_bytes()[..], &flow.destination.port().to_be_bytes(), &[7; 8]].concat();
    segment.extend([chunk, 0]);
    segment.extend(u16::try_from(4 + payload.len()).unwrap().to_be_bytes());
    segment.extend_from_slice(payload);
    segment.resize(segment.len().next_multiple_of(4), 0);
    let sum = ulvs_wire::sctp::checksum(&segment);
    segment[8..12].copy_from_slice(&sum);
    let mut packet = Vec::new();
    PacketBuilder::ip(ip(flow)).write(&mut packet, etherparse::ip_number::SCTP, &segment).unwrap();
    packet
}

/// Whether all checksums of an IP packet verify, of the packet inside it too if it is a tunnel.
pub(crate) fn verifies(packet: &[u8]) -> bool {
    let Ok(sliced) = SlicedPacket::from_ip(packet) else { return false };
    let (payload, protocol) = match &sliced.net {
        Some(NetSlice::Ipv4(v4)) => {
            let header = v4.header().to_header();
            if header.calc_header_checksum() != header.header_checksum {
                return false;
            }
            (v4.payload().payload, v4.payload().ip_number.0)
        }
        Some(NetSlice::Ipv6(v6)) => (v6.payload().payload, v6.payload().ip_number.0),
        _ => return false,
    };
    match (&sliced.transport, protocol) {
        (_, 4 | 41) => verifies(payload),
        (_, 132) => payload.get(8..12) == Some(&ulvs_wire::sctp::checksum(payload)[..]),
        (Some(transport), _) => transport_verifies(&sliced, transport),
        (None, _) => false,
    }
}

fn transport_verifies(sliced: &SlicedPacket<'_>, transport: &TransportSlice<'_>) -> bool {
    let zero_or = |stored: u16, computed: u16| stored == computed || (stored == 0xffff && computed == 0);
    match (&sliced.net, transport) {
        (Some(NetSlice::Ipv4(v4)), TransportSlice::Tcp(tcp)) => {
            let header = v4.header();
            let sum = tcp.to_header().calc_checksum_ipv4_raw(header.source(), header.destination(), tcp.payload());
            zero_or(tcp.checksum(), sum.unwrap())
        }
        (Some(NetSlice::Ipv6(v6)), TransportSlice::Tcp(tcp)) => {
            let header = v6.header();
            let sum = tcp.to_header().calc_checksum_ipv6_raw(header.source(), header.destination(), tcp.payload());
            zero_or(tcp.checksum(), sum.unwrap())
        }
        (Some(NetSlice::Ipv4(v4)), TransportSlice::Udp(udp)) => {
            let header = v4.header();
            let sum = udp.to_header().calc_checksum_ipv4_raw(header.source(), header.destination(), udp.payload());
            udp.checksum() == 0 || udp.checksum() == sum.unwrap()
        }
        (Some(NetSlice::Ipv6(v6)), TransportSlice::Udp(udp)) => {
            let header = v6.header();
            let sum = udp.to_header().calc_checksum_ipv6_raw(header.source(), header.destination(), udp.payload());
            udp.checksum() == sum.unwrap()
        }
        (Some(NetSlice::Ipv4(_)), TransportSlice::Icmpv4(icmp)) => ulvs_wire::checksum::of(icmp.slice()) == 0,
        (Some(NetSlice::Ipv6(v6)), TransportSlice::Icmpv6(icmp)) => {
            icmp.is_checksum_valid(v6.header().source(), v6.header().destination())
        }
        _ => false,
    }
}

/// The packet with another TTL or hop limit.
pub(crate) fn with_ttl(mut l3: Vec<u8>, ttl: u8) -> Vec<u8> {
    if l3[0] >> 4 == 6 {
        l3[7] = ttl;
        return l3;
    }
    l3[8] = ttl;
    l3[10..12].fill(0);
    let sum = ulvs_wire::checksum::of(&l3[..20]);
    l3[10..12].copy_from_slice(&sum.to_be_bytes());
    l3
}
