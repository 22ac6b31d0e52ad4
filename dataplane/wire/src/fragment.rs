//! Fragments: what they say of themselves, and how a packet is cut into some (RFC 791 section 3.2, RFC 8200 section 4.5).

use zerocopy::FromBytes;
use zerocopy::byteorder::network_endian::U16;

use crate::Family;
use crate::ethernet;
use crate::ipv4::{self, Ipv4Header};
use crate::ipv6::{self, Ipv6Header};
use crate::parse::{self, Extensions, Packet};
use crate::sctp;
use crate::tcp;
use crate::udp;

/// Bytes of IPv6's fragment header.
pub const HEADER_LEN_V6: usize = 8;
/// The unit of offsets, in bytes.
pub const UNIT: usize = 8;
/// The longest datagram.
const LONGEST: usize = 65_535;
/// "More fragments" in IPv6's fragment header.
const MORE_V6: u16 = 1;

/// A fragment of a TCP, UDP, SCTP, AH or ESP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragment {
    /// Which datagram of its source's.
    pub id: u32,
    /// Where in the datagram it belongs, in units of eight bytes.
    pub offset: u16,
    /// How much of it, in bytes.
    pub length: u16,
    /// Whether it is not the last.
    pub more: bool,
}

impl Fragment {
    /// The units of eight bytes it is about; a last one may end within its last unit.
    pub fn units(&self) -> std::ops::Range<usize> {
        let start = usize::from(self.offset);
        start..start + usize::from(self.length).div_ceil(UNIT)
    }
}

/// What the fragment in `frame` says, and where its headers are: of a frame that [`parse`](parse::parse) called a fragment.
/// Only a first fragment (offset 0) has ports and a signal.
///
/// `None` for what no whole packet was cut into: no data, an end beyond the longest packet, one before the last that is no
/// multiple of eight bytes, a first one without the whole transport header, and one that would change a TCP header (RFC
/// 1858, RFC 3128) or SCTP's first chunk. And for other protocols.
pub fn describe(frame: &[u8], packet: &mut Packet) -> Option<Fragment> {
    let fragment = match packet.key.family() {
        Family::V4 => describe_v4(frame, packet),
        Family::V6 => describe_v6(frame, packet),
    }?;
    let end = usize::from(fragment.offset) * UNIT + usize::from(fragment.length);
    let is_cut_right = !fragment.more || usize::from(fragment.length).is_multiple_of(UNIT);
    if fragment.length == 0 || end > LONGEST || !is_cut_right {
        return None;
    }
    let l4 = usize::from(packet.l4);
    let data = frame.get(l4..l4 + usize::from(fragment.length))?;
    let is_right = match (packet.key.protocol(), fragment.offset) {
        (parse::TCP, 0) => first_of_tcp(packet, data),
        (parse::UDP, 0) => first_of_udp(packet, data),
        (parse::TCP, offset) => usize::from(offset) * UNIT >= tcp::HEADER_LEN,
        (parse::UDP | parse::ESP | parse::AH, _) => true,
        (parse::SCTP, 0) => parse::sctp_transport(packet, data).is_some(),
        (parse::SCTP, offset) => usize::from(offset) * UNIT >= sctp::HEADER_LEN + sctp::CHUNK_HEADER_LEN,
        _ => false,
    };
    is_right.then_some(fragment)
}

fn describe_v4(frame: &[u8], packet: &Packet) -> Option<Fragment> {
    let (header, _) = Ipv4Header::ref_from_prefix(frame.get(usize::from(packet.l3)..)?).ok()?;
    let fragment = header.fragment.get();
    Some(Fragment {
        id: header.id.get().into(),
        offset: fragment & ipv4::OFFSET_MASK,
        length: packet.ip_len.checked_sub(packet.l4 - packet.l3)?,
        more: fragment & ipv4::MORE_FRAGMENTS != 0,
    })
}

fn describe_v6(frame: &[u8], packet: &mut Packet) -> Option<Fragment> {
    let bytes = frame.get(ethernet::HEADER_LEN..)?;
    let (header, rest) = Ipv6Header::ref_from_prefix(bytes).ok()?;
    let payload = rest.get(..usize::from(header.payload_len.get()))?;
    let Extensions::Fragment { at, .. } = parse::skip_extensions(header.next_header, payload) else { return None };
    let &[_, _, high, low, a, b, c, d] = payload.get(at..)?.first_chunk::<HEADER_LEN_V6>()?;
    let field = u16::from_be_bytes([high, low]);
    let data = at + HEADER_LEN_V6;
    packet.l3 = u16::try_from(ethernet::HEADER_LEN).ok()?;
    packet.l4 = u16::try_from(ethernet::HEADER_LEN + ipv6::HEADER_LEN + data).ok()?;
    packet.ip_len = u16::try_from(ipv6::HEADER_LEN + payload.len()).ok()?;
    packet.ttl = header.hop_limit;
    packet.dont_fragment = true;
    Some(Fragment {
        id: u32::from_be_bytes([a, b, c, d]),
        offset: field >> 3,
        length: u16::try_from(payload.len() - data).ok()?,
        more: field & MORE_V6 != 0,
    })
}

fn first_of_tcp(packet: &mut Packet, data: &[u8]) -> bool {
    let Ok((header, _)) = tcp::TcpHeader::ref_from_prefix(data) else { return false };
    let header_len = usize::from(header.data_offset >> 4) * 4;
    if header_len < tcp::HEADER_LEN || header_len > data.len() {
        return false;
    }
    packet.key.set_ports(parse::ports(header.source_port, header.destination_port));
    packet.signal = header.flags & tcp::SIGNALS;
    true
}

