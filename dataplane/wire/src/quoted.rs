//! The packet that an ICMP error quotes, as far as it quotes it (RFC 792, RFC 4443).

use zerocopy::FromBytes;

use crate::Family;
use crate::flow::{Address, FlowKey};
use crate::ipv4::{self, Ipv4Header};
use crate::ipv6::Ipv6Header;
use crate::parse::{self, Extensions};
use crate::{icmp, parse::Packet};

/// Bytes of a transport header that must be quoted: the ports.
const PORTS: usize = 4;

/// Where the headers of a quoted packet are, and whose packet it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quoted {
    /// Addresses and protocol, and ports if the protocol is TCP, UDP or SCTP.
    pub key: FlowKey,
    /// Offset of its IP header in the frame.
    pub l3: u16,
    /// Offset in the frame of what follows its IP header and extension headers.
    pub l4: u16,
    /// The IP packet's length, as its header says: the quote may be shorter.
    pub ip_len: u32,
    /// IPv4 with DF, or IPv6.
    pub dont_fragment: bool,
}

impl Quoted {
    /// What the ICMP error `packet` in `frame` quotes. `None`: its headers are not quoted as far as is needed, or it was a later
    /// fragment.
    pub fn of(frame: &[u8], packet: &Packet) -> Option<Self> {
        Self::at(within(frame, packet)?, usize::from(packet.l4) + icmp::HEADER_LEN, packet.key.family())
    }

    /// The packet whose IP header is at `l3` in the frame. Checksums are not looked at: a quote may have been cut off.
    pub fn at(frame: &[u8], l3: usize, family: Family) -> Option<Self> {
        let bytes = frame.get(l3..)?;
        let mut quoted = match family {
            Family::V4 => v4(bytes, l3),
            Family::V6 => v6(bytes, l3),
        }?;
        if parse::has_ports(quoted.key.protocol()) {
            let ports: &[u8; PORTS] = frame.get(usize::from(quoted.l4)..)?.first_chunk()?;
            quoted.key.set_ports(*ports);
        }
        Some(quoted)
    }
}

/// The frame up to the end of the IP packet: padding is no part of a quote.
pub fn within<'a>(frame: &'a [u8], packet: &Packet) -> Option<&'a [u8]> {
    frame.get(..usize::from(packet.l3) + usize::from(packet.ip_len))
}

fn v4(bytes: &[u8], l3: usize) -> Option<Quoted> {
    let (header, _) = Ipv4Header::ref_from_prefix(bytes).ok()?;
    let header_len = header.header_len();
    let fragment = header.fragment.get();
    let is_whole = header.version_ihl >> 4 == 4 && header_len >= ipv4::HEADER_LEN && header_len <= bytes.len();
    if !is_whole || fragment & ipv4::OFFSET_MASK != 0 {
        return None;
    }
    let (source, destination) = (Address::v4(header.source.get()), Address::v4(header.destination.get()));
    Some(Quoted {
        key: FlowKey::new(header.protocol, Family::V4, (source, 0), (destination, 0)),
        l3: u16::try_from(l3).ok()?,
        l4: u16::try_from(l3 + header_len).ok()?,
        ip_len: header.total_len.get().into(),
        dont_fragment: fragment & ipv4::DONT_FRAGMENT != 0,
    })
}

