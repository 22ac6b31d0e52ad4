use std::net::IpAddr;

use ulvs_engine::MemoryFrame;
use ulvs_wire::{checksum, ethernet, ipv4, parse, tcp};

use crate::director::ip;

/// The hardware address of the director's ports.
pub const PORT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The virtual address; more follow it.
pub const VIP: u32 = 0x0ac8_0001;
/// The port of services.
pub const SERVICE_PORT: u16 = 443;
/// The first real server.
pub const REAL_SERVER: u32 = 0xac10_0001;
/// Its port, by NAT.
pub const REAL_PORT: u16 = 8443;
/// The gateway to everything.
pub const GATEWAY: u32 = 0xac10_ffff;
const CLIENT: u32 = 0x0b00_0000;
const CLIENT_PORT: u16 = 40_000;
/// Bytes of a TCP header, of a UDP header, and of the payload behind TCP's.
const TCP: usize = 20;
const UDP: usize = 8;
const PAYLOAD: usize = 20;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    /// From a client to the service.
    Request,
    /// From the first real server to a client.
    Reply,
}

/// A TCP packet of this client, to the service so many ports after the first, with right checksums.
pub fn frame(flow: Flow, service: u16, ipv6: bool, client: u32, flags: u8) -> MemoryFrame {
    let near = near(ipv6, client);
    match flow {
        Flow::Request => segment((near, (ip(ipv6, VIP), SERVICE_PORT + service)), flags, WHOLE),
        Flow::Reply => segment(((ip(ipv6, REAL_SERVER), REAL_PORT), near), flags, WHOLE),
    }
}

/// Where a client is.
pub fn near(ipv6: bool, client: u32) -> (IpAddr, u16) {
    (ip(ipv6, CLIENT + client), CLIENT_PORT)
}

/// Number, flags and offset of a packet that is no fragment.
pub const WHOLE: [u8; 4] = [0, 0, 0x40, 0];

/// Address and port of both ends of a packet: whose it is, and to whom it goes.
pub type Ends = ((IpAddr, u16), (IpAddr, u16));

/// A TCP packet from one end to the other. `fragment` is of IPv4 alone.
pub fn segment(ends: Ends, flags: u8, fragment: [u8; 4]) -> MemoryFrame {
    packet(ends, parse::TCP, [&tcp_header(ends, flags)[..], &[0; PAYLOAD]].concat(), fragment)
}

/// A TCP packet with this text.
pub fn said(ends: Ends, text: &[u8]) -> MemoryFrame {
    packet(ends, parse::TCP, [&tcp_header(ends, tcp::ACK)[..], text].concat(), WHOLE)
}

/// A UDP packet with this text.
pub fn datagram(ends: Ends, text: &[u8]) -> MemoryFrame {
    let ((_, source), (_, destination)) = ends;
    let len = u16::try_from(UDP + text.len()).unwrap_or(u16::MAX);
    let header = [source, destination, len, 0].map(u16::to_be_bytes).concat();
    packet(ends, parse::UDP, [&header, text].concat(), WHOLE)
}

fn tcp_header(((_, source), (_, destination)): Ends, flags: u8) -> [u8; TCP] {
    let mut header = [0; TCP];
    header[..2].copy_from_slice(&source.to_be_bytes());
    header[2..4].copy_from_slice(&destination.to_be_bytes());
    header[12] = 5 << 4;
    header[13] = flags;
    header
}

/// A packet whose checksum of TCP or UDP is to be made.
fn packet((source, destination): Ends, protocol: u8, mut l4: Vec<u8>, fragment: [u8; 4]) -> MemoryFrame {
    let ipv6 = source.0.is_ipv6();
    let (from, to) = (octets(source.0), octets(destination.0));
    let sum = checksum::pseudo(&from, &to, protocol, l4.len());
    let sum = !checksum::fold(checksum::add(sum, &l4));
    let at = if protocol == parse::TCP { 16 } else { 6 };
    l4[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    let mut bytes = [&PORT_MAC[..], &[2, 0, 0, 0, 0, 2]].concat();
    let len = |extra: usize| u16::try_from(l4.len() + extra).unwrap_or(u16::MAX).to_be_bytes();
    if ipv6 {
        bytes.extend(ethernet::TYPE_IPV6.to_be_bytes());
        bytes.extend([0x60, 0, 0, 0]);
        bytes.extend(len(0));
        bytes.extend([protocol, 64]);
    } else {
        bytes.extend(ethernet::TYPE_IPV4.to_be_bytes());
        let mut header = vec![0x45, 0];
        header.extend(len(ipv4::HEADER_LEN));
        header.extend(fragment);
        header.extend([64, protocol, 0, 0]);
        let sum = checksum::of(&[&header[..], &from, &to].concat());
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes.extend(header);
    }
    bytes.extend(from);
    bytes.extend(to);
    bytes.extend(l4);
    MemoryFrame::new(&bytes)
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}
