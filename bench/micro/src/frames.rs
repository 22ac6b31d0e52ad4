use std::net::IpAddr;

use ulvs_engine::MemoryFrame;
use ulvs_wire::{checksum, ethernet, ipv4, parse};

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
/// Bytes of a TCP header, and of the payload behind it.
const TCP: usize = 20;
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

/// A TCP packet from one end to the other. `fragment` is of IPv4 alone.
pub fn segment((source, destination): ((IpAddr, u16), (IpAddr, u16)), flags: u8, fragment: [u8; 4]) -> MemoryFrame {
    let ipv6 = source.0.is_ipv6();
    let mut l4 = vec![0; TCP + PAYLOAD];
    l4[..2].copy_from_slice(&source.1.to_be_bytes());
    l4[2..4].copy_from_slice(&destination.1.to_be_bytes());
    l4[12] = 5 << 4;
    l4[13] = flags;
    let (from, to) = (octets(source.0), octets(destination.0));
    let sum = checksum::pseudo(&from, &to, parse::TCP, l4.len());
    let sum = !checksum::fold(checksum::add(sum, &l4));
    l4[16..18].copy_from_slice(&sum.to_be_bytes());
    let mut bytes = [&PORT_MAC[..], &[2, 0, 0, 0, 0, 2]].concat();
    let len = |extra: usize| u16::try_from(l4.len() + extra).unwrap_or(u16::MAX).to_be_bytes();
    if ipv6 {
        bytes.extend(ethernet::TYPE_IPV6.to_be_bytes());
        bytes.extend([0x60, 0, 0, 0]);
        bytes.extend(len(0));
        bytes.extend([parse::TCP, 64]);
    } else {
        bytes.extend(ethernet::TYPE_IPV4.to_be_bytes());
        let mut header = vec![0x45, 0];
        header.extend(len(ipv4::HEADER_LEN));
        header.extend(fragment);
        header.extend([64, parse::TCP, 0, 0]);
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
