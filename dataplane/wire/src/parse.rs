//! From bytes to offsets and a flow key, with every bound proved once.

use ulvs_model::Family;
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, IntoBytes};

use crate::ethernet::{self, EthernetHeader};
use crate::flow::{Address, FlowKey};
use crate::ipv4::{self, Ipv4Header};
use crate::ipv6::{self, Ipv6Header};
use crate::sctp;
use crate::tcp::{self, TcpHeader};
use crate::udp::{self, UdpHeader};
use crate::{checksum, fragment, icmp};

/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;
/// IP protocol number of ESP (RFC 4303).
pub const ESP: u8 = 50;
/// IP protocol number of AH (RFC 4302).
pub const AH: u8 = 51;
/// IP protocol number of SCTP.
pub const SCTP: u8 = 132;
/// In [`Packet::signal`]: the packet asks for a connection. TCP's SYN, SCTP's INIT.
pub const OPENS: u8 = tcp::SYN;
/// As [`Packet::signal`]: the packet neither opens nor ends a connection. TCP's ACK, without SYN, FIN and RST; every packet of UDP.
pub const GOES_ON: u8 = tcp::ACK;
/// In [`Packet::signal`]: the packet refuses or breaks a connection off. TCP's RST, SCTP's ABORT as the first chunk.
pub const RESETS: u8 = tcp::RST;
/// Extension headers that are skipped before a packet counts as malformed.
const MAX_EXTENSIONS: usize = 8;

/// A TCP, UDP or SCTP packet, whole and with its headers where it says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Packet {
    /// Addresses, ports and protocol.
    pub key: FlowKey,
    /// Offset of the IP header in the frame.
    pub l3: u16,
    /// Offset of the transport header in the frame.
    pub l4: u16,
    /// Bytes of the IP packet, without Ethernet header and padding.
    pub ip_len: u16,
    /// TTL or hop limit as it came in.
    pub ttl: u8,
    /// What it says to its connection: TCP's SYN, FIN, RST and ACK, SCTP's [`Event`](sctp::Event), [`GOES_ON`] of UDP.
    pub signal: u8,
    /// IPv4 with DF.
    pub dont_fragment: bool,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A TCP, UDP or SCTP packet.
    Flow,
    /// A fragment of an IP packet; addresses, protocol and family are known.
    Fragment,
    /// ICMP or ICMPv6.
    Icmp,
    /// IP with some other protocol.
    OtherProtocol,
    /// ARP.
    Arp,
    /// Neither IP nor ARP.
    OtherEtherType,
    /// Broken.
    Malformed(Malformed),
}

/// How a frame is broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Malformed {
    /// Shorter than its headers, or than they say.
    Truncated,
    /// IP version, header length or total length make no sense.
    BadIpHeader,
    /// IPv4 header checksum does not verify.
    BadIpChecksum,
    /// The TCP or UDP header is cut off, or says it is longer than the packet; SCTP without a chunk.
    BadTransportHeader,
}

/// Says what `frame` is, beginning with the Ethernet header, and describes it in `packet`.
///
/// Only a [`Kind::Flow`] is described as a whole. Fields are written one by one, not as a value: reading one right after a
/// wide copy would stall.
#[inline]
pub fn parse(frame: &[u8], packet: &mut Packet) -> Kind {
    let is_plain = frame.first_chunk().is_some_and(|start| parse_plain(start, frame.len(), packet));
    if is_plain { Kind::Flow } else { parse_other(frame, packet) }
}

/// The first half of [`parse`]: whether a frame is what most are, TCP or UDP in IPv4 without IP options. It is a
/// [`Kind::Flow`] then. `start` is the [first part](PLAIN) of a frame of `frame_len` bytes.
#[inline]
pub fn parse_plain(start: &[u8; PLAIN], frame_len: usize, packet: &mut Packet) -> bool {
    plain_ipv4(start, frame_len, packet)
}

/// The second half of [`parse`], for what is not plain: any frame, field by field.
#[inline]
pub fn parse_other(frame: &[u8], packet: &mut Packet) -> Kind {
    parse_all(frame, packet)
}

