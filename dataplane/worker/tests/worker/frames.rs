//! Frames from clients and real servers.

use std::net::SocketAddrV4;

use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use ulvs_engine::{Frame, MemoryFrame};

use crate::lab::{CLIENT_MAC, SERVER_MAC, mac};

pub(crate) fn at(text: &str) -> SocketAddrV4 {
    text.parse().unwrap()
}

/// A SYN from a client, as it comes in by port 0.
pub(crate) fn syn(from: SocketAddrV4, to: SocketAddrV4) -> MemoryFrame {
    let builder = PacketBuilder::ethernet2(CLIENT_MAC, mac(0)).ipv4(from.ip().octets(), to.ip().octets(), 64);
    write(|out| builder.tcp(from.port(), to.port(), 1, 1024).syn().write(out, &[]).unwrap())
}

/// The answer of a real server, as it comes in by port 1.
pub(crate) fn syn_ack(from: SocketAddrV4, to: SocketAddrV4) -> MemoryFrame {
    let builder = PacketBuilder::ethernet2(SERVER_MAC, mac(1)).ipv4(from.ip().octets(), to.ip().octets(), 64);
    write(|out| builder.tcp(from.port(), to.port(), 1, 1024).syn().ack(2).write(out, &[]).unwrap())
}

/// A datagram from a client with a number in it, as it comes in by port 0.
pub(crate) fn datagram(from: SocketAddrV4, to: SocketAddrV4, number: u16) -> MemoryFrame {
    datagram_of(from, to, &number.to_be_bytes())
}

/// A datagram from a client, as it comes in by port 0.
pub(crate) fn datagram_of(from: SocketAddrV4, to: SocketAddrV4, data: &[u8]) -> MemoryFrame {
    let builder = PacketBuilder::ethernet2(CLIENT_MAC, mac(0)).ipv4(from.ip().octets(), to.ip().octets(), 64);
    write(|out| builder.udp(from.port(), to.port()).write(out, data).unwrap())
}

/// An ARP question to the director's port 0, padded.
pub(crate) fn arp() -> MemoryFrame {
    let mut bytes = [&[0xff; 6][..], &CLIENT_MAC, &[8, 6]].concat();
    bytes.resize(60, 0);
    MemoryFrame::new(&bytes)
}

/// The number in a datagram.
pub(crate) fn number(frame: &MemoryFrame) -> u16 {
    let bytes = frame.bytes();
    u16::from_be_bytes([bytes[42], bytes[43]])
}

/// Source and destination of a TCP or UDP frame over IPv4.
pub(crate) fn ends(frame: &MemoryFrame) -> (SocketAddrV4, SocketAddrV4) {
    let packet = SlicedPacket::from_ethernet(frame.bytes()).unwrap();
    let Some(etherparse::NetSlice::Ipv4(ip)) = &packet.net else { panic!("not IPv4") };
    let ip = ip.header();
    let (from, to) = match packet.transport {
        Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port()),
        Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port()),
        _ => panic!("neither TCP nor UDP"),
    };
    (SocketAddrV4::new(ip.source_addr(), from), SocketAddrV4::new(ip.destination_addr(), to))
}

fn write(write: impl FnOnce(&mut Vec<u8>)) -> MemoryFrame {
    let mut bytes = Vec::new();
    write(&mut bytes);
    MemoryFrame::new(&bytes)
}
