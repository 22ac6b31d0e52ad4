use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use ulvs_config::Origin;

use super::{Failure, Finding, socket};

const HEADER: usize = 8;
const DATA: usize = 24;

/// Whether an echo request is answered.
pub(super) async fn ask(address: IpAddr, origin: &Origin) -> Result<Finding, Failure> {
    // to the runtime any connected socket for datagrams is one
    let socket = UdpSocket::from_std(open(address, origin)?.into())?;
    let request = Echo::new(address)?;
    socket.send(&request.bytes).await?;
    let mut answer = [0; 256];
    loop {
        let length = socket.recv(&mut answer).await?;
        if request.is_answered_by(&answer[..length]) {
            return Ok(Finding::Passed);
        }
    }
}

/// A raw socket, which has all ICMP of that one address; where that is not allowed, a ping socket.
fn open(address: IpAddr, origin: &Origin) -> Result<Socket, Failure> {
    let (domain, protocol) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let opened = Socket::new(domain, Type::RAW.nonblocking(), Some(protocol)).or_else(|error| match error.kind() {
        ErrorKind::PermissionDenied => Socket::new(domain, Type::DGRAM.nonblocking(), Some(protocol)),
        _ => Err(error),
    });
    let socket = opened.map_err(|error| {
        Failure::new(format!("no socket for pings ({}): give ulvsd CAP_NET_RAW", Failure::from(error)))
    })?;
    socket::prepare(&SockRef::from(&socket), address, origin)?;
    socket.connect(&SocketAddr::new(address, 0).into())?;
    Ok(socket)
}

/// An echo request that is told apart from all others by what it carries: ping sockets change its identifier.
struct Echo {
    is_v4: bool,
    bytes: [u8; HEADER + DATA],
}

impl Echo {
    fn new(address: IpAddr) -> Result<Self, Failure> {
        let is_v4 = address.is_ipv4();
        let mut bytes = [0; HEADER + DATA];
        bytes[0] = if is_v4 { 8 } else { 128 };
        getrandom::fill(&mut bytes[4..6]).map_err(io::Error::from)?;
        getrandom::fill(&mut bytes[HEADER..]).map_err(io::Error::from)?;
        bytes[7] = 1;
        if is_v4 {
            // of ICMPv6 the kernel makes it, with the addresses
            let sum = checksum(&bytes);
            bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        Ok(Self { is_v4, bytes })
    }

    fn is_answered_by(&self, packet: &[u8]) -> bool {
        // a raw socket of IPv4 gives the IP header as well
        let header = match packet.first() {
            Some(first) if self.is_v4 && first >> 4 == 4 => usize::from(first & 0xf) * 4,
            _ => 0,
        };
        let message = packet.get(header..).unwrap_or_default();
        let is_reply = message.first() == Some(if self.is_v4 { &0 } else { &129 });
        is_reply && message.get(HEADER..) == Some(&self.bytes[HEADER..])
    }
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reply_to_this_request_is_one() {
        let request = Echo::new([10, 0, 0, 1].into()).unwrap();
        assert_eq!(checksum(&request.bytes), 0);
        let mut reply = request.bytes;
        reply[0] = 0;
        assert!(request.is_answered_by(&reply));
        let mut with_header = vec![0x46; 24];
        with_header.extend_from_slice(&reply);
        assert!(request.is_answered_by(&with_header));
        assert!(!request.is_answered_by(&request.bytes), "the request itself, on loopback");
        reply[HEADER] ^= 1;
        assert!(!request.is_answered_by(&reply));
        for length in 0..HEADER {
            assert!(!request.is_answered_by(&vec![0x4f; length]));
        }
    }
}