/// Bytes of an Ethernet header, an IPv4 header without options and a TCP header without options: no frame on a wire is shorter.
pub const PLAIN: usize = ethernet::HEADER_LEN + ipv4::HEADER_LEN + tcp::HEADER_LEN;

/// What most packets are, with every offset known to the compiler. False for everything else, right or wrong.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "constants, and fields that are cut out of words")]
fn plain_ipv4(start: &[u8; PLAIN], frame_len: usize, packet: &mut Packet) -> bool {
    const L3: usize = ethernet::HEADER_LEN;
    const L4: usize = L3 + ipv4::HEADER_LEN;
    const L3_LEN: usize = ipv4::HEADER_LEN;
    /// Version 4, and five words of header.
    const VERSION_AND_LENGTH: u8 = 0x45;
    /// What is 0 but in fragments, in the second half of a header's first word.
    const FRAGMENT: u32 = (ipv4::FRAGMENT_MASK.swap_bytes() as u32) << 16;
    const DONT_FRAGMENT: u32 = (ipv4::DONT_FRAGMENT.swap_bytes() as u32) << 16;
    let half = |at: usize| u16::from_be_bytes([start[at], start[at + 1]]);
    // The header in two words and a half: the lowest byte of each comes first on the wire.
    let word = |at: usize| -> u64 { u64::from_le_bytes(*start[at..].first_chunk().unwrap_or(&[0; 8])) };
    let (first, second) = (word(L3), word(L3 + 8));
    let last = u32::from_le_bytes([start[L3 + 16], start[L3 + 17], start[L3 + 18], start[L3 + 19]]);
    let ip_len = ((first as u32).swap_bytes() & 0xffff) as usize;
    let protocol = start[L3 + 9];
    // The signal is written at once, whatever becomes of the packet: until its end it would have no register.
    let transport_len = if protocol == UDP {
        let len = usize::from(half(L4 + 4));
        if len < udp::HEADER_LEN {
            return false;
        }
        packet.signal = GOES_ON;
        len
    } else if protocol == TCP {
        let (words, flags) = (start[L4 + 12], start[L4 + 13]);
        if words < (tcp::HEADER_LEN as u8 / 4) << 4 {
            return false;
        }
        packet.signal = flags & tcp::SIGNALS;
        usize::from(words >> 4) * 4
    } else {
        return false;
    };
    // One after the other: that they all hold is foretold, and a branch foretold costs less than a sum of conditions.
    if first as u8 != VERSION_AND_LENGTH
        || (first >> 32) as u32 & FRAGMENT != 0
        || half(12) != ethernet::TYPE_IPV4
        || ip_len < L3_LEN + transport_len
        || L3 + ip_len > frame_len
        || !ipv4::is_sum_right(first, second, last)
    {
        return false;
    }
    let ports = [start[L4], start[L4 + 1], start[L4 + 2], start[L4 + 3]];
    // Read once more: to put it together out of the two words takes more.
    packet.key.set_v4(word(L3 + 12), ports, protocol);
    packet.l3 = L3 as u16;
    packet.l4 = L4 as u16;
    packet.ip_len = ip_len as u16;
    packet.ttl = second as u8;
    packet.dont_fragment = (first >> 32) as u32 & DONT_FRAGMENT != 0;
    true
}

/// The same as [`parse`], without its short way: for frames that have taken the long one before.
#[inline(never)]
pub fn parse_any(frame: &[u8], packet: &mut Packet) -> Kind {
    parse_all(frame, packet)
}

