//! Masquerading: one address and one port change, and the checksums by the connection's deltas (ipvs-facts C.4).

use ulvs_wire::{Address, Delta, Family, Packet, checksum, parse, tcp, udp};

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
#[inline]
pub(crate) fn rewrite(frame: &mut impl Frame, packet: &Packet, to: &Rewrite, ethernet: &[u8; 12]) {
    super::decrement_ttl(frame, packet);
    match packet.key.family() {
        Family::V4 => {
            if let Some(header) = super::ipv4(frame, packet) {
                match to.end {
                    End::Source => header.source.set(to.address.to_v4()),
                    End::Destination => header.destination.set(to.address.to_v4()),
                }
                header.checksum.set(to.deltas.0.apply(header.checksum.get()));
            }
        }
        Family::V6 => {
            if let Some(header) = super::ipv6(frame, packet) {
                match to.end {
                    End::Source => header.source = to.address.0.to_be_bytes(),
                    End::Destination => header.destination = to.address.0.to_be_bytes(),
                }
            }
        }
    }
    rewrite_transport(frame, packet, to);
    super::set_ethernet(frame, ethernet);
}

#[inline]
fn rewrite_transport(frame: &mut impl Frame, packet: &Packet, to: &Rewrite) {
    let (l3, l4) = (usize::from(packet.l3), usize::from(packet.l4));
    let Some(ip) = frame.bytes_mut().get_mut(l3..l3 + usize::from(packet.ip_len)) else {
        return;
    };
    let (network, segment) = ip.split_at_mut(l4 - l3);
    let port_at = match to.end {
        End::Source => 0,
        End::Destination => 2,
    };
    if let Some(port) = segment.get_mut(port_at..port_at + 2) {
        port.copy_from_slice(&to.port.to_be_bytes());
    }
    let is_udp = packet.key.protocol() == parse::UDP;
    let at = if is_udp { udp::CHECKSUM_OFFSET } else { tcp::CHECKSUM_OFFSET };
    let Some(&mut [high, low]) = segment.get_mut(at..at + 2) else {
        return;
    };
    let old = u16::from_be_bytes([high, low]);
    let new = match (is_udp, old) {
        // No checksum: the kernel computes one.
        (true, 0) => match full_udp_checksum(network, segment, packet.key.family()) {
            0 => 0xffff,
            sum => sum,
        },
        (true, _) => match to.deltas.1.apply(old) {
            // A computed 0 is sent as 0xffff, for 0 means none (RFC 768).
            0 => 0xffff,
            sum => sum,
        },
        (false, _) => to.deltas.1.apply(old),
    };
    segment[at..at + 2].copy_from_slice(&new.to_be_bytes());
}

#[cold]
fn full_udp_checksum(network: &[u8], segment: &[u8], family: Family) -> u16 {
    let (source, destination) = match family {
        Family::V4 => (network.get(12..16), network.get(16..20)),
        Family::V6 => (network.get(8..24), network.get(24..40)),
    };
    let (Some(source), Some(destination)) = (source, destination) else {
        return 0;
    };
    // The receiver sums what the UDP header says, which may be less than the IP packet holds.
    let length = segment.get(4..6).map_or(0, |field| usize::from(u16::from_be_bytes([field[0], field[1]])));
    let datagram = segment.get(..length).unwrap_or(segment);
    let sum = checksum::pseudo(source, destination, parse::UDP, datagram.len());
    !checksum::fold(checksum::add(sum, datagram))
}
