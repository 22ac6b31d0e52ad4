//! The end of IPIP tunnels for a namespace whose kernel has no tunnel devices: takes the packets of IP protocols 4 and 41
//! from raw sockets and gives what is inside to the same kernel again, which finds the virtual address on lo.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::plan::Family;

const IPIP: i32 = 4;
const IPV6: i32 = 41;
/// Header included, whatever the packet's protocol.
const RAW: i32 = 255;
const LARGEST: usize = 65_535;

pub(super) fn run() -> Result<ExitCode> {
    let tunnels = [(Family::V4, IPIP), (Family::V4, IPV6), (Family::V6, IPIP), (Family::V6, IPV6)];
    let open = |(outer, protocol)| Ok((outer, protocol, raw(outer, protocol)?));
    let sockets = tunnels.into_iter().map(open).collect::<Result<Vec<_>>>()?;
    let ways = [raw(Family::V4, RAW)?, raw(Family::V6, RAW)?];
    std::thread::scope(|scope| {
        for (outer, protocol, socket) in &sockets {
            scope.spawn(|| unpack(*outer, *protocol, socket, &ways));
        }
    });
    bail!("every tunnel's socket failed")
}

fn raw(family: Family, protocol: i32) -> Result<Socket> {
    let domain = if family == Family::V4 { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(protocol)))
        .with_context(|| format!("cannot open a raw {} socket for protocol {protocol}", family.name()))?;
    // a larger buffer where the machine allows it; the default will do
    let _ = socket.set_recv_buffer_size(4 << 20);
    Ok(socket)
}

fn unpack(outer: Family, protocol: i32, socket: &Socket, [v4, v6]: &[Socket; 2]) {
    let mut buffer = vec![MaybeUninit::uninit(); LARGEST];
    let mut packet = Vec::with_capacity(LARGEST);
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                packet.clear();
                receive(&mut packet, &buffer[..length]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                eprintln!("the socket of {} protocol {protocol} failed: {error}", outer.name());
                return;
            }
        }
        let Some((inner, to)) = inner(outer, protocol, &packet) else { continue };
        let way = if to.is_ipv4() { v4 } else { v6 };
        if let Err(error) = way.send_to(inner, &SockAddr::from(to)) {
            eprintln!("the kernel did not take a packet for {}: {error}", to.ip());
        }
    }
}

/// What was received, copied to where it counts as initialised.
#[allow(unsafe_code)]
fn receive(packet: &mut Vec<u8>, received: &[MaybeUninit<u8>]) {
    // SAFETY: `Socket::recv` returned the length of this slice: it wrote each of these bytes.
    packet.extend(received.iter().map(|byte| unsafe { byte.assume_init() }));
}

/// The packet inside, and where it wants to go. Raw IPv4 sockets give the outer header too, IPv6 ones do not.
fn inner(outer: Family, protocol: i32, packet: &[u8]) -> Option<(&[u8], SocketAddr)> {
    let inner = match outer {
        Family::V4 => packet.get(usize::from(packet.first()? & 0xf) * 4..)?,
        Family::V6 => packet,
    };
    let to: SocketAddr = match (protocol, inner.first()? >> 4) {
        (IPIP, 4) => (Ipv4Addr::from(<[u8; 4]>::try_from(inner.get(16..20)?).ok()?), 0).into(),
        (IPV6, 6) => (Ipv6Addr::from(<[u8; 16]>::try_from(inner.get(24..40)?).ok()?), 0).into(),
        _ => return None,
    };
    Some((inner, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header4(to: u8) -> Vec<u8> {
        let mut header = vec![0x45; 1];
        header.resize(16, 0);
        header.extend([10, 77, 0, to]);
        header
    }

    fn header6(to: u8) -> Vec<u8> {
        let mut header = vec![0x60; 1];
        header.resize(39, 0);
        header.push(to);
        header
    }

    #[test]
    fn all_four_ways_are_unpacked() {
        let within4 = [header4(1), header4(103)].concat();
        assert_eq!(inner(Family::V4, IPIP, &within4), Some((&within4[20..], ([10, 77, 0, 103], 0).into())));
        let six_in_4 = [header4(1), header6(9)].concat();
        let to = SocketAddr::from((Ipv6Addr::from(9), 0));
        assert_eq!(inner(Family::V4, IPV6, &six_in_4), Some((&six_in_4[20..], to)));
        assert_eq!(inner(Family::V6, IPV6, &header6(9)), Some((&header6(9)[..], to)));
        let four = header4(103);
        assert_eq!(inner(Family::V6, IPIP, &four), Some((&four[..], ([10, 77, 0, 103], 0).into())));
    }

    #[test]
    fn options_of_the_outer_header_are_skipped() {
        let mut packet = header4(1);
        packet[0] = 0x46;
        packet.extend([1; 4]);
        packet.extend(header4(103));
        assert_eq!(inner(Family::V4, IPIP, &packet).map(|(inner, _)| inner.len()), Some(20));
    }

    #[test]
    fn what_is_cut_or_lies_is_dropped() {
        let packet = [header4(1), header4(103)].concat();
        for length in 0..packet.len() {
            assert_eq!(inner(Family::V4, IPIP, &packet[..length]), None, "cut to {length}");
        }
        assert_eq!(inner(Family::V4, IPV6, &packet), None, "IPv4 inside of protocol 41");
    }
}