/// Any frame, field by field.
#[inline]
fn parse_all(frame: &[u8], packet: &mut Packet) -> Kind {
    let Ok((ethernet, rest)) = EthernetHeader::ref_from_prefix(frame) else {
        return Kind::Malformed(Malformed::Truncated);
    };
    match ethernet.ether_type.get() {
        ethernet::TYPE_IPV4 => ipv4(rest, packet),
        ethernet::TYPE_IPV6 => ipv6(rest, packet),
        ethernet::TYPE_ARP => Kind::Arp,
        _ => Kind::OtherEtherType,
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "header_len is at most 60")]
fn ipv4(bytes: &[u8], packet: &mut Packet) -> Kind {
    let Ok((header, _)) = Ipv4Header::ref_from_prefix(bytes) else {
        return Kind::Malformed(Malformed::Truncated);
    };
    let header_len = header.header_len();
    let ip_len = header.total_len.get();
    if header.version_ihl >> 4 != 4 || header_len < ipv4::HEADER_LEN || usize::from(ip_len) < header_len {
        return Kind::Malformed(Malformed::BadIpHeader);
    }
    let Some(datagram) = bytes.get(..usize::from(ip_len)) else {
        return Kind::Malformed(Malformed::Truncated);
    };
    if checksum::fold(header_sum(header, datagram, header_len)) != 0xffff {
        return Kind::Malformed(Malformed::BadIpChecksum);
    }
    let fragment = header.fragment.get();
    let (source, destination) = (Address::v4(header.source.get()), Address::v4(header.destination.get()));
    packet.key = FlowKey::new(header.protocol, Family::V4, (source, 0), (destination, 0));
    packet.l3 = ethernet::HEADER_LEN as u16;
    packet.l4 = (ethernet::HEADER_LEN + header_len) as u16;
    packet.ip_len = ip_len;
    packet.ttl = header.ttl;
    packet.dont_fragment = fragment & ipv4::DONT_FRAGMENT != 0;
    if fragment & ipv4::FRAGMENT_MASK != 0 {
        return Kind::Fragment;
    }
    transport(packet, &datagram[header_len..])
}

/// The sum of a header with its checksum; most have no options.
#[inline]
fn header_sum(header: &Ipv4Header, datagram: &[u8], header_len: usize) -> u64 {
    let sum = checksum::add(0, header.as_bytes());
    if header_len == ipv4::HEADER_LEN { sum } else { checksum::add(sum, &datagram[ipv4::HEADER_LEN..header_len]) }
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "offsets are within a packet of at most 65,575 bytes, checked below"
)]
fn ipv6(bytes: &[u8], packet: &mut Packet) -> Kind {
    let Ok((header, rest)) = Ipv6Header::ref_from_prefix(bytes) else {
        return Kind::Malformed(Malformed::Truncated);
    };
    if header.version_class_flow.get() >> 28 != 6 {
        return Kind::Malformed(Malformed::BadIpHeader);
    }
    let Some(payload) = rest.get(..usize::from(header.payload_len.get())) else {
        return Kind::Malformed(Malformed::Truncated);
    };
    let ip_len = ipv6::HEADER_LEN + payload.len();
    if ethernet::HEADER_LEN + ip_len > usize::from(u16::MAX) {
        return Kind::Malformed(Malformed::BadIpHeader);
    }
    let addresses = [words(&header.source), words(&header.destination)];
    let (protocol, skipped) = match header.next_header {
        TCP | UDP => (header.next_header, 0),
        next => match skip_extensions(next, payload) {
            Extensions::Transport(protocol, skipped) => (protocol, skipped),
            Extensions::Fragment { protocol, .. } => {
                packet.key.set_v6(addresses, protocol);
                return Kind::Fragment;
            }
            Extensions::OnItsWay => return Kind::OtherProtocol,
            Extensions::Malformed(how) => return Kind::Malformed(how),
        },
    };
    packet.key.set_v6(addresses, protocol);
    packet.l3 = ethernet::HEADER_LEN as u16;
    packet.l4 = (ethernet::HEADER_LEN + ipv6::HEADER_LEN + skipped) as u16;
    packet.ip_len = ip_len as u16;
    packet.ttl = header.hop_limit;
    packet.dont_fragment = true;
    transport(packet, &payload[skipped..])
}

/// An address as a key has it.
#[inline]
fn words(address: &[u8; 16]) -> [u64; 2] {
    let (words, _) = address.as_chunks::<8>();
    [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])]
}

/// What extension headers lead to.
pub(crate) enum Extensions {
    /// This protocol, so many bytes on.
    Transport(u8, usize),
    /// A fragment header so many bytes on, with the next header of what was cut up.
    Fragment {
        at: usize,
        protocol: u8,
    },
    /// The packet has more nodes to visit: its destination is the next one only, and no end of a flow.
    OnItsWay,
    Malformed(Malformed),
}

