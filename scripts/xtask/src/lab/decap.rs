//! The end of tunnels for a namespace whose kernel has no tunnel devices: takes packets of IPIP and GRE from raw sockets, those of
//! GUE from UDP ones, and gives what is inside to the same kernel again, which finds the virtual address on lo.
//!
//! A checksum that is there has to be right: the kernel looks at GUE's, and [`unpack`] at GRE's.

use std::fmt;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::plan::Family;

/// GUE's UDP port.
const GUE_PORT: u16 = 6080;
/// IP protocols.
const IPIP: u8 = 4;
const IPV6: u8 = 41;
const GRE: u8 = 47;
/// Header included, whatever the packet's protocol.
const RAW: u8 = 255;
const LARGEST: usize = 65_535;

/// What a packet travels in, as its socket gives it.
#[derive(Clone, Copy, Debug)]
struct Outer {
    family: Family,
    header: Header,
}

#[derive(Clone, Copy, Debug)]
enum Header {
    /// The protocol says of which family the packet inside is.
    Ip(u8),
    Gre,
    Gue,
}

impl Outer {
    fn all() -> impl Iterator<Item = Self> {
        let headers = [Header::Ip(IPIP), Header::Ip(IPV6), Header::Gre, Header::Gue];
        Family::BOTH.into_iter().flat_map(move |family| headers.map(|header| Self { family, header }))
    }

    fn socket(self) -> Result<Socket> {
        let socket = match self.header {
            Header::Ip(protocol) => raw(self.family, protocol),
            Header::Gre => raw(self.family, GRE),
            Header::Gue => gue(self.family),
        };
        let socket = socket.with_context(|| format!("cannot open a socket for {self}"))?;
        // a larger buffer where the machine allows it; the default will do
        let _ = socket.set_recv_buffer_size(4 << 20);
        Ok(socket)
    }
}

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.header {
            Header::Ip(protocol) => write!(f, "protocol {protocol}")?,
            Header::Gre => f.write_str("GRE")?,
            Header::Gue => f.write_str("GUE")?,
        }
        write!(f, " over {}", self.family.name())
    }
}

pub(super) fn run() -> Result<ExitCode> {
    let open = |outer: Outer| Ok((outer, outer.socket()?));
    let sockets = Outer::all().map(open).collect::<Result<Vec<_>>>()?;
    let ways = [raw(Family::V4, RAW)?, raw(Family::V6, RAW)?];
    std::thread::scope(|scope| {
        for (outer, socket) in &sockets {
            scope.spawn(|| unpack(*outer, socket, &ways));
        }
    });
    bail!("every tunnel's socket failed")
}

const fn domain(family: Family) -> Domain {
    match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    }
}

fn raw(family: Family, protocol: u8) -> Result<Socket> {
    Ok(Socket::new(domain(family), Type::RAW, Some(Protocol::from(i32::from(protocol))))?)
}

fn gue(family: Family) -> Result<Socket> {
    let socket = Socket::new(domain(family), Type::DGRAM, Some(Protocol::UDP))?;
    let any: SocketAddr = match family {
        Family::V4 => (Ipv4Addr::UNSPECIFIED, GUE_PORT).into(),
        Family::V6 => (Ipv6Addr::UNSPECIFIED, GUE_PORT).into(),
    };
    if family == Family::V6 {
        socket.set_only_v6(true)?;
        take_without_checksum(&socket)?;
    }
    socket.bind(&any.into())?;
    Ok(socket)
}

/// RFC 6935: tunnels over IPv6 may be without.
#[allow(unsafe_code)]
fn take_without_checksum(socket: &Socket) -> Result<()> {
    use std::os::fd::AsRawFd;
    let yes: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&yes))?;
    // SAFETY: the option's value is an int, which outlives the call.
    let status = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_NO_CHECK6_RX, (&raw const yes).cast(), length)
    };
    if status == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

fn unpack(outer: Outer, socket: &Socket, [v4, v6]: &[Socket; 2]) {
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
                eprintln!("the socket of {outer} failed: {error}");
                return;
            }
        }
        let Some((inner, to)) = inner(outer, &packet) else {
            eprintln!("a packet of {outer} with {} bytes is none", packet.len());
            continue;
        };
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

/// The packet inside, and where it wants to go. Raw IPv4 sockets give the outer header too, the others do not.
fn inner(outer: Outer, packet: &[u8]) -> Option<(&[u8], SocketAddr)> {
    let payload = match (outer.family, outer.header) {
        (Family::V4, Header::Ip(_) | Header::Gre) => packet.get(usize::from(packet.first()? & 0xf) * 4..)?,
        (Family::V6, _) | (_, Header::Gue) => packet,
    };
    let (protocol, inner) = match outer.header {
        Header::Ip(protocol) => (protocol, payload),
        Header::Gre => of_gre(payload)?,
        Header::Gue => of_gue(payload)?,
    };
    let to: SocketAddr = match (protocol, inner.first()? >> 4) {
        (IPIP, 4) => (Ipv4Addr::from(<[u8; 4]>::try_from(inner.get(16..20)?).ok()?), 0).into(),
        (IPV6, 6) => (Ipv6Addr::from(<[u8; 16]>::try_from(inner.get(24..40)?).ok()?), 0).into(),
        _ => return None,
    };
    Some((inner, to))
}