fn first_of_udp(packet: &mut Packet, data: &[u8]) -> bool {
    let Ok((header, _)) = udp::UdpHeader::ref_from_prefix(data) else { return false };
    packet.key.set_ports(parse::ports(header.source_port, header.destination_port));
    packet.signal = parse::GOES_ON;
    usize::from(header.length.get()) >= udp::HEADER_LEN
}

/// How the packet in a frame is cut into fragments of at most so many bytes each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cut {
    family: Family,
    /// Bytes in front of the data in the frame.
    header: usize,
    /// Bytes of data in the packet, and in each fragment but the last.
    data: usize,
    each: usize,
    /// IPv6: identification of the datagram.
    id: u32,
}

impl Cut {
    /// The packet in `frame`, without Ethernet padding, in fragments of at most `mtu` bytes. IPv6 packets are those the
    /// director made itself, without extension headers; `id` is for them alone.
    ///
    /// `None` if it is no IP packet, or not even eight bytes of data fit.
    pub fn of(frame: &[u8], mtu: u16, id: u32) -> Option<Self> {
        let bytes = frame.get(ethernet::HEADER_LEN..)?;
        let (family, header, total) = if bytes.first()? >> 4 == 4 {
            let (header, _) = Ipv4Header::ref_from_prefix(bytes).ok()?;
            (Family::V4, header.header_len(), usize::from(header.total_len.get()))
        } else {
            let (header, _) = Ipv6Header::ref_from_prefix(bytes).ok()?;
            (Family::V6, ipv6::HEADER_LEN, ipv6::HEADER_LEN + usize::from(header.payload_len.get()))
        };
        let added = if family == Family::V6 { HEADER_LEN_V6 } else { 0 };
        let each = usize::from(mtu).checked_sub(header + added)? / UNIT * UNIT;
        let data = total.checked_sub(header)?;
        let is_there = ethernet::HEADER_LEN + total <= frame.len();
        (each > 0 && is_there).then_some(Self { family, header: ethernet::HEADER_LEN + header, data, each, id })
    }

    /// How many fragments there are.
    pub fn count(&self) -> usize {
        self.data.div_ceil(self.each)
    }

    /// What fragment `number` is made of: the frame's headers, what comes between them and the data, and its part of the data.
    pub fn parts<'a>(&self, frame: &'a [u8], number: usize) -> [&'a [u8]; 3] {
        let from = number * self.each;
        let data = self.header + from..self.header + self.data.min(from + self.each);
        let between: &[u8] = if self.family == Family::V6 { &[0; HEADER_LEN_V6] } else { &[] };
        [&frame[..self.header], between, &frame[data]]
    }

    /// Writes the headers of fragment `number` into a frame that was put together from its [`parts`](Self::parts).
    pub fn finish(&self, number: usize, fragment: &mut [u8]) {
        let is_last = number + 1 == self.count();
        // At most 65,535 bytes in units of eight.
        let offset = u16::try_from(number * self.each / UNIT).unwrap_or(u16::MAX);
        let length = u16::try_from(fragment.len() - ethernet::HEADER_LEN).unwrap_or(u16::MAX);
        let Some(ip) = fragment.get_mut(ethernet::HEADER_LEN..) else { return };
        match self.family {
            Family::V4 => finish_v4(ip, length, offset, is_last),
            Family::V6 => finish_v6(ip, length, offset, is_last, self.id),
        }
    }
}

fn finish_v4(ip: &mut [u8], length: u16, offset: u16, is_last: bool) {
    let Ok((header, _)) = Ipv4Header::mut_from_prefix(ip) else { return };
    // It may be a fragment itself.
    let was = header.fragment.get();
    let more = if is_last { was & ipv4::MORE_FRAGMENTS } else { ipv4::MORE_FRAGMENTS };
    header.fragment.set(more | ((was & ipv4::OFFSET_MASK) + offset));
    header.total_len.set(length);
    header.checksum = U16::ZERO;
    let header_len = header.header_len();
    let Some(bytes) = ip.get_mut(..header_len) else { return };
    if offset > 0 {
        forget_options(&mut bytes[ipv4::HEADER_LEN..]);
    }
    let sum = crate::checksum::of(bytes);
    if let Ok((header, _)) = Ipv4Header::mut_from_prefix(ip) {
        header.checksum.set(sum);
    }
}

/// Options without the "copied" bit are in the first fragment only (RFC 791 section 3.1): others have nothing in their place.
fn forget_options(mut options: &mut [u8]) {
    const END: u8 = 0;
    const NOTHING: u8 = 1;
    const COPIED: u8 = 0x80;
    while let &mut [kind, ref rest @ ..] = options {
        let length = match kind {
            END => return,
            NOTHING => 1,
            _ => rest.first().map_or(1, |&length| usize::from(length)),
        };
        if length == 0 || length > options.len() {
            return;
        }
        let (option, rest) = options.split_at_mut(length);
        if kind & COPIED == 0 {
            option.fill(NOTHING);
        }
        options = rest;
    }
}

fn finish_v6(ip: &mut [u8], length: u16, offset: u16, is_last: bool, id: u32) {
    let Ok((header, rest)) = Ipv6Header::mut_from_prefix(ip) else { return };
    let next = std::mem::replace(&mut header.next_header, ipv6::FRAGMENT);
    #[expect(clippy::cast_possible_truncation, reason = "40")]
    header.payload_len.set(length - ipv6::HEADER_LEN as u16);
    let Some(field) = rest.first_chunk_mut::<HEADER_LEN_V6>() else { return };
    let [high, low] = (offset << 3 | if is_last { 0 } else { MORE_V6 }).to_be_bytes();
    let [a, b, c, d] = id.to_be_bytes();
    *field = [next, 0, high, low, a, b, c, d];
}

#[cfg(test)]
mod tests;
