//! ICMP errors the director sends: the offending packet's frame becomes the error (ipvs-facts C.3; RFC 792, RFC 4443).

use ulvs_wire::ethernet::{self, EthernetHeader};
use ulvs_wire::icmp::{self, IcmpHeader};
use ulvs_wire::ipv4::{self, PlainHeader};
use ulvs_wire::ipv6::{self, Ipv6Header};
use ulvs_wire::{Address, Family, Packet, checksum};
use zerocopy::FromBytes;
use zerocopy::byteorder::network_endian::{U16, U32};

use crate::frame::Frame;

/// The longest error as a whole: 576 bytes, or IPv6's minimum MTU.
const LONGEST_V4: usize = 576;
const LONGEST_V6: usize = 1280;
/// TOS of errors: internetwork control, beside the low bits of the offending packet's.
const PRECEDENCE: u8 = 0xc0;
const TOS_KEPT: u8 = 0x1e;
const TTL: u8 = 64;

/// What went wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Error {
    /// TTL or hop limit ran out.
    TimeExceeded,
    /// The service has no destination.
    PortUnreachable,
    /// No route.
    HostUnreachable,
    /// Too long for the next hop's MTU.
    TooBig(u16),
    /// What a router on the way said, of the packet's own family.
    Relayed {
        /// The ICMP type.
        kind: u8,
        /// The ICMP code.
        code: u8,
    },
}

impl Error {
    /// Type, code and the rest of the header.
    const fn v4(self) -> (u8, u8, u32) {
        match self {
            Self::TimeExceeded => (11, 0, 0),
            Self::PortUnreachable => (3, 3, 0),
            Self::HostUnreachable => (3, 1, 0),
            Self::TooBig(mtu) => (3, 4, mtu as u32),
            Self::Relayed { kind, code } => (kind, code, 0),
        }
    }

    const fn v6(self) -> (u8, u8, u32) {
        match self {
            Self::TimeExceeded => (3, 0, 0),
            Self::PortUnreachable => (1, 4, 0),
            Self::HostUnreachable => (1, 0, 0),
            Self::TooBig(mtu) => (2, 0, mtu as u32),
            Self::Relayed { kind, code } => (kind, code, 0),
        }
    }
}

/// Turns the frame into the error about it, from `source` to the packet's source. False without room in front of it.
pub(crate) fn write(
    frame: &mut impl Frame,
    packet: &Packet,
    error: Error,
    source: Address,
    id: u16,
    ethernet: &[u8; 12],
) -> bool {
    let (header_len, longest) = match packet.key.family() {
        Family::V4 => (ipv4::HEADER_LEN, LONGEST_V4),
        Family::V6 => (ipv6::HEADER_LEN, LONGEST_V6),
    };
    let l3 = usize::from(packet.l3);
    let added = header_len + icmp::HEADER_LEN;
    let quoted = usize::from(packet.ip_len).min(longest - added);
    frame.truncate(l3 + quoted);
    let tos = frame.bytes().get(l3 + 1).copied().unwrap_or(0);
    if !frame.prepend(added) {
        return false;
    }
    let Ok((header, rest)) = EthernetHeader::mut_from_prefix(frame.bytes_mut()) else {
        return false;
    };
    let written = match packet.key.family() {
        Family::V4 => {
            header.ether_type.set(ethernet::TYPE_IPV4);
            write_v4(rest, packet, error, source, id, tos)
        }
        Family::V6 => {
            header.ether_type.set(ethernet::TYPE_IPV6);
            write_v6(rest, packet, error, source)
        }
    };
    super::set_ethernet(frame.bytes_mut(), ethernet);
    written.is_some()
}

#[expect(clippy::cast_possible_truncation, reason = "an error is at most 576 bytes")]
fn write_v4(bytes: &mut [u8], packet: &Packet, error: Error, source: Address, id: u16, tos: u8) -> Option<()> {
    let total = bytes.len() as u16;
    let (header, rest) = bytes.split_first_chunk_mut()?;
    *header = PlainHeader {
        tos: tos & TOS_KEPT | PRECEDENCE,
        total_len: total,
        id,
        fragment: 0,
        ttl: TTL,
        protocol: icmp::PROTOCOL,
        source,
        destination: packet.key.source(),
    }
    .to_bytes();
    write_icmp(rest, error.v4(), 0)
}

#[expect(clippy::cast_possible_truncation, reason = "an error is at most 1,280 bytes")]
fn write_v6(bytes: &mut [u8], packet: &Packet, error: Error, source: Address) -> Option<()> {
    let (header, rest) = Ipv6Header::mut_from_prefix(bytes).ok()?;
    *header = Ipv6Header {
        version_class_flow: U32::new(6 << 28),
        payload_len: U16::new(rest.len() as u16),
        next_header: icmp::PROTOCOL_V6,
        hop_limit: TTL,
        source: source.0.to_be_bytes(),
        destination: packet.key.source().0.to_be_bytes(),
    };
    let pseudo = checksum::pseudo(&header.source, &header.destination, icmp::PROTOCOL_V6, rest.len());
    write_icmp(rest, error.v6(), pseudo)
}

fn write_icmp(bytes: &mut [u8], (kind, code, rest): (u8, u8, u32), pseudo: u64) -> Option<()> {
    let (header, _) = IcmpHeader::mut_from_prefix(bytes).ok()?;
    *header = IcmpHeader { kind, code, checksum: U16::ZERO, rest: U32::new(rest) };
    let sum = !checksum::fold(checksum::add(pseudo, bytes));
    let (header, _) = IcmpHeader::mut_from_prefix(bytes).ok()?;
    header.checksum.set(sum);
    Some(())
}
