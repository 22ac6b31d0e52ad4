//! The director's two links, from the other side: raw sockets on the interfaces `lan` and `wan` of a namespace.

use std::fs::File;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use super::build::{Content, Packet};
use super::names::{self, Mac, Wire};

const LARGEST: usize = 65_600;
/// How long the director may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long no packet may come until none is left: what the director's kernel forwards takes its own way, behind the answers.
const REST: Duration = Duration::from_millis(12);

/// A frame that the director sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) wire: Wire,
    pub(super) to: Mac,
    /// The frame's type.
    pub(super) kind: u16,
    /// From the IP header on.
    pub(super) packet: Vec<u8>,
}

pub(super) struct Wires {
    sockets: [(Wire, Socket); 2],
    asked: u16,
    buffer: Vec<MaybeUninit<u8>>,
}

impl Wires {
    pub(super) fn open(namespace: &str) -> Result<Self> {
        let path = format!("/run/netns/{namespace}");
        let file = File::open(&path).with_context(|| format!("there is no namespace {namespace}"))?;
        // the namespace is this thread's alone, and ends with it; sockets stay where they were made
        let sockets = std::thread::spawn(move || -> Result<_> {
            setns(&file, CloneFlags::CLONE_NEWNET).with_context(|| format!("cannot enter {path}"))?;
            Ok([(Wire::Lan, open(Wire::Lan)?), (Wire::Wan, open(Wire::Wan)?)])
        });
        let sockets = sockets.join().map_err(|_| anyhow::anyhow!("opening the sockets panicked"))??;
        Ok(Self { sockets, asked: 0, buffer: vec![MaybeUninit::uninit(); LARGEST] })
    }

    fn socket(&self, wire: Wire) -> &Socket {
        let [lan, wan] = &self.sockets;
        if wire == Wire::Lan { &lan.1 } else { &wan.1 }
    }

    /// Sends an IP packet to the director.
    pub(super) fn send(&self, wire: Wire, from: Mac, packet: &[u8]) -> Result<()> {
        let kind: u16 = if packet.first().is_some_and(|byte| byte >> 4 == 6) { 0x86dd } else { 0x0800 };
        let mut frame = [&wire.director()[..], &from, &kind.to_be_bytes(), packet].concat();
        // the shortest there are on a wire
        frame.resize(frame.len().max(60), 0);
        self.socket(wire).send(&frame).with_context(|| format!("cannot send a frame on {}", wire.name()))?;
        Ok(())
    }

    /// What the director sent until it answered on both links, so that nothing sent to it before is left.
    pub(super) fn settle(&mut self) -> Result<Vec<Sent>> {
        let mut seen = Vec::new();
        for wire in [Wire::Wan, Wire::Lan] {
            self.ask(wire, &mut seen)?;
        }
        let mut end = Instant::now() + REST;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            let before = seen.len();
            for wire in Wire::BOTH {
                self.receive(wire, left / 2, &mut seen)?;
            }
            // one that comes late may have others behind it
            if seen.len() > before {
                end = Instant::now() + REST;
            }
        }
        seen.sort_by_key(|sent| sent.wire);
        Ok(seen)
    }

    /// A ping, until its answer is there.
    fn ask(&mut self, wire: Wire, seen: &mut Vec<Sent>) -> Result<()> {
        self.asked = self.asked.wrapping_add(1);
        let (address, mac) = names::asker(wire);
        let rest = [[0x0a, 0x5c], self.asked.to_be_bytes()].concat();
        let ping = Content::Icmp { kind: (8, 0), rest: rest.clone() };
        let ping = Packet::new(address.into(), IpAddr::from(names::director(wire)), ping).bytes()?;
        self.send(wire, mac, &ping[0])?;
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("the director does not answer a ping on {}", wire.name());
            }
            let before = seen.len();
            self.receive(wire, left, seen)?;
            let answer = |sent: &Sent| sent.to == mac && sent.packet.get(24..28) == Some(&rest[..]);
            if let Some(at) = seen[before..].iter().position(answer) {
                seen.remove(before + at);
                return Ok(());
            }
        }
    }

    /// At least one wait for a frame, then whatever else is there.
    fn receive(&mut self, wire: Wire, limit: Duration, seen: &mut Vec<Sent>) -> Result<()> {
        let [lan, wan] = &self.sockets;
        let socket = if wire == Wire::Lan { &lan.1 } else { &wan.1 };
        socket.set_read_timeout(Some(limit.max(Duration::from_micros(100))))?;
        match socket.recv(&mut self.buffer) {
            Ok(length) => seen.extend(sent(wire, &received(&self.buffer[..length]))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot receive on {}", wire.name())),
        }
        Ok(())
    }
}

