//! Tunnelling: the packet travels inside an IP packet to the real server (ipvs-facts C.5; RFC 2003, RFC 2473, RFC 6040).

use ulvs_wire::ethernet;
use ulvs_wire::ipv4::{self, PlainHeader};
use ulvs_wire::ipv6::{self, Ipv6Header};
use ulvs_wire::{Address, Family, Packet, Quoted, parse, udp};
use zerocopy::FromBytes;
use zerocopy::byteorder::network_endian::{U16, U32};

use crate::frame::Frame;

use super::shim;

/// IP protocol number of IPv4 inside IP.
pub(crate) const IPV4_IN_IP: u8 = 4;
/// IP protocol number of IPv6 inside IP.
pub(crate) const IPV6_IN_IP: u8 = 41;
/// ECN bits of the traffic class, and their values (RFC 3168).
const ECN: u8 = 0x03;
const CONGESTION_EXPERIENCED: u8 = 0x03;
const ECN_CAPABLE_0: u8 = 0x02;

/// The ends of a tunnel and the way to its far end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tunnel {
    pub(crate) family: Family,
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) ethernet: [u8; 12],
    /// Identification of an outer IPv4 header that may be fragmented.
    pub(crate) id: u16,
}

/// Bytes a tunnel of this outer family adds.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "20 and 40")]
pub(crate) const fn overhead(outer: Family) -> u16 {
    match outer {
        Family::V4 => ipv4::HEADER_LEN as u16,
        Family::V6 => ipv6::HEADER_LEN as u16,
    }
}

/// The longest packet that goes into a tunnel over a way of this MTU, with so many bytes between outer header and packet;
/// `None` if a tunnel must not be used there.
#[inline]
pub(crate) const fn mtu(outer: Family, way: u16, between: u16) -> Option<u16> {
    // RFC 791 section 3.2, RFC 8200 section 5. The kernel judges by the outer family alone.
    let least = match outer {
        Family::V4 => 68,
        Family::V6 => 1280,
    };
    match way.checked_sub(overhead(outer) + between) {
        Some(mtu) if mtu >= least => Some(mtu),
        _ => None,
    }
}

/// Takes one from the TTL and wraps the packet. False, and nothing sensible in the frame, without room in front of it.
#[inline(always)]
pub(crate) fn request(frame: &mut impl Frame, packet: &Packet, tunnel: &Tunnel) -> bool {
    super::decrement_ttl(frame.bytes_mut(), packet);
    let Some(inner) = Inner::of(frame, packet) else {
        return false;
    };
    // Ethernet padding must not end up inside the tunnel.
    frame.truncate(usize::from(packet.l3) + usize::from(packet.ip_len));
    frame.prepend(usize::from(overhead(tunnel.family))) && write_outer(frame, packet.ip_len, tunnel, &inner)
}

/// Writes Ethernet and outer IP header in front of `payload` bytes.
#[inline(always)]
pub(crate) fn write_outer(frame: &mut impl Frame, payload: u16, tunnel: &Tunnel, inner: &Inner) -> bool {
    let Some((start, rest)) = frame.bytes_mut().split_first_chunk_mut() else {
        return false;
    };
    match tunnel.family {
        Family::V4 => {
            let Some(header) = rest.first_chunk_mut() else { return false };
            *start = start_of(tunnel, ethernet::TYPE_IPV4);
            *header = outer_v4(payload, tunnel, inner);
            true
        }
        Family::V6 => {
            *start = start_of(tunnel, ethernet::TYPE_IPV6);
            outer_v6(rest, payload, tunnel, inner)
        }
    }
}

#[inline(always)]
fn start_of(tunnel: &Tunnel, ether_type: u16) -> [u8; ethernet::HEADER_LEN] {
    let mut start = [0; ethernet::HEADER_LEN];
    start[..12].copy_from_slice(&tunnel.ethernet);
    start[12..].copy_from_slice(&ether_type.to_be_bytes());
    start
}

/// What the outer header takes from the inner one.
pub(crate) struct Inner {
    /// What follows the outer header.
    pub(crate) protocol: u8,
    traffic_class: u8,
    pub(crate) dont_fragment: bool,
    ttl: u8,
}

