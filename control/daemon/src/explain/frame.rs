//! The packet that is asked about.

use std::net::IpAddr;

use etherparse::{NetSlice, PacketBuilder, PacketBuilderStep, SlicedPacket, UdpHeader};
use ulvs_api::{ExplainFlow, ExplainRequest};

/// The longest frame that is taken.
const LONGEST: usize = 16_384;
const ETHERNET: usize = 14;
const TTL: u8 = 64;
/// An address of nobody's: the packet comes from some router.
const FROM: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// The frame of a request, which is yet to be addressed to the port.
pub(super) fn of(request: &ExplainRequest) -> Result<Vec<u8>, String> {
    match (&request.flow, &request.frame) {
        (Some(flow), None) => built(flow),
        (None, Some(digits)) => read(digits),
        _ => Err("give `flow` or `frame`, one of the two".to_owned()),
    }
}

/// Where the packet comes from.
pub(super) fn source(frame: &[u8]) -> Option<IpAddr> {
    match SlicedPacket::from_ethernet(frame).ok()?.net? {
        NetSlice::Ipv4(ip) => Some(ip.header().source_addr().into()),
        NetSlice::Ipv6(ip) => Some(ip.header().source_addr().into()),
        NetSlice::Arp(_) => None,
    }
}

/// Has the frame come to this hardware address, unless it is for many.
pub(super) fn address_to(frame: &mut [u8], mac: [u8; 6]) {
    if let Some(to) = frame.first_chunk_mut::<6>()
        && to[0] & 1 == 0
    {
        *to = mac;
    }
}

fn built(flow: &ExplainFlow) -> Result<Vec<u8>, String> {
    let ethernet = PacketBuilder::ethernet2(FROM, [0; 6]);
    let ip = match (flow.source.ip(), flow.destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ethernet.ipv4(from.octets(), to.octets(), TTL),
        (IpAddr::V6(from), IpAddr::V6(to)) => ethernet.ipv6(from.octets(), to.octets(), TTL),
        _ => return Err("source and destination are of different families".to_owned()),
    };
    let ports = (flow.source.port(), flow.destination.port());
    let mut frame = Vec::new();
    let written = match flow.protocol.to_ascii_lowercase().as_str() {
        "tcp" => tcp(ip, ports, flow.flags.as_deref().unwrap_or("syn"))?.write(&mut frame, &[]),
        "udp" => {
            let udp: PacketBuilderStep<UdpHeader> = ip.udp(ports.0, ports.1);
            udp.write(&mut frame, &[])
        }
        other => return Err(format!("a packet of `{other}` can't be made: give tcp or udp, or a frame")),
    };
    written.map_err(|error| format!("the packet can't be made: {error}"))?;
    Ok(frame)
}

fn tcp(
    ip: PacketBuilderStep<etherparse::IpHeaders>,
    (from, to): (u16, u16),
    flags: &str,
) -> Result<PacketBuilderStep<etherparse::TcpHeader>, String> {
    let mut tcp = ip.tcp(from, to, 1, 1024);
    for flag in flags.split([',', '+']).map(str::trim).filter(|flag| !flag.is_empty()) {
        tcp = match flag.to_ascii_lowercase().as_str() {
            "syn" => tcp.syn(),
            "ack" => tcp.ack(1),
            "fin" => tcp.fin(),
            "rst" => tcp.rst(),
            "psh" => tcp.psh(),
            "none" => tcp,
            other => return Err(format!("there is no flag `{other}`: choose among syn, ack, fin, rst, psh and none")),
        };
    }
    Ok(tcp)
}

fn read(digits: &str) -> Result<Vec<u8>, String> {
    if digits.len() > 2 * LONGEST {
        return Err(format!("a frame has at most {LONGEST} bytes"));
    }
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let frame: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    match frame {
        Some(frame) if rest.is_empty() && frame.len() >= ETHERNET => Ok(frame),
        _ => Err("a frame is hexadecimal digits, two for each byte, and begins with its Ethernet header".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(protocol: &str, source: &str, destination: &str, flags: Option<&str>) -> ExplainFlow {
        ExplainFlow {
            protocol: protocol.into(),
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            flags: flags.map(Into::into),
        }
    }

    #[test]
    fn packets_are_made_of_their_addresses() {
        let frame = built(&flow("tcp", "192.0.2.7:4242", "198.51.100.1:80", None)).unwrap();
        assert_eq!((frame.len(), frame[47], source(&frame)), (54, 2, Some([192, 0, 2, 7].into())));
        let frame = built(&flow("TCP", "[2001:db8::7]:1", "[2001:db8::1]:80", Some("fin,ack"))).unwrap();
        assert_eq!(frame[67], 0x11);
        assert_eq!(built(&flow("udp", "192.0.2.7:1", "198.51.100.1:53", None)).unwrap().len(), 42);
    }

    #[test]
    fn what_can_not_be_made_is_told() {
        assert!(built(&flow("icmp", "192.0.2.7:1", "192.0.2.8:1", None)).unwrap_err().contains("tcp or udp"));
        assert!(built(&flow("tcp", "192.0.2.7:1", "[::1]:1", None)).unwrap_err().contains("families"));
        assert!(
            built(&flow("tcp", "192.0.2.7:1", "192.0.2.8:1", Some("xmas"))).unwrap_err().contains("no flag `xmas`")
        );
        for digits in ["", "00", "zz", &"0".repeat(29), &"é".repeat(20), &"00".repeat(LONGEST + 1)] {
            assert!(read(digits).is_err(), "{digits}");
        }
        assert_eq!(read(&"0a".repeat(14)).unwrap(), [10; 14]);
    }
}