pub(crate) fn skip_extensions(mut next: u8, payload: &[u8]) -> Extensions {
    let mut at = 0;
    for _ in 0..MAX_EXTENSIONS {
        match next {
            // One that is all of a packet is no fragment (RFC 6946).
            ipv6::FRAGMENT if is_atomic(payload, at) => {
                (next, at) = (payload[at], at + fragment::HEADER_LEN_V6);
                continue;
            }
            ipv6::FRAGMENT => {
                return Extensions::Fragment { at, protocol: payload.get(at).copied().unwrap_or(next) };
            }
            ipv6::HOP_BY_HOP | ipv6::ROUTING | ipv6::DESTINATION_OPTIONS => {}
            _ => return Extensions::Transport(next, at),
        }
        let Some(&[following, words, _, segments_left, ..]) = payload.get(at..) else {
            return Extensions::Malformed(Malformed::Truncated);
        };
        // RFC 8200 section 4.4.
        if next == ipv6::ROUTING && segments_left > 0 {
            return Extensions::OnItsWay;
        }
        // RFC 8200 section 4.3: the length is in 8-byte words, not counting the first.
        at += (usize::from(words) + 1) * 8;
        if at > payload.len() {
            return Extensions::Malformed(Malformed::Truncated);
        }
        next = following;
    }
    Extensions::Malformed(Malformed::BadIpHeader)
}

/// Whether the fragment header at `at` says that nothing was cut off.
fn is_atomic(payload: &[u8], at: usize) -> bool {
    // The offset and "more fragments"; two bits between them are reserved.
    matches!(payload.get(at..), Some(&[_, _, high, low, _, _, _, _, ..]) if high == 0 && low & !6 == 0)
}

#[inline]
fn transport(packet: &mut Packet, segment: &[u8]) -> Kind {
    match packet.key.protocol() {
        TCP => {
            let Ok((header, _)) = TcpHeader::ref_from_prefix(segment) else {
                return Kind::Malformed(Malformed::BadTransportHeader);
            };
            let header_len = usize::from(header.data_offset >> 4) * 4;
            if header_len < tcp::HEADER_LEN || header_len > segment.len() {
                return Kind::Malformed(Malformed::BadTransportHeader);
            }
            packet.key.set_ports(ports(header.source_port, header.destination_port));
            packet.signal = header.flags & tcp::SIGNALS;
            Kind::Flow
        }
        UDP => {
            let Ok((header, _)) = UdpHeader::ref_from_prefix(segment) else {
                return Kind::Malformed(Malformed::BadTransportHeader);
            };
            let length = usize::from(header.length.get());
            // RFC 2675 jumbograms (length 0) don't fit a frame.
            if length < udp::HEADER_LEN || length > segment.len() {
                return Kind::Malformed(Malformed::BadTransportHeader);
            }
            packet.key.set_ports(ports(header.source_port, header.destination_port));
            packet.signal = GOES_ON;
            Kind::Flow
        }
        _ => other_transport(packet, segment),
    }
}

/// Neither TCP nor UDP. By itself, so that those two have all registers.
#[cold]
#[inline(never)]
fn other_transport(packet: &mut Packet, segment: &[u8]) -> Kind {
    match packet.key.protocol() {
        SCTP => sctp_transport(packet, segment).map_or(Kind::Malformed(Malformed::BadTransportHeader), |()| Kind::Flow),
        icmp::PROTOCOL if packet.key.family() == Family::V4 => Kind::Icmp,
        icmp::PROTOCOL_V6 if packet.key.family() == Family::V6 => Kind::Icmp,
        _ => Kind::OtherProtocol,
    }
}

/// Ports and signal of an SCTP packet; `None` if it has no chunk.
pub(crate) fn sctp_transport(packet: &mut Packet, segment: &[u8]) -> Option<()> {
    packet.signal = sctp::Event::of(segment)?.signal();
    packet.key.set_ports(*segment.first_chunk()?);
    Some(())
}

/// Whether packets of this protocol are told apart by ports, which begin their header.
pub const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, TCP | UDP | SCTP)
}

#[inline]
pub(crate) fn ports(source: U16, destination: U16) -> [u8; 4] {
    let ([a, b], [c, d]) = (source.to_bytes(), destination.to_bytes());
    [a, b, c, d]
}

#[cfg(test)]
mod tests;
