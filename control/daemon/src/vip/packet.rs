//! IP packets of TCP and UDP: whom they are from and for, and how that is changed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ulvs_wire::checksum;

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
/// Offsets of the ports' pair, and of checksums in their headers.
const CHECKSUM_V4: usize = 10;
const CHECKSUM_TCP: usize = 16;
const CHECKSUM_UDP: usize = 6;

/// From where, and for whom.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Ends {
    pub(super) protocol: u8,
    pub(super) source: (IpAddr, u16),
    pub(super) destination: (IpAddr, u16),
}

/// A packet's ends, and where its parts are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) ends: Ends,
    /// All of it: what a frame has behind is padding.
    pub(super) length: usize,
    header: usize,
}

/// An IP header: what is behind it, and how much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip {
    pub(super) protocol: u8,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) header: usize,
    /// Header and payload, as they say themselves.
    pub(super) length: usize,
}

impl Ip {
    /// Reads the header of a packet that is no fragment; whether the packet is there as a whole is not looked at.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Self::read_v4(bytes),
            6 => Self::read_v6(bytes),
            _ => None,
        }
    }

    fn read_v4(bytes: &[u8]) -> Option<Self> {
        let fixed: &[u8; 20] = bytes.first_chunk()?;
        let header = usize::from(fixed[0] & 0xf) * 4;
        let length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        let fragment = u16::from_be_bytes([fixed[6], fixed[7]]) & 0x3fff;
        if header < 20 || length < header || fragment != 0 {
            return None;
        }
        let source: &[u8; 4] = fixed[12..].first_chunk()?;
        let destination: &[u8; 4] = fixed[16..].first_chunk()?;
        let (source, destination) = (Ipv4Addr::from(*source), Ipv4Addr::from(*destination));
        Some(Self { protocol: fixed[9], source: source.into(), destination: destination.into(), header, length })
    }

    fn read_v6(bytes: &[u8]) -> Option<Self> {
        let fixed: &[u8; 40] = bytes.first_chunk()?;
        let length = 40 + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        let source: &[u8; 16] = fixed[8..].first_chunk()?;
        let destination: &[u8; 16] = fixed[24..].first_chunk()?;
        let (source, destination) = (Ipv6Addr::from(*source), Ipv6Addr::from(*destination));
        Some(Self { protocol: fixed[6], source: source.into(), destination: destination.into(), header: 40, length })
    }

    /// The ends of a packet of TCP or UDP whose ports are in `bytes`.
    fn ends(&self, bytes: &[u8]) -> Option<Ends> {
        let [a, b, c, d] = *bytes.get(self.header..)?.first_chunk()?;
        let ports = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let (source, destination) = ((self.source, ports.0), (self.destination, ports.1));
        matches!(self.protocol, TCP | UDP).then_some(Ends { protocol: self.protocol, source, destination })
    }
}

impl Packet {
    /// Reads an IP packet. Absent if it is not of TCP or UDP, a fragment, or not whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let ip = Ip::read(bytes)?;
        let whole = bytes.get(..ip.length)?;
        let least = if ip.protocol == TCP { 20 } else { 8 };
        let ends = ip.ends(whole)?;
        (whole.len() >= ip.header + least).then_some(Self { ends, length: ip.length, header: ip.header })
    }

    /// Reads the beginning of one, as an ICMP error quotes it: eight bytes of TCP or UDP at least (RFC 792).
    pub(super) fn quoted(bytes: &[u8]) -> Option<Self> {
        let ip = Ip::read(bytes)?;
        let ends = ip.ends(bytes)?;
        (bytes.len() >= ip.header + 8).then_some(Self { ends, length: bytes.len().min(ip.length), header: ip.header })
    }

    /// Gives the packet other ends, of the same family and protocol. Checksums are brought up to date, not made anew: one that
    /// was wrong stays wrong.
    pub(super) fn rewrite(&self, bytes: &mut [u8], to: &Ends) {
        let (old, new) = (&self.ends, to);
        let addresses = |ends: &Ends| [octets(ends.source.0), octets(ends.destination.0)].concat();
        let ports = |ends: &Ends| [ends.source.1.to_be_bytes(), ends.destination.1.to_be_bytes()].concat();
        let (old_addresses, new_addresses) = (addresses(old), addresses(new));
        let (old_ports, new_ports) = (ports(old), ports(new));
        let is_v4 = old.source.0.is_ipv4();
        let at = if is_v4 { 12 } else { 8 };
        bytes[at..at + new_addresses.len()].copy_from_slice(&new_addresses);
        bytes[self.header..self.header + 4].copy_from_slice(&new_ports);
        if is_v4 {
            adjust(bytes, CHECKSUM_V4, &old_addresses, &new_addresses);
        }
        let all = |addresses: &[u8], ports: &[u8]| [addresses, ports].concat();
        let (before, after) = (all(&old_addresses, &old_ports), all(&new_addresses, &new_ports));
        if old.protocol == TCP {
            adjust(bytes, self.header + CHECKSUM_TCP, &before, &after);
        } else if bytes[self.header + CHECKSUM_UDP..][..2] != [0, 0] {
            let at = self.header + CHECKSUM_UDP;
            adjust(bytes, at, &before, &after);
            // RFC 768: zero is for none.
            if bytes[at..][..2] == [0, 0] {
                bytes[at..][..2].copy_from_slice(&[0xff, 0xff]);
            }
        }
    }
}

