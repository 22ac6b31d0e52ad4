//! ICMP errors about probes: what a router or a real server says of a packet of ours becomes what it would have said of the
//! packet that the kernel sent by the device, so that the probe ends with a reason instead of its time.

use std::net::IpAddr;

use ulvs_wire::checksum;

use super::packet::{Ends, Ip, Packet, octets};
use super::tunnel;

const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
/// Type, code, checksum and what depends on the type.
const HEAD: usize = 8;
/// The most of a packet that is quoted: with all headers less than IPv6's least MTU.
const QUOTED: usize = 1000;
/// Types and codes (RFC 792, RFC 4443).
const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const TIME_EXCEEDED: u8 = 11;
const UNREACHABLE_V6: u8 = 1;
const TIME_EXCEEDED_V6: u8 = 3;
const HOST: u8 = 1;
const ADDRESS_V6: u8 = 3;

/// An error about a packet of TCP or UDP.
#[derive(Clone, Copy, Debug)]
pub(super) struct IcmpError<'a> {
    kind: u8,
    code: u8,
    /// Of the packet as it was inside of any tunnel.
    quoted: Packet,
    bytes: &'a [u8],
}

impl<'a> IcmpError<'a> {
    /// Reads an error that says that packets do not arrive. Absent for all others, and if its checksum is wrong: one about
    /// a packet's size is none, for probes are small.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let ip = Ip::read(bytes)?;
        let message = bytes.get(ip.header..ip.length)?;
        let (&[kind, code, ..], quote) = message.split_first_chunk::<HEAD>()?;
        let is_known = match ip.protocol {
            ICMP => kind == UNREACHABLE && code != FRAGMENTATION_NEEDED || kind == TIME_EXCEEDED,
            ICMP_V6 => matches!(kind, UNREACHABLE_V6 | TIME_EXCEEDED_V6),
            _ => return None,
        };
        if !is_known || !is_right(&ip, message) {
            return None;
        }
        let bytes = inner(quote)?;
        let quoted = Packet::quoted(bytes)?;
        let is_v4 = quoted.ends.source.0.is_ipv4();
        let (kind, code) = if is_v4 == ip.source.is_ipv4() { (kind, code) } else { other_family(is_v4) };
        Some(Self { kind, code, quoted, bytes: bytes.get(..quoted.length)? })
    }

    /// Whom the packet was from and for.
    pub(super) const fn ends(&self) -> &Ends {
        &self.quoted.ends
    }

    /// The same about a packet with these ends, of the same family and protocol, said by whom it was for.
    pub(super) fn about(&self, ends: &Ends) -> Vec<u8> {
        let mut quoted = self.bytes.to_vec();
        self.quoted.rewrite(&mut quoted, ends);
        quoted.truncate(QUOTED);
        let (source, destination) = (ends.destination.0, ends.source.0);
        let mut message = vec![self.kind, self.code, 0, 0, 0, 0, 0, 0];
        message.extend(quoted);
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        let (mut packet, sum) = if source.is_ipv4() {
            let [high, low] = (length + 20).to_be_bytes();
            (vec![0x45, 0, high, low, 0, 0, 0, 0, 64, ICMP, 0, 0], checksum::of(&message))
        } else {
            let [high, low] = length.to_be_bytes();
            let pseudo = checksum::pseudo(&octets(source), &octets(destination), ICMP_V6, message.len());
            (vec![0x60, 0, 0, 0, high, low, ICMP_V6, 64], !checksum::fold(checksum::add(pseudo, &message)))
        };
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        packet.extend(octets(source));
        packet.extend(octets(destination));
        if source.is_ipv4() {
            let sum = checksum::of(&packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        packet.extend(message);
        packet
    }
}

fn is_right(ip: &Ip, message: &[u8]) -> bool {
    let pseudo = match (ip.source, ip.destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            checksum::pseudo(&source.octets(), &destination.octets(), ICMP_V6, message.len())
        }
        _ => 0,
    };
    checksum::fold(checksum::add(pseudo, message)) == 0xffff
}

/// What was sent, or what it was wrapped around. A packet to GUE's port is a tunnel's if it looks like one; a probe's own
/// payload does not begin like that, for then the first bytes of a packet would have to follow.
fn inner(quote: &[u8]) -> Option<&[u8]> {
    let ip = Ip::read(quote)?;
    let payload = quote.get(ip.header..)?;
    let wrapped = tunnel::shim(ip.protocol, payload).and_then(|at| payload.get(at..));
    Some(wrapped.filter(|inner| Packet::quoted(inner).is_some()).unwrap_or(quote))
}

