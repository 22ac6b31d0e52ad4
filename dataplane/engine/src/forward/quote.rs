//! ICMP errors about translated packets: outer and quoted headers are translated back (ipvs-facts C.6; RFC 5508).

use ulvs_wire::icmp::{self, IcmpHeader};
use ulvs_wire::ipv4::Ipv4Header;
use ulvs_wire::ipv6::Ipv6Header;
use ulvs_wire::{Address, Family, Packet, Quoted, checksum, parse, quoted};
use zerocopy::FromBytes;
use zerocopy::byteorder::network_endian::U16;

use crate::frame::Frame;

use super::nat::End;

/// What becomes of one end of the error, and so of the other end of the packet it quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Translation {
    /// The end of the outer header.
    pub(crate) end: End,
    pub(crate) address: Address,
    /// For the quoted packet: the outer one has none.
    pub(crate) port: u16,
}

/// Whether the ICMP checksum verifies.
pub(crate) fn verifies(frame: &impl Frame, packet: &Packet) -> bool {
    let message = quoted::within(frame.bytes(), packet).and_then(|frame| frame.get(usize::from(packet.l4)..));
    message.is_some_and(|message| {
        checksum::fold(checksum::add(pseudo(frame.bytes(), packet, message.len()), message)) == 0xffff
    })
}

/// Translates the error and takes one from its TTL, which must not be 0. Its checksum must have been verified, for it is
/// computed anew.
pub(crate) fn translate(
    frame: &mut impl Frame,
    packet: &Packet,
    quoted: &Quoted,
    to: &Translation,
    ethernet: &[u8; 12],
) {
    super::decrement_ttl(frame.bytes_mut(), packet);
    super::set_ethernet(frame.bytes_mut(), ethernet);
    let family = packet.key.family();
    let inner = match to.end {
        End::Source => End::Destination,
        End::Destination => End::Source,
    };
    let bytes = frame.bytes_mut();
    set_address(bytes, packet.l3, family, to.end, to.address);
    set_address(bytes, quoted.l3, family, inner, to.address);
    let at = usize::from(quoted.l4) + if inner == End::Source { 0 } else { 2 };
    if parse::has_ports(quoted.key.protocol())
        && let Some(port) = bytes.get_mut(at..at + 2)
    {
        port.copy_from_slice(&to.port.to_be_bytes());
    }
    sum_icmp(frame, packet);
}

/// Writes an address into the header at `l3`, and the checksum of all of an IPv4 header.
fn set_address(bytes: &mut [u8], l3: u16, family: Family, end: End, address: Address) {
    let Some(bytes) = bytes.get_mut(usize::from(l3)..) else { return };
    match family {
        Family::V4 => {
            let Ok((header, _)) = Ipv4Header::mut_from_prefix(bytes) else { return };
            match end {
                End::Source => header.source.set(address.to_v4()),
                End::Destination => header.destination.set(address.to_v4()),
            }
            header.checksum = U16::ZERO;
            let len = header.header_len();
            let sum = bytes.get(..len).map_or(0, checksum::of);
            if let Ok((header, _)) = Ipv4Header::mut_from_prefix(bytes) {
                header.checksum.set(sum);
            }
        }
        Family::V6 => {
            let Ok((header, _)) = Ipv6Header::mut_from_prefix(bytes) else { return };
            match end {
                End::Source => header.source = address.0.to_be_bytes(),
                End::Destination => header.destination = address.0.to_be_bytes(),
            }
        }
    }
}

fn sum_icmp(frame: &mut impl Frame, packet: &Packet) {
    let (l4, end) = (usize::from(packet.l4), usize::from(packet.l3) + usize::from(packet.ip_len));
    let Some(message) = frame.bytes_mut().get_mut(l4..end) else { return };
    let Ok((header, _)) = IcmpHeader::mut_from_prefix(message) else { return };
    header.checksum = U16::ZERO;
    let frame_bytes = frame.bytes();
    let Some(message) = frame_bytes.get(l4..end) else { return };
    let sum = !checksum::fold(checksum::add(pseudo(frame_bytes, packet, message.len()), message));
    if let Some(Ok((header, _))) = frame.bytes_mut().get_mut(l4..end).map(IcmpHeader::mut_from_prefix) {
        header.checksum.set(sum);
    }
}

/// The sum of ICMPv6's pseudo-header; ICMP has none.
fn pseudo(frame: &[u8], packet: &Packet, length: usize) -> u64 {
    let header = frame.get(usize::from(packet.l3)..).map(Ipv6Header::ref_from_prefix);
    match header {
        Some(Ok((header, _))) if packet.key.family() == Family::V6 => {
            checksum::pseudo(&header.source, &header.destination, icmp::PROTOCOL_V6, length)
        }
        _ => 0,
    }
}