pub(super) fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// RFC 1624, equation 3. `old` and `new` are of one length, a multiple of four.
fn adjust(bytes: &mut [u8], at: usize, old: &[u8], new: &[u8]) {
    let Some(field) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<2>()) else { return };
    let inverted: Vec<u8> = old.iter().map(|byte| !byte).collect();
    let sum = u64::from(!u16::from_be_bytes(*field));
    *field = (!checksum::fold(checksum::add(checksum::add(sum, &inverted), new))).to_be_bytes();
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A packet with right checksums.
    pub(in crate::vip) fn packet(ends: &Ends, payload: &[u8]) -> Vec<u8> {
        let mut segment = [ends.source.1.to_be_bytes(), ends.destination.1.to_be_bytes()].concat();
        let at = if ends.protocol == TCP {
            segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
            CHECKSUM_TCP
        } else {
            segment.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
            segment.extend([0, 0]);
            CHECKSUM_UDP
        };
        segment.extend(payload);
        let sum = sum(ends, &segment);
        segment[at..at + 2].copy_from_slice(&(!checksum::fold(sum)).to_be_bytes());
        let mut bytes = Vec::new();
        let length = u16::try_from(segment.len()).unwrap();
        if ends.source.0.is_ipv4() {
            bytes.extend([0x45, 0]);
            bytes.extend((length + 20).to_be_bytes());
            bytes.extend([0, 0, 0x40, 0, 64, ends.protocol, 0, 0]);
        } else {
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend(length.to_be_bytes());
            bytes.extend([ends.protocol, 64]);
        }
        bytes.extend(octets(ends.source.0));
        bytes.extend(octets(ends.destination.0));
        if ends.source.0.is_ipv4() {
            let sum = checksum::of(&bytes);
            bytes[CHECKSUM_V4..CHECKSUM_V4 + 2].copy_from_slice(&sum.to_be_bytes());
        }
        bytes.extend(segment);
        bytes
    }

    fn sum(ends: &Ends, segment: &[u8]) -> u64 {
        let (source, destination) = (octets(ends.source.0), octets(ends.destination.0));
        checksum::add(checksum::pseudo(&source, &destination, ends.protocol, segment.len()), segment)
    }

    /// Whether its checksums are right.
    pub(in crate::vip) fn is_right(bytes: &[u8]) -> bool {
        let packet = Packet::read(bytes).unwrap();
        let header = !packet.ends.source.0.is_ipv4() || checksum::of(&bytes[..packet.header]) == 0;
        header && checksum::fold(sum(&packet.ends, &bytes[packet.header..packet.length])) == 0xffff
    }

    fn ends() -> impl Strategy<Value = (Ends, Ends)> {
        let ip = |is_v4: bool| {
            any::<u128>().prop_map(move |bits| {
                if is_v4 {
                    IpAddr::from(bits.to_be_bytes().first_chunk::<4>().copied().unwrap())
                } else {
                    Ipv6Addr::from_bits(bits).into()
                }
            })
        };
        (any::<bool>(), any::<bool>()).prop_flat_map(move |(is_v4, is_tcp)| {
            let protocol = if is_tcp { TCP } else { UDP };
            let one = move || {
                (ip(is_v4), any::<u16>(), ip(is_v4), any::<u16>()).prop_map(move |(a, p, b, q)| Ends {
                    protocol,
                    source: (a, p),
                    destination: (b, q),
                })
            };
            (one(), one())
        })
    }

    proptest! {
        #[test]
        fn a_rewritten_packet_is_right((from, to) in ends(), payload in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = packet(&from, &payload);
            prop_assert!(is_right(&bytes));
            Packet::read(&bytes).unwrap().rewrite(&mut bytes, &to);
            prop_assert_eq!(Packet::read(&bytes).unwrap().ends, to);
            prop_assert!(is_right(&bytes));
            prop_assert!(bytes.ends_with(&payload));
        }

        #[test]
        fn any_bytes_are_read(mut bytes in prop::collection::vec(any::<u8>(), 0..90), version in prop::sample::select(vec![0x45_u8, 0x4f, 0x60, 0x00])) {
            if let Some(first) = bytes.first_mut() {
                *first = version;
            }
            if let Some(packet) = Packet::read(&bytes) {
                packet.rewrite(&mut bytes, &packet.ends);
            }
            if let Some(packet) = Packet::quoted(&bytes) {
                packet.rewrite(&mut bytes, &packet.ends);
            }
        }
    }
}
