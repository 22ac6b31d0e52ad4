//! Masquerading: one address and one port change, and the checksums by the connection's deltas; SCTP's is no sum and has none
//! (ipvs-facts C.4).

use ulvs_wire::ipv4::{self, Ipv4Header};
use ulvs_wire::ipv6::{self, Ipv6Header};
use ulvs_wire::sctp::{self, SctpHeader};
use ulvs_wire::tcp::TcpHeader;
use ulvs_wire::udp::UdpHeader;
use ulvs_wire::{Address, Delta, Family, Packet, checksum, ethernet, parse};
use zerocopy::FromBytes;
use zerocopy::byteorder::network_endian::U16;

use crate::frame::Frame;

/// The end of the packet that is rewritten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Source,
    Destination,
}

/// What becomes of one end of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rewrite {
    pub(crate) end: End,
    pub(crate) address: Address,
    pub(crate) port: u16,
    /// What that does to the IPv4 header checksum and to the TCP or UDP checksum.
    pub(crate) deltas: (Delta, Delta),
}

/// Rewrites the packet and takes one from its TTL.
#[inline(always)]
pub(crate) fn rewrite(frame: &mut impl Frame, packet: &Packet, to: &Rewrite, ethernet: &[u8; 12]) {
    let family = packet.key.family();
    let Some((addresses, ip)) = frame.bytes_mut().split_first_chunk_mut::<{ ethernet::HEADER_LEN }>() else { return };
    addresses[..12].copy_from_slice(ethernet);
    let Some(segment) = rewrite_network(ip, family, to) else { return };
    let protocol = packet.key.protocol();
    // Options or extension headers stand in between.
    let plain = ethernet::HEADER_LEN + if family == Family::V4 { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN };
    let Some(segment) = segment.get_mut(usize::from(packet.l4) - plain..) else { return };
    if protocol == parse::TCP {
        rewrite_tcp(segment, to);
    } else if protocol == parse::UDP {
        if rewrite_udp(segment, to) == Summed::Never {
            sum_udp(ip, packet);
        }
    } else if protocol == parse::SCTP {
        rewrite_sctp(ip, packet, to.end, to.port);
    }
    // Of AH and ESP the address alone.
}

/// Rewrites the address alone and takes one from the TTL: of a fragment without transport header.
pub(crate) fn rewrite_address(frame: &mut impl Frame, packet: &Packet, to: &Rewrite, ethernet: &[u8; 12]) {
    super::set_ethernet(frame.bytes_mut(), ethernet);
    if let Some(ip) = frame.bytes_mut().get_mut(usize::from(packet.l3)..) {
        // Nothing more is to be rewritten.
        let _ = rewrite_network(ip, packet.key.family(), to);
    }
}

/// Rewrites address, TTL and header checksum; what follows the header without options.
#[inline(always)]
fn rewrite_network<'a>(ip: &'a mut [u8], family: Family, to: &Rewrite) -> Option<&'a mut [u8]> {
    match family {
        Family::V4 => {
            let (header, rest) = Ipv4Header::mut_from_prefix(ip).ok()?;
            header.decrement_ttl();
            header.checksum = to.deltas.0.apply(header.checksum);
            match to.end {
                End::Source => header.source.set(to.address.to_v4()),
                End::Destination => header.destination.set(to.address.to_v4()),
            }
            Some(rest)
        }
        Family::V6 => {
            let (header, rest) = Ipv6Header::mut_from_prefix(ip).ok()?;
            header.hop_limit -= 1;
            match to.end {
                End::Source => header.source = to.address.0.to_be_bytes(),
                End::Destination => header.destination = to.address.0.to_be_bytes(),
            }
            Some(rest)
        }
    }
}

#[inline(always)]
fn rewrite_tcp(segment: &mut [u8], to: &Rewrite) {
    if let Ok((header, _)) = TcpHeader::mut_from_prefix(segment) {
        match to.end {
            End::Source => header.source_port.set(to.port),
            End::Destination => header.destination_port.set(to.port),
        }
        header.checksum = to.deltas.1.apply(header.checksum);
    }
}

/// Whether a datagram came with a checksum.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Summed {
    Already,
    Never,
}

#[inline(always)]
fn rewrite_udp(segment: &mut [u8], to: &Rewrite) -> Summed {
    let Ok((header, _)) = UdpHeader::mut_from_prefix(segment) else { return Summed::Already };
    match to.end {
        End::Source => header.source_port.set(to.port),
        End::Destination => header.destination_port.set(to.port),
    }
    if header.checksum == U16::ZERO {
        return Summed::Never;
    }
    header.checksum = never_zero(to.deltas.1.apply(header.checksum));
    Summed::Already
}

/// SCTP's checksum covers no address, and there is no need to touch it unless the port changes. Then it is computed anew
/// from all of the packet, as the kernel does: one that was wrong leaves right.
///
/// Takes no reference to the rewrite: TCP and UDP have it in registers.
#[cold]
#[inline(never)]
fn rewrite_sctp(ip: &mut [u8], packet: &Packet, end: End, to: u16) {
    let segment = usize::from(packet.l4 - packet.l3)..usize::from(packet.ip_len);
    let Some(segment) = ip.get_mut(segment) else { return };
    let Ok((header, _)) = SctpHeader::mut_from_prefix(segment) else { return };
    let port = match end {
        End::Source => &mut header.source_port,
        End::Destination => &mut header.destination_port,
    };
    if port.get() == to {
        return;
    }
    port.set(to);
    let sum = sctp::checksum(segment);
    if let Ok((header, _)) = SctpHeader::mut_from_prefix(segment) {
        header.checksum = sum;
    }
}

/// A computed 0 is sent as 0xffff, for 0 means none (RFC 768).
#[inline]
pub(crate) fn never_zero(checksum: U16) -> U16 {
    if checksum == U16::ZERO { U16::MAX_VALUE } else { checksum }
}

/// Computes the checksum of a datagram that had none, as the kernel does.
#[cold]
#[inline(never)]
fn sum_udp(ip: &mut [u8], packet: &Packet) {
    let at = usize::from(packet.l4 - packet.l3);
    let Some(ip) = ip.get_mut(..usize::from(packet.ip_len)) else { return };
    let Some((network, segment)) = ip.split_at_mut_checked(at) else { return };
    // Of a datagram in fragments not all is here: it goes on without.
    let Some(sum) = full_udp_checksum(network, segment, packet.key.family()) else { return };
    if let Ok((header, _)) = UdpHeader::mut_from_prefix(segment) {
        header.checksum = never_zero(U16::new(sum));
    }
}

#[cold]
fn full_udp_checksum(network: &[u8], segment: &[u8], family: Family) -> Option<u16> {
    let (source, destination) = match family {
        Family::V4 => (network.get(12..16), network.get(16..20)),
        Family::V6 => (network.get(8..24), network.get(24..40)),
    };
    let (Some(source), Some(destination)) = (source, destination) else {
        return None;
    };
    // The receiver sums what the UDP header says, which may be less than the IP packet holds.
    let length = segment.get(4..6).map_or(0, |field| usize::from(u16::from_be_bytes([field[0], field[1]])));
    let datagram = segment.get(..length)?;
    let sum = checksum::pseudo(source, destination, parse::UDP, datagram.len());
    Some(!checksum::fold(checksum::add(sum, datagram)))
}