impl Inner {
    #[inline(always)]
    pub(crate) fn of(frame: &mut impl Frame, packet: &Packet) -> Option<Self> {
        Some(match packet.key.family() {
            Family::V4 => Self {
                protocol: IPV4_IN_IP,
                traffic_class: super::ipv4(frame.bytes_mut(), packet)?.tos,
                dont_fragment: packet.dont_fragment,
                ttl: packet.ttl - 1,
            },
            Family::V6 => Self {
                protocol: IPV6_IN_IP,
                traffic_class: super::ipv6(frame.bytes_mut(), packet)?.traffic_class(),
                // The outer header never has DF around IPv6.
                dont_fragment: false,
                ttl: packet.ttl - 1,
            },
        })
    }

    /// DSCP as inside; a mark of congestion stays inside and shows as "capable" outside (RFC 6040's normal mode).
    const fn outer_class(&self) -> u8 {
        if self.traffic_class & ECN == CONGESTION_EXPERIENCED {
            self.traffic_class & !ECN | ECN_CAPABLE_0
        } else {
            self.traffic_class
        }
    }
}

#[inline(always)]
fn outer_v4(payload: u16, tunnel: &Tunnel, inner: &Inner) -> [u8; ipv4::HEADER_LEN] {
    PlainHeader {
        tos: inner.outer_class(),
        total_len: payload + overhead(Family::V4),
        id: if inner.dont_fragment { 0 } else { tunnel.id },
        fragment: if inner.dont_fragment { ipv4::DONT_FRAGMENT } else { 0 },
        ttl: inner.ttl,
        protocol: inner.protocol,
        source: tunnel.source,
        destination: tunnel.destination,
    }
    .to_bytes()
}

fn outer_v6(bytes: &mut [u8], payload: u16, tunnel: &Tunnel, inner: &Inner) -> bool {
    let Ok((header, _)) = Ipv6Header::mut_from_prefix(bytes) else {
        return false;
    };
    *header = Ipv6Header {
        version_class_flow: U32::new(6 << 28 | u32::from(inner.outer_class()) << 20),
        payload_len: U16::new(payload),
        next_header: inner.protocol,
        hop_limit: inner.ttl,
        source: tunnel.source.0.to_be_bytes(),
        destination: tunnel.destination.0.to_be_bytes(),
    };
    true
}

/// The packet in a quoted outer packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Inside {
    pub(crate) family: Family,
    /// Offset of its IP header in the frame.
    pub(crate) at: usize,
}

/// What an outer packet holds that `frame` quotes, if it is of a tunnel.
pub(crate) fn inside(frame: &[u8], quoted: &Quoted) -> Option<Inside> {
    let l4 = usize::from(quoted.l4);
    match quoted.key.protocol() {
        parse::UDP => {
            let at = l4 + udp::HEADER_LEN;
            let &[start, protocol] = frame.get(at..)?.first_chunk()?;
            // Version 0 and data; options counted in words.
            let is_data = start & 0xe0 == 0;
            let at = at + shim::GUE_LEN + usize::from(start & 0x1f) * 4;
            is_data.then_some(Inside { family: family_inside(protocol)?, at })
        }
        shim::GRE => {
            let &[flags, _, high, low] = frame.get(l4..)?.first_chunk()?;
            let family = match u16::from_be_bytes([high, low]) {
                ethernet::TYPE_IPV4 => Family::V4,
                ethernet::TYPE_IPV6 => Family::V6,
                _ => return None,
            };
            Some(Inside { family, at: l4 + if flags & shim::GRE_CHECKSUM != 0 { 8 } else { 4 } })
        }
        protocol => Some(Inside { family: family_inside(protocol)?, at: l4 }),
    }
}

/// The family of a packet behind this protocol number.
const fn family_inside(protocol: u8) -> Option<Family> {
    match protocol {
        IPV4_IN_IP => Some(Family::V4),
        IPV6_IN_IP => Some(Family::V6),
        _ => None,
    }
}
