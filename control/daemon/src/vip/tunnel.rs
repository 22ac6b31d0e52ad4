//! What a probe travels in to a real server behind a tunnel, as the data path wraps clients' packets (ipvs-facts C.5).

use std::net::IpAddr;

use ulvs_model::Encapsulation;
use ulvs_wire::checksum;

use super::packet::{UDP, octets};

/// Protocols inside IP.
pub(super) const IPV4_IN_IP: u8 = 4;
pub(super) const IPV6_IN_IP: u8 = 41;
pub(super) const GRE: u8 = 47;
/// GUE's source port: probes need not be spread over a network's ways.
const GUE_SOURCE: u16 = 49_152;
/// A GRE header's flag for a checksum.
const GRE_CHECKSUM: u8 = 0x80;
/// The usual one (RFC 1700).
const TTL: u8 = 64;

/// The ends of a tunnel, of one family, and its kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Tunnel {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) encapsulation: Encapsulation,
}

impl Tunnel {
    /// The packet inside. Absent if it is too long, or the ends are of two families.
    pub(super) fn wrap(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let is_v4 = packet.first()? >> 4 == 4;
        let inner = if is_v4 { IPV4_IN_IP } else { IPV6_IN_IP };
        match self.encapsulation {
            Encapsulation::IpIp => self.around(inner, packet),
            Encapsulation::Gue { port, checksum } => {
                self.around(UDP, &self.gue(inner, port, checksum.is_written(), packet)?)
            }
            Encapsulation::Gre { checksum } => self.around(GRE, &gre(is_v4, checksum, packet)),
        }
    }

    /// An outer IP header in front.
    fn around(&self, protocol: u8, payload: &[u8]) -> Option<Vec<u8>> {
        let mut header = match (self.source, self.destination) {
            (IpAddr::V4(_), IpAddr::V4(_)) => {
                let [high, low] = u16::try_from(payload.len() + 20).ok()?.to_be_bytes();
                vec![0x45, 0, high, low, 0, 0, 0, 0, TTL, protocol, 0, 0]
            }
            (IpAddr::V6(_), IpAddr::V6(_)) => {
                let [high, low] = u16::try_from(payload.len()).ok()?.to_be_bytes();
                vec![0x60, 0, 0, 0, high, low, protocol, TTL]
            }
            _ => return None,
        };
        header.extend(octets(self.source));
        header.extend(octets(self.destination));
        if self.source.is_ipv4() {
            let sum = checksum::of(&header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        header.extend(payload);
        Some(header)
    }

    /// Variant 0: a UDP header, and four bytes that name what follows.
    fn gue(&self, inner: u8, port: u16, has_checksum: bool, packet: &[u8]) -> Option<Vec<u8>> {
        let mut datagram = [GUE_SOURCE.to_be_bytes(), port.to_be_bytes()].concat();
        datagram.extend(u16::try_from(12 + packet.len()).ok()?.to_be_bytes());
        datagram.extend([0, 0, 0, inner, 0, 0]);
        datagram.extend(packet);
        if has_checksum {
            let pseudo = checksum::pseudo(&octets(self.source), &octets(self.destination), UDP, datagram.len());
            // RFC 768: zero is for none.
            let sum = match !checksum::fold(checksum::add(pseudo, &datagram)) {
                0 => 0xffff,
                sum => sum,
            };
            datagram[6..8].copy_from_slice(&sum.to_be_bytes());
        }
        Some(datagram)
    }
}

/// RFC 2784.
fn gre(is_v4: bool, has_checksum: bool, packet: &[u8]) -> Vec<u8> {
    let [high, low] = if is_v4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    let mut bytes = vec![if has_checksum { GRE_CHECKSUM } else { 0 }, 0, high, low];
    if has_checksum {
        bytes.extend([0; 4]);
    }
    bytes.extend(packet);
    if has_checksum {
        let sum = checksum::of(&bytes);
        bytes[4..6].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// Bytes in front of the packet inside, behind the outer IP header, of what a tunnel carries; absent if it carries no packet.
pub(super) fn shim(protocol: u8, payload: &[u8]) -> Option<usize> {
    match protocol {
        IPV4_IN_IP | IPV6_IN_IP => Some(0),
        GRE => Some(if payload.first()? & GRE_CHECKSUM == 0 { 4 } else { 8 }),
        UDP => matches!(payload.get(8..10)?, [0, IPV4_IN_IP | IPV6_IN_IP]).then_some(12),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulvs_model::TunnelChecksum;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const REAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 11));
    const ALL: [Encapsulation; 5] = [
        Encapsulation::IpIp,
        Encapsulation::Gue { port: 6080, checksum: TunnelChecksum::Nocsum },
        Encapsulation::Gue { port: 6080, checksum: TunnelChecksum::Csum },
        Encapsulation::Gre { checksum: false },
        Encapsulation::Gre { checksum: true },
    ];

    #[test]
    fn each_kind_of_tunnel_has_the_packet_at_its_end() {
        let six = |ip: &str| ip.parse::<IpAddr>().unwrap();
        for (source, destination) in [(SOURCE, REAL), (six("fd00::1"), six("fd00::11"))] {
            for encapsulation in ALL {
                let tunnel = Tunnel { source, destination, encapsulation };
                for inner in [[0x45, 1, 2, 3, 4], [0x60, 1, 2, 3, 4]] {
                    let wrapped = tunnel.wrap(&inner).unwrap();
                    let (header, protocol) = if source.is_ipv4() { (20, wrapped[9]) } else { (40, wrapped[6]) };
                    let at = header + shim(protocol, &wrapped[header..]).unwrap();
                    assert_eq!(wrapped[at..], inner, "{tunnel:?}");
                    assert!(at <= 60, "the device's MTU leaves so much room");
                    assert!(!source.is_ipv4() || checksum::of(&wrapped[..20]) == 0);
                }
            }
        }
    }

    #[test]
    fn headers_are_those_of_the_data_path() {
        let wrapped = |encapsulation| {
            let tunnel = Tunnel { source: SOURCE, destination: REAL, encapsulation };
            tunnel.wrap(&[0x45, 0, 0, 1]).unwrap()[9..].to_vec()
        };
        let gue = wrapped(Encapsulation::Gue { port: 6080, checksum: TunnelChecksum::Nocsum });
        assert_eq!((gue[0], &gue[13..23]), (UDP, &[0x17, 0xc0, 0, 16, 0, 0, 0, IPV4_IN_IP, 0, 0][..]));
        let summed = wrapped(Encapsulation::Gue { port: 6080, checksum: TunnelChecksum::Csum });
        let pseudo = checksum::pseudo(&octets(SOURCE), &octets(REAL), UDP, 16);
        assert_eq!(checksum::fold(checksum::add(pseudo, &summed[11..])), 0xffff);
        assert_eq!(wrapped(Encapsulation::Gre { checksum: false })[11..15], [0, 0, 8, 0]);
        let summed = wrapped(Encapsulation::Gre { checksum: true });
        assert_eq!((summed[0], summed[11], checksum::of(&summed[11..])), (GRE, 0x80, 0));
    }

    #[test]
    fn ends_of_two_families_are_no_tunnel() {
        let tunnel = Tunnel { source: SOURCE, destination: "::1".parse().unwrap(), encapsulation: Encapsulation::IpIp };
        assert_eq!(tunnel.wrap(&[0x45]), None);
        assert_eq!(tunnel.wrap(&[]), None);
    }
}