fn v6(bytes: &[u8], l3: usize) -> Option<Quoted> {
    let (header, rest) = Ipv6Header::ref_from_prefix(bytes).ok()?;
    if header.version_class_flow.get() >> 28 != 6 {
        return None;
    }
    let (protocol, skipped) = match parse::skip_extensions(header.next_header, rest) {
        Extensions::Transport(protocol, skipped) => (protocol, skipped),
        // Of a datagram in fragments the first is quoted with its ports, behind a header of eight bytes.
        Extensions::Fragment { at, protocol } => {
            let &[_, _, high, low, ..] = rest.get(at..)? else { return None };
            if u16::from_be_bytes([high, low]) & !7 != 0 {
                return None;
            }
            (protocol, at + 8)
        }
        Extensions::OnItsWay | Extensions::Malformed(_) => return None,
    };
    let address = |bytes: &[u8; 16]| Address(u128::from_be_bytes(*bytes));
    let (source, destination) = (address(&header.source), address(&header.destination));
    Some(Quoted {
        key: FlowKey::new(protocol, Family::V6, (source, 0), (destination, 0)),
        l3: u16::try_from(l3).ok()?,
        l4: u16::try_from(l3 + crate::ipv6::HEADER_LEN + skipped).ok()?,
        ip_len: u32::from(header.payload_len.get()) + 40,
        dont_fragment: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethernet;
    use proptest::prelude::*;

    /// An ICMP error with this quote, and what `parse` says of it.
    fn error(v6: bool, quote: &[u8]) -> (Vec<u8>, Packet) {
        let (l4, family) = if v6 { (54, Family::V6) } else { (34, Family::V4) };
        let mut frame = vec![0; l4 + icmp::HEADER_LEN];
        frame.extend_from_slice(quote);
        let ip_len = u16::try_from(frame.len() - ethernet::HEADER_LEN).unwrap();
        frame.extend_from_slice(&[0xee; 9]);
        let key = FlowKey::new(1, family, (Address(0), 0), (Address(0), 0));
        (frame, Packet { key, l3: 14, l4: u16::try_from(l4).unwrap(), ip_len, ..Packet::default() })
    }

    fn udp_v4(fragment: [u8; 2]) -> Vec<u8> {
        let [high, low] = fragment;
        vec![0x45, 0, 0, 40, 0, 7, high, low, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 53, 1, 2, 0, 20, 0, 0]
    }

    proptest! {
        #[test]
        fn no_quote_makes_it_panic(quote in prop::collection::vec(any::<u8>(), 0..120), v6: bool, right_version: bool) {
            let mut quote = quote;
            if let (true, Some(first)) = (right_version, quote.first_mut()) {
                *first = if v6 { 0x60 } else { 0x45 };
            }
            let (frame, packet) = error(v6, &quote);
            if let Some(quoted) = Quoted::of(&frame, &packet) {
                prop_assert!(usize::from(quoted.l4) <= frame.len() - 9);
            }
        }
    }

    /// Four bytes of the transport header are enough (ipvs-facts C.6), fewer are not, and padding does not count.
    #[test]
    fn ports_must_be_quoted() {
        for (len, found) in [(24, true), (28, true), (23, false), (20, false), (19, false)] {
            let (frame, packet) = error(false, &udp_v4([0x40, 0])[..len]);
            let quoted = Quoted::of(&frame, &packet);
            assert_eq!(quoted.is_some(), found, "{len}");
            if let Some(quoted) = quoted {
                assert_eq!((quoted.key.source_port(), quoted.key.destination_port()), (53, 0x0102));
                assert_eq!((quoted.l3, quoted.l4, quoted.ip_len, quoted.dont_fragment), (42, 62, 40, true));
            }
        }
    }

    /// Of fragments the first only (ipvs-facts C.6, as NEW has it).
    #[test]
    fn later_fragments_are_nobody_s() {
        let quoted = |fragment| {
            let (frame, packet) = error(false, &udp_v4(fragment));
            Quoted::of(&frame, &packet)
        };
        assert!(quoted([0x20, 0]).is_some());
        assert!(quoted([0, 10]).is_none());
        let with_fragment_header = |offset: u8| {
            let mut quote = vec![0x60, 0, 0, 0, 0, 28, 44, 64];
            quote.extend_from_slice(&[1; 32]);
            quote.extend_from_slice(&[17, 0, 0, offset | 1, 0, 0, 0, 9, 0, 53, 1, 2]);
            let (frame, packet) = error(true, &quote);
            Quoted::of(&frame, &packet)
        };
        assert_eq!(with_fragment_header(0).map(|q| (q.key.protocol(), q.key.source_port(), q.l4)), Some((17, 53, 110)));
        assert!(with_fragment_header(8).is_none());
    }
}
