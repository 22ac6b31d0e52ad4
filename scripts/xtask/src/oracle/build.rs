//! Packets as a scenario describes them.

use std::net::IpAddr;

use anyhow::{Result, bail};

use super::sums;

/// The identification of every packet that is sent: one that leaves with another was made or changed on the way.
pub(super) const ID: u16 = 0x1234;

/// What is in an IP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Tcp {
        ports: (u16, u16),
        flags: u8,
    },
    Udp {
        ports: (u16, u16),
    },
    Sctp {
        ports: (u16, u16),
        chunks: Vec<u8>,
    },
    /// Type and code, and what follows the checksum.
    Icmp {
        kind: (u8, u8),
        rest: Vec<u8>,
    },
    Other {
        protocol: u8,
    },
}

/// A packet to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) content: Content,
    pub(super) payload: Vec<u8>,
    pub(super) ttl: u8,
    pub(super) tos: u8,
    pub(super) dont_fragment: bool,
    /// Added to the transport checksum; the checksum of UDP absent.
    pub(super) wrong_by: u16,
    pub(super) no_sum: bool,
    /// No packet of this one is longer.
    pub(super) fragments: Option<usize>,
    /// Bytes that are left out at the end.
    pub(super) cut: usize,
    /// IPv4 options, IPv6 extension header of type 60.
    pub(super) options: Vec<u8>,
}

impl Packet {
    pub(super) fn new(source: IpAddr, destination: IpAddr, content: Content) -> Self {
        Self {
            source,
            destination,
            content,
            payload: Vec::new(),
            ttl: 64,
            tos: 0,
            dont_fragment: false,
            wrong_by: 0,
            no_sum: false,
            fragments: None,
            cut: 0,
            options: Vec::new(),
        }
    }

    /// The bytes, from the IP header on; more than one if it is fragmented.
    pub(super) fn bytes(&self) -> Result<Vec<Vec<u8>>> {
        let (protocol, segment) = self.segment();
        match (self.source, self.destination) {
            (IpAddr::V4(_), IpAddr::V4(_)) => self.v4(protocol, &segment),
            (IpAddr::V6(_), IpAddr::V6(_)) => self.v6(protocol, &segment),
            _ => bail!("{} and {} are of two families", self.source, self.destination),
        }
    }

    /// The next header, and the segment with its checksum.
    fn segment(&self) -> (u8, Vec<u8>) {
        let six = self.source.is_ipv6();
        let ports = |(source, destination): (u16, u16)| [source.to_be_bytes(), destination.to_be_bytes()].concat();
        let (protocol, mut bytes, place) = match &self.content {
            Content::Tcp { ports: both, flags } => {
                let mut bytes = ports(*both);
                bytes.extend(1000u32.to_be_bytes());
                bytes.extend(if flags & 0x10 == 0 { 0u32 } else { 2000 }.to_be_bytes());
                bytes.extend([5 << 4, *flags, 0x20, 0, 0, 0, 0, 0]);
                (6, bytes, 16)
            }
            Content::Udp { ports: both } => {
                let mut bytes = ports(*both);
                bytes.extend(u16::try_from(8 + self.payload.len()).unwrap_or(0).to_be_bytes());
                bytes.extend([0, 0]);
                (17, bytes, 6)
            }
            Content::Sctp { ports: both, chunks } => {
                let mut bytes = ports(*both);
                bytes.extend([0, 0, 0, 7, 0, 0, 0, 0]);
                bytes.extend(chunks);
                let sum = sums::crc32c(&bytes).wrapping_add(self.wrong_by.into());
                bytes[8..12].copy_from_slice(&sum.to_le_bytes());
                return (132, bytes);
            }
            Content::Icmp { kind, rest } => {
                let mut bytes = vec![kind.0, kind.1, 0, 0];
                bytes.extend(rest);
                (if six { 58 } else { 1 }, bytes, 2)
            }
            Content::Other { protocol } => return (*protocol, self.payload.clone()),
        };
        bytes.extend(&self.payload);
        let sum = match protocol {
            1 => sums::internet(&[&bytes]),
            _ => sums::transport(self.source, self.destination, protocol, &bytes),
        };
        let sum = match (protocol, self.no_sum, sum) {
            (17, true, _) => 0,
            (17, false, 0) => 0xffff,
            (_, _, sum) => sum.wrapping_add(self.wrong_by),
        };
        bytes[place..place + 2].copy_from_slice(&sum.to_be_bytes());
        (protocol, bytes)
    }