/// RFC 2784: a checksum or none, no key, no number.
fn of_gre(payload: &[u8]) -> Option<(u8, &[u8])> {
    let (&[flags, version, high, low], _) = payload.split_first_chunk()?;
    let length = match (flags, version) {
        (0, 0) => 4,
        (0x80, 0) if sum(payload) == 0xffff => 8,
        _ => return None,
    };
    let protocol = match u16::from_be_bytes([high, low]) {
        0x0800 => IPIP,
        0x86dd => IPV6,
        _ => return None,
    };
    Some((protocol, payload.get(length..)?))
}

/// Variant 0 without options; its second byte is the protocol inside.
fn of_gue(payload: &[u8]) -> Option<(u8, &[u8])> {
    let (&[0, protocol, 0, 0], inner) = payload.split_first_chunk()? else { return None };
    Some((protocol, inner))
}

/// The sum of 16-bit words in ones' complement (RFC 1071): of what has a right checksum it is all ones.
fn sum(bytes: &[u8]) -> u16 {
    let word = |two: &[u8]| u64::from(u16::from_be_bytes([two[0], two.get(1).copied().unwrap_or(0)]));
    let mut sum: u64 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4_IP: Outer = Outer { family: Family::V4, header: Header::Ip(IPIP) };
    const V4_GRE: Outer = Outer { family: Family::V4, header: Header::Gre };

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
        let of = |family, header| Outer { family, header };
        let within4 = [header4(1), header4(103)].concat();
        assert_eq!(inner(V4_IP, &within4), Some((&within4[20..], ([10, 77, 0, 103], 0).into())));
        let six_in_4 = [header4(1), header6(9)].concat();
        let to = SocketAddr::from((Ipv6Addr::from(9), 0));
        assert_eq!(inner(of(Family::V4, Header::Ip(IPV6)), &six_in_4), Some((&six_in_4[20..], to)));
        assert_eq!(inner(of(Family::V6, Header::Ip(IPV6)), &header6(9)), Some((&header6(9)[..], to)));
        let four = header4(103);
        let to4 = SocketAddr::from(([10, 77, 0, 103], 0));
        assert_eq!(inner(of(Family::V6, Header::Ip(IPIP)), &four), Some((&four[..], to4)));

        for (kind, protocol, packet, to) in [([8, 0], IPIP, header4(103), to4), ([0x86, 0xdd], IPV6, header6(9), to)] {
            let gre = [&[0, 0][..], &kind, &packet].concat();
            assert_eq!(inner(V4_GRE, &[header4(1), gre.clone()].concat()), Some((&packet[..], to)));
            assert_eq!(inner(of(Family::V6, Header::Gre), &gre), Some((&packet[..], to)));
            for family in Family::BOTH {
                let gue = [&[0, protocol, 0, 0], &packet[..]].concat();
                assert_eq!(inner(of(family, Header::Gue), &gue), Some((&packet[..], to)));
            }
        }
    }

    #[test]
    fn a_checksum_of_gre_has_to_be_right() {
        let mut gre = [vec![0x80, 0, 8, 0, 0, 0, 0, 0], header4(103)].concat();
        let right = !sum(&gre);
        gre[4..6].copy_from_slice(&right.to_be_bytes());
        let packet = [header4(1), gre.clone()].concat();
        assert_eq!(inner(V4_GRE, &packet).map(|(inner, _)| inner.len()), Some(20));
        gre[10] ^= 1;
        assert_eq!(inner(V4_GRE, &[header4(1), gre].concat()), None);
    }

    #[test]
    fn options_of_the_outer_header_are_skipped() {
        let mut packet = header4(1);
        packet[0] = 0x46;
        packet.extend([1; 4]);
        packet.extend(header4(103));
        assert_eq!(inner(V4_IP, &packet).map(|(inner, _)| inner.len()), Some(20));
    }

    #[test]
    fn what_is_cut_or_lies_is_dropped() {
        let packet = [header4(1), header4(103)].concat();
        for length in 0..packet.len() {
            for outer in Outer::all().filter(|outer| outer.family == Family::V4) {
                assert_eq!(inner(outer, &packet[..length]), None, "{outer} cut to {length}");
            }
        }
        assert_eq!(inner(Outer { family: Family::V4, header: Header::Ip(IPV6) }, &packet), None, "IPv4 in 41");
        assert_eq!(inner(V4_GRE, &[header4(1), vec![0x20, 0, 8, 0, 0, 0, 0, 1], header4(103)].concat()), None, "a key");
    }
}
