//! GUE and GRE: what stands between the outer IP header and the packet (ipvs-facts C.5; RFC 2784, RFC 2890, RFC 6935).

use ulvs_model::Encapsulation;
use ulvs_wire::ipv4;
use ulvs_wire::ipv6;
use ulvs_wire::udp::{self, UdpHeader};
use ulvs_wire::{Family, Packet, checksum, ethernet, parse};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, IntoBytes};

use crate::frame::Frame;

use super::tun::{self, Inner, Tunnel};

/// IP protocol number of GRE.
pub(crate) const GRE: u8 = 47;
/// Bytes of GUE's header without options, and of GRE's with nothing and with a checksum.
pub(crate) const GUE_LEN: usize = 4;
const GRE_LEN: usize = 4;
const GRE_LEN_SUMMED: usize = 8;
/// GRE's flag for a checksum.
pub(crate) const GRE_CHECKSUM: u8 = 0x80;
/// Where GUE's source ports are: the kernel's default range for its own.
const PORTS: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// How a packet is wrapped, beside what every tunnel has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shim {
    pub(crate) encapsulation: Encapsulation,
    /// A hash of the packet's flow: GUE's source port, so that the flow keeps its way through the network.
    pub(crate) hash: u64,
    /// The outer header has the inner one's DF.
    pub(crate) keep_df: bool,
}

/// Bytes between the outer IP header and the packet.
pub(crate) const fn length(encapsulation: Encapsulation) -> usize {
    match encapsulation {
        Encapsulation::IpIp => 0,
        Encapsulation::Gue { .. } => udp::HEADER_LEN + GUE_LEN,
        Encapsulation::Gre { checksum: false } => GRE_LEN,
        Encapsulation::Gre { checksum: true } => GRE_LEN_SUMMED,
    }
}

/// Takes one from the TTL and wraps the packet. False, and nothing sensible in the frame, without room in front of it.
pub(crate) fn request(frame: &mut impl Frame, packet: &Packet, tunnel: &Tunnel, shim: &Shim) -> bool {
    super::decrement_ttl(frame.bytes_mut(), packet);
    let Some(mut inner) = Inner::of(frame, packet) else { return false };
    inner.dont_fragment &= shim.keep_df;
    let (protocol, between) = (inner.protocol, length(shim.encapsulation));
    inner.protocol = match shim.encapsulation {
        Encapsulation::IpIp => protocol,
        Encapsulation::Gue { .. } => parse::UDP,
        Encapsulation::Gre { .. } => GRE,
    };
    // Ethernet padding must not end up inside the tunnel.
    frame.truncate(usize::from(packet.l3) + usize::from(packet.ip_len));
    let Some(payload) = u16::try_from(between).ok().and_then(|between| packet.ip_len.checked_add(between)) else {
        return false;
    };
    if !frame.prepend(usize::from(tun::overhead(tunnel.family)) + between)
        || !tun::write_outer(frame, payload, tunnel, &inner)
    {
        return false;
    }
    let at = ethernet::HEADER_LEN + usize::from(tun::overhead(tunnel.family));
    let Some((outer, payload)) = frame.bytes_mut().split_at_mut_checked(at) else { return false };
    let outer = &outer[ethernet::HEADER_LEN..];
    match shim.encapsulation {
        Encapsulation::IpIp => true,
        Encapsulation::Gue { port, checksum } => {
            gue(payload, protocol, (source_port(shim.hash), port))
                && (!checksum.is_written() || sum_udp(outer, payload, tunnel.family))
        }
        Encapsulation::Gre { checksum } => gre(payload, packet.key.family(), checksum),
    }
}

fn gue(payload: &mut [u8], protocol: u8, (source, destination): (u16, u16)) -> bool {
    let Ok(length) = u16::try_from(payload.len()) else { return false };
    let header = UdpHeader {
        source_port: U16::new(source),
        destination_port: U16::new(destination),
        length: U16::new(length),
        checksum: U16::ZERO,
    };
    let Some((start, _)) = payload.split_first_chunk_mut::<{ udp::HEADER_LEN + GUE_LEN }>() else { return false };
    start[..udp::HEADER_LEN].copy_from_slice(header.as_bytes());
    // Version 0, data, no options; what follows; no flags.
    start[udp::HEADER_LEN..].copy_from_slice(&[0, protocol, 0, 0]);
    true
}

fn source_port(hash: u64) -> u16 {
    let count = u64::from(PORTS.end() - PORTS.start()) + 1;
    // The remainder is less than the count of ports.
    PORTS.start() + u16::try_from((hash >> 32) % count).unwrap_or(0)
}

fn sum_udp(outer: &[u8], datagram: &mut [u8], family: Family) -> bool {
    let ends = match family {
        Family::V4 => outer.get(12..ipv4::HEADER_LEN).map(|ends| ends.split_at(4)),
        Family::V6 => outer.get(8..ipv6::HEADER_LEN).map(|ends| ends.split_at(16)),
    };
    let Some((source, destination)) = ends else { return false };
    let sum = checksum::add(checksum::pseudo(source, destination, parse::UDP, datagram.len()), datagram);
    let Ok((header, _)) = UdpHeader::mut_from_prefix(datagram) else { return false };
    header.checksum = super::nat::never_zero(U16::new(!checksum::fold(sum)));
    true
}

fn gre(payload: &mut [u8], inner: Family, summed: bool) -> bool {
    let [high, low] = match inner {
        Family::V4 => ethernet::TYPE_IPV4,
        Family::V6 => ethernet::TYPE_IPV6,
    }
    .to_be_bytes();
    let Some(start) = payload.first_chunk_mut::<GRE_LEN>() else { return false };
    *start = [if summed { GRE_CHECKSUM } else { 0 }, 0, high, low];
    if summed {
        let Some(field) = payload.get_mut(GRE_LEN..GRE_LEN_SUMMED) else { return false };
        field.fill(0);
        let sum = checksum::of(payload);
        payload[GRE_LEN..GRE_LEN + 2].copy_from_slice(&sum.to_be_bytes());
    }
    true
}