/// A frame of the director's that IPVS may have to do with: no ARP, no neighbour discovery, no multicast groups.
fn sent(wire: Wire, frame: &[u8]) -> Option<Sent> {
    let (to, rest) = frame.split_first_chunk::<6>()?;
    let (from, rest) = rest.split_first_chunk::<6>()?;
    let (kind, packet) = rest.split_first_chunk::<2>()?;
    let kind = u16::from_be_bytes(*kind);
    if *from != wire.director() || !matches!(kind, 0x0800 | 0x86dd) || to[0] & 1 == 1 {
        return None;
    }
    let neighbours = kind == 0x86dd && packet.get(6) == Some(&58) && matches!(packet.get(40), Some(133..=137));
    let length = match kind {
        0x0800 => usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?])),
        _ => 40 + usize::from(u16::from_be_bytes([*packet.get(4)?, *packet.get(5)?])),
    };
    // behind it is the padding of a short frame
    let packet = packet[..length.min(packet.len())].to_vec();
    (!neighbours).then_some(Sent { wire, to: *to, kind, packet })
}

/// All frames of one interface of this thread's namespace.
fn open(wire: Wire) -> Result<Socket> {
    let all = i32::from(0x0003u16.to_be());
    let socket =
        Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(all))).context("cannot open a raw socket")?;
    let index =
        nix::net::if_::if_nametoindex(wire.name()).with_context(|| format!("there is no interface {}", wire.name()))?;
    socket.bind(&interface(index)).with_context(|| format!("cannot listen on {}", wire.name()))?;
    socket.set_recv_buffer_size(8 << 20)?;
    Ok(socket)
}

/// The address of a link.
#[allow(unsafe_code)]
fn interface(index: u32) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is one of the kernel's socket addresses, for which the storage is large enough and aligned, and
    // any bits are a valid one.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or(17);
    link.sll_protocol = 0x0003u16.to_be();
    link.sll_ifindex = i32::try_from(index).unwrap_or(0);
    let length = u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or(20);
    // SAFETY: so many bytes of the storage are a `sockaddr_ll`, as filled in above.
    unsafe { SockAddr::new(storage, length) }
}

/// What was received, copied to where it counts as initialised.
#[allow(unsafe_code)]
fn received(bytes: &[MaybeUninit<u8>]) -> Vec<u8> {
    // SAFETY: `Socket::recv` returned the length of this slice: it wrote each of these bytes.
    bytes.iter().map(|byte| unsafe { byte.assume_init() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_directors_own_packets_count_and_padding_does_not() {
        let ends = ("10.9.0.1".parse().unwrap(), "10.0.2.11".parse().unwrap());
        let packet = Packet::new(ends.0, ends.1, Content::Udp { ports: (1, 2) }).bytes().unwrap().remove(0);
        let frame = |from: Mac| [&[2, 0, 0, 0, 2, 11][..], &from, &[8, 0], &packet, &[0; 18]].concat();
        assert_eq!(sent(Wire::Lan, &frame(Wire::Lan.director())).unwrap().packet, packet);
        assert_eq!(sent(Wire::Lan, &frame([2, 0, 0, 0, 2, 12])), None);
        assert_eq!(sent(Wire::Lan, &[0; 13]), None);
    }
}