/// "Unreachable" in the words of the family inside a tunnel of the other one.
const fn other_family(is_v4: bool) -> (u8, u8) {
    if is_v4 { (UNREACHABLE, HOST) } else { (UNREACHABLE_V6, ADDRESS_V6) }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use ulvs_model::{Encapsulation, TunnelChecksum};

    use super::super::packet::tests::packet;
    use super::super::packet::{TCP, UDP};
    use super::super::tunnel::Tunnel;
    use super::*;

    fn ends(protocol: u8, source: &str, destination: &str) -> Ends {
        let one = |text: &str| {
            let address: std::net::SocketAddr = text.parse().unwrap();
            (address.ip(), address.port())
        };
        Ends { protocol, source: one(source), destination: one(destination) }
    }

    /// What a router says of a packet.
    pub(in crate::vip) fn error(about: &[u8], (kind, code): (u8, u8)) -> Vec<u8> {
        let (router, director) = match about[0] >> 4 {
            4 => ("10.0.0.254:0", "10.0.0.1:0"),
            _ => ("[fd00::fe]:0", "[fd00::1]:0"),
        };
        let Ends { source, destination, .. } = ends(0, router, director);
        let is_v4 = source.0.is_ipv4();
        let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
        message.extend(about);
        let pseudo = checksum::pseudo(&octets(source.0), &octets(destination.0), ICMP_V6, message.len());
        let sum = !checksum::fold(checksum::add(if is_v4 { 0 } else { pseudo }, &message));
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let length = u16::try_from(message.len()).unwrap();
        let mut bytes = if is_v4 {
            let [high, low] = (length + 20).to_be_bytes();
            vec![0x45, 0, high, low, 0, 0, 0, 0, 64, ICMP, 0, 0]
        } else {
            let [high, low] = length.to_be_bytes();
            vec![0x60, 0, 0, 0, high, low, ICMP_V6, 64]
        };
        bytes.extend(octets(source.0));
        bytes.extend(octets(destination.0));
        bytes.extend(message);
        bytes
    }

    #[test]
    fn an_error_is_about_the_packet_that_the_kernel_sent() {
        let families = [
            ("10.0.0.1:4000", "192.0.2.1:80", "240.117.0.1:4000", "240.117.0.7:80", (UNREACHABLE, 13)),
            ("[fd00::1]:4", "[fd00::64]:80", "[fd75::1]:4", "[fd75::7]:80", (UNREACHABLE_V6, 4)),
        ];
        for (source, destination, inside, way, said) in families {
            for protocol in [TCP, UDP] {
                let (sent, own) = (ends(protocol, source, destination), ends(protocol, inside, way));
                let all = packet(&sent, b"some payload");
                let header = if sent.source.0.is_ipv4() { 20 } else { 40 };
                // all of it, or the eight bytes that RFC 792 asks for
                for length in [all.len(), header + 8] {
                    let error = error(&all[..length], said);
                    let read = IcmpError::read(&error).unwrap();
                    assert_eq!(*read.ends(), sent);
                    let told = read.about(&own);
                    let ip = Ip::read(&told).unwrap();
                    assert_eq!((ip.source, ip.destination, ip.length), (own.destination.0, own.source.0, told.len()));
                    let again = IcmpError::read(&told).expect("right checksums");
                    assert_eq!((*again.ends(), again.kind, again.code), (own, said.0, said.1));
                    if length == all.len() {
                        assert_eq!(again.bytes, packet(&own, b"some payload"));
                    }
                }
            }
        }
    }

    #[test]
    fn tunnels_are_looked_into_and_speak_of_the_family_inside() {
        let four = ends(TCP, "10.0.0.1:4000", "192.0.2.1:80");
        let six = ends(TCP, "[fd00::1]:4000", "[fd00::64]:80");
        let kinds = [
            Encapsulation::IpIp,
            Encapsulation::Gue { port: 6080, checksum: TunnelChecksum::Csum },
            Encapsulation::Gre { checksum: true },
        ];
        for encapsulation in kinds {
            let outer = |source: &str, destination: &str| Tunnel {
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
                encapsulation,
            };
            let (over_four, over_six) = (outer("10.0.0.1", "10.0.0.11"), outer("fd00::1", "fd00::11"));
            let cases = [
                (over_four, four, (UNREACHABLE, 2), (UNREACHABLE, 2)),
                (over_four, six, (UNREACHABLE, 2), (UNREACHABLE_V6, ADDRESS_V6)),
                (over_six, four, (TIME_EXCEEDED_V6, 0), (UNREACHABLE, HOST)),
                (over_six, six, (UNREACHABLE_V6, 1), (UNREACHABLE_V6, 1)),
            ];
            for (tunnel, sent, said, told) in cases {
                let error = error(&tunnel.wrap(&packet(&sent, b"")).unwrap(), said);
                let read = IcmpError::read(&error).unwrap();
                assert_eq!((*read.ends(), (read.kind, read.code)), (sent, told), "{tunnel:?}");
            }
        }
    }

    #[test]
    fn what_says_nothing_of_a_probe_is_left_to_the_kernel() {
        let sent = packet(&ends(TCP, "10.0.0.1:4000", "192.0.2.1:80"), b"");
        assert!(IcmpError::read(&sent).is_none());
        for said in [(8, 0), (0, 0), (5, 1), (UNREACHABLE, FRAGMENTATION_NEEDED)] {
            assert!(IcmpError::read(&error(&sent, said)).is_none(), "{said:?}");
        }
        let mut wrong = error(&sent, (UNREACHABLE, HOST));
        wrong[22] ^= 1;
        assert!(IcmpError::read(&wrong).is_none(), "a broken one");
        assert!(IcmpError::read(&error(&sent[..27], (UNREACHABLE, HOST))).is_none(), "too little is quoted");
    }

    proptest! {
        #[test]
        fn any_quote_is_read_or_refused(quote in prop::collection::vec(any::<u8>(), 1..120), version in prop::sample::select(vec![0x45_u8, 0x46, 0x60]), protocol in prop::sample::select(vec![TCP, UDP, 4, 41, 47])) {
            let mut quote = quote;
            quote[0] = version;
            let at = if version == 0x60 { 6 } else { 9 };
            if let Some(byte) = quote.get_mut(at) {
                *byte = protocol;
            }
            for said in [(UNREACHABLE, HOST), (UNREACHABLE_V6, 0)] {
                if let Some(read) = IcmpError::read(&error(&quote, said)) {
                    let told = read.about(read.ends());
                    prop_assert!(told.len() <= 1280);
                }
            }
        }
    }
}