    fn v4(&self, protocol: u8, segment: &[u8]) -> Result<Vec<Vec<u8>>> {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (self.source, self.destination) else { bail!("not IPv4") };
        let header = 20 + self.options.len();
        let one = |offset: usize, part: &[u8], more: bool| {
            let mut bytes = vec![0x40 | u8::try_from(header / 4).unwrap_or(5), self.tos];
            bytes.extend(u16::try_from(header + part.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend(ID.to_be_bytes());
            let place = u16::try_from(offset / 8).unwrap_or(0);
            bytes.extend((place | u16::from(more) << 13 | u16::from(self.dont_fragment) << 14).to_be_bytes());
            bytes.extend([self.ttl, protocol, 0, 0]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
            bytes.extend(&self.options);
            let sum = sums::internet(&[&bytes]);
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
            bytes.extend(part);
            bytes.truncate(bytes.len() - self.cut.min(bytes.len()));
            bytes
        };
        Ok(self.parts(segment, header).map(|(offset, part, more)| one(offset, part, more)).collect())
    }

    fn v6(&self, protocol: u8, segment: &[u8]) -> Result<Vec<Vec<u8>>> {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (self.source, self.destination) else { bail!("not IPv6") };
        let one = |offset: usize, part: &[u8], more: bool| {
            let mut extensions = self.options.clone();
            let mut next = protocol;
            if self.fragments.is_some() {
                let place = u16::try_from(offset).unwrap_or(0) | u16::from(more);
                let fragment = [vec![next, 0], place.to_be_bytes().to_vec(), vec![0, 0, 0x12, 0x34]].concat();
                next = 44;
                extensions = [extensions, fragment].concat();
            }
            if !self.options.is_empty() {
                extensions[0] = next;
                next = 60;
            }
            let mut bytes = (0x6000_0000u32 | u32::from(self.tos) << 20).to_be_bytes().to_vec();
            bytes.extend(u16::try_from(extensions.len() + part.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend([next, self.ttl]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
            bytes.extend(&extensions);
            bytes.extend(part);
            bytes.truncate(bytes.len() - self.cut.min(bytes.len()));
            bytes
        };
        Ok(self.parts(segment, 48 + self.options.len()).map(|(offset, part, more)| one(offset, part, more)).collect())
    }

    /// The segment in pieces that fit behind a header of so many bytes: offset, bytes, whether more follow.
    fn parts<'a>(&self, segment: &'a [u8], header: usize) -> impl Iterator<Item = (usize, &'a [u8], bool)> {
        let most = self.fragments.map_or(usize::MAX, |most| (most.saturating_sub(header) / 8 * 8).max(8));
        let length = segment.len();
        // an empty segment is a packet too
        (0..length.max(1)).step_by(most).map(move |offset| {
            let end = offset.saturating_add(most).min(length);
            (offset, &segment[offset..end], end < length)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;

    fn udp(payload: usize) -> Packet {
        let ends = ("10.9.0.1".parse().unwrap(), "10.0.1.100".parse().unwrap());
        Packet { payload: vec![7; payload], ..Packet::new(ends.0, ends.1, Content::Udp { ports: (4000, 53) }) }
    }

    #[test]
    fn checksums_are_right() {
        let bytes = udp(3).bytes().unwrap();
        assert_eq!(text::packet(&bytes[0]), "10.9.0.1:4000 > 10.0.1.100:53 udp len 3 ttl 64");
        let bad = Packet { wrong_by: 1, ..udp(3) }.bytes().unwrap();
        assert!(text::packet(&bad[0]).contains("udp sum wrong"));
    }

    #[test]
    fn fragments_have_the_size_asked_for() {
        let whole = Packet { fragments: Some(576), ..udp(1200) }.bytes().unwrap();
        assert_eq!(whole.iter().map(Vec::len).collect::<Vec<_>>(), [572, 572, 124]);
        assert!(text::packet(&whole[1]).contains("fragment 552+552 more"));
    }
}
