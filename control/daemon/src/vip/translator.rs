//! Packets of probes on their way to real servers, and what comes back: the exception path's own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ulvs_engine::snapshot::PortId;
use ulvs_kernel::KernelState;

use super::Vip;
use super::error::IcmpError;
use super::outward::{Missing, Outward};
use super::packet::{Ends, Packet};
use super::registry::{Way, address, number};
use crate::devices::DirectorPort;

/// Connections of probes at a time.
const FLOWS: usize = 1 << 16;
/// How long one is remembered after its last packet.
const IDLE: Duration = Duration::from_secs(120);
/// How often those are looked for.
const SWEEP: Duration = Duration::from_secs(10);
/// Ports that are tried before a probe is dropped.
const TRIES: u16 = 64;
const FIRST_PORT: u16 = 1024;
/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;

/// A probe's connection as the kernel knows it: which way, and both ports.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Inside {
    number: u16,
    ends: Ends,
}

#[derive(Clone, Copy, Debug)]
struct Flow {
    inside: Inside,
    used: Instant,
}

/// Knows which connection of a probe's a packet from a virtual address belongs to.
pub(crate) struct Translator<'a> {
    vip: &'a Vip,
    ports: &'a [DirectorPort],
    /// By its ends outside, as a reply has them.
    flows: HashMap<Ends, Flow>,
    outside: HashMap<Inside, Ends>,
    swept: Instant,
}

impl<'a> Translator<'a> {
    pub(crate) fn new(vip: &'a Vip, ports: &'a [DirectorPort]) -> Self {
        Self { vip, ports, flows: HashMap::new(), outside: HashMap::new(), swept: Instant::now() }
    }

    /// Whether there is nothing to be caught.
    pub(crate) fn is_idle(&self) -> bool {
        self.flows.is_empty()
    }

    /// The frame for a packet that the kernel sends by the device, and the port it leaves by.
    pub(crate) fn outward(&mut self, packet: &mut [u8]) -> Option<(PortId, Vec<u8>)> {
        let read = Packet::read(packet)?;
        let (way, encapsulation) = self.vip.registry.way(number(read.ends.destination.0)?)?;
        let kernel: Arc<KernelState> = Arc::clone(&self.vip.kernel.as_ref()?.borrow());
        let out = match Outward::find(&way, encapsulation, self.ports, &kernel) {
            Ok(out) => out,
            Err(Missing::Neighbour(ifindex, address)) => {
                self.vip.ask_for(ifindex, address);
                return None;
            }
            Err(Missing::Way) => return None,
        };
        let packet = packet.get_mut(..read.length)?;
        let ends = self.ends_outside(&read, &way, out.source, Instant::now())?;
        read.rewrite(packet, &ends);
        Some((out.port, out.frame(packet)?))
    }

    /// What a frame that came in is for the kernel behind the device, if it is a reply to a probe, or an error about one.
    pub(crate) fn inward(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        if self.is_idle() || !matches!(frame.get(12..ETHERNET)?, [0x08, 0x00] | [0x86, 0xdd]) {
            return None;
        }
        let bytes = frame.get(ETHERNET..)?;
        if let Some(read) = Packet::read(bytes) {
            let inside = reversed(&self.inside(&read.ends)?);
            let mut packet = bytes.get(..read.length)?.to_vec();
            read.rewrite(&mut packet, &inside);
            return Some(packet);
        }
        let error = IcmpError::read(bytes)?;
        let inside = self.inside(&reversed(error.ends()))?;
        Some(error.about(&inside))
    }

    /// The ends of a probe's packets as the kernel sends them, by the ends that a reply has outside.
    fn inside(&mut self, reply: &Ends) -> Option<Ends> {
        let flow = self.flows.get_mut(reply)?;
        flow.used = Instant::now();
        let Inside { number, ends } = flow.inside;
        Some(Ends { destination: (address(number, ends.source.0.is_ipv4()), ends.destination.1), ..ends })
    }

    /// A packet's ends outside: those of its connection, or new ones with a port that no other probe of the virtual address has.
    fn ends_outside(&mut self, read: &Packet, way: &Way, source: IpAddr, now: Instant) -> Option<Ends> {
        self.sweep(now);
        let inside = Inside { number: number(read.ends.destination.0)?, ends: read.ends };
        let outside = |port| Ends {
            protocol: read.ends.protocol,
            source: (source, port),
            destination: (way.vip, read.ends.destination.1),
        };
        if let Some(known) = self.outside.get(&inside).copied().filter(|known| known.source.0 == source) {
            if let Some(flow) = self.flows.get_mut(&reversed(&known)) {
                flow.used = now;
            }
            return Some(known);
        }
        if self.flows.len() >= FLOWS {
            return None;
        }
        let own = read.ends.source.1;
        // None of those that belong to well-known services.
        let port =
            |step: u16| FIRST_PORT + (own.max(FIRST_PORT) - FIRST_PORT).wrapping_add(step) % (u16::MAX - FIRST_PORT);
        let mut ports = (0..TRIES).map(port).map(outside);
        let free = ports.find(|ends| !self.flows.contains_key(&reversed(ends)))?;
        if let Some(before) = self.outside.insert(inside, free) {
            self.flows.remove(&reversed(&before));
        }
        self.flows.insert(reversed(&free), Flow { inside, used: now });
        Some(free)
    }

    fn sweep(&mut self, now: Instant) {
        if now.duration_since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        let outside = &mut self.outside;
        self.flows.retain(|_, flow| {
            let is_used = now.duration_since(flow.used) < IDLE;
            if !is_used {
                outside.remove(&flow.inside);
            }
            is_used
        });
    }
}

/// The ends that a reply has.
const fn reversed(ends: &Ends) -> Ends {
    Ends { protocol: ends.protocol, source: ends.destination, destination: ends.source }
}

#[cfg(test)]
mod tests {
    use ulvs_model::ForwardMethod;

    use super::super::error::tests::error;
    use super::super::packet::TCP;
    use super::super::packet::tests::{is_right, packet};
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const INSIDE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(240, 117, 0, 1));

    fn way(host: u8) -> Way {
        Way { real_server: [10, 0, 0, host].into(), vip: VIP, method: ForwardMethod::Dr, source: None }
    }

    /// What the kernel sends to this way by the device, and its ends outside.
    fn sent(translator: &mut Translator<'_>, host: u8, port: u16) -> (Ends, Ends) {
        let address = translator.vip.registry.address(way(host)).unwrap();
        let ends = Ends { protocol: TCP, source: (INSIDE, port), destination: (address, 80) };
        let read = Packet::read(&packet(&ends, b"")).unwrap();
        (ends, translator.ends_outside(&read, &way(host), SOURCE, Instant::now()).unwrap())
    }

    fn frame(ends: &Ends) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00]);
        frame.extend(packet(ends, b"hello"));
        frame.extend([0; 7]);
        frame
    }

    #[tokio::test]
    async fn replies_find_the_way_they_are_of() {
        let vip = Vip::new(None);
        let mut translator = Translator::new(&vip, &[]);
        assert!(translator.is_idle());
        let (first, outside) = sent(&mut translator, 11, 40_000);
        let (second, other) = sent(&mut translator, 12, 40_000);
        assert_eq!((outside.source, outside.destination), ((SOURCE, 40_000), (VIP, 80)));
        assert_eq!(other.source, (SOURCE, 40_001), "the same virtual address by another port");
        assert_eq!(sent(&mut translator, 11, 40_000).1, outside, "of one connection all packets");
        for (inside, outside) in [(first, outside), (second, other)] {
            let reply = translator.inward(&frame(&reversed(&outside))).unwrap();
            let read = Packet::read(&reply).unwrap();
            assert_eq!(read.ends, reversed(&inside));
            assert!(is_right(&reply) && reply.ends_with(b"hello"), "padding is left out");
        }
    }

    /// What a router says of a packet with these ends.
    fn refused(ends: &Ends) -> Vec<u8> {
        let quoted = packet(ends, b"");
        let error = error(&quoted, (3, 1));
        [&[0; 12][..], &[0x08, 0x00], &error].concat()
    }

    #[tokio::test]
    async fn an_error_about_a_probe_finds_it_and_no_other_does() {
        let vip = Vip::new(None);
        let mut translator = Translator::new(&vip, &[]);
        let (inside, outside) = sent(&mut translator, 11, 40_000);
        let told = translator.inward(&refused(&outside)).unwrap();
        assert_eq!(*IcmpError::read(&told).unwrap().ends(), inside);
        let somebody = Ends { source: (SOURCE, 40_001), ..outside };
        assert_eq!(translator.inward(&refused(&somebody)), None);
        assert_eq!(translator.inward(&refused(&reversed(&outside))), None, "a reply is not what was sent");
    }

    #[tokio::test]
    async fn nobody_elses_packet_is_caught() {
        let vip = Vip::new(None);
        let mut translator = Translator::new(&vip, &[]);
        let (_, outside) = sent(&mut translator, 11, 40_000);
        let reply = reversed(&outside);
        let others = [
            Ends { source: (VIP, 81), ..reply },
            Ends { source: ([192, 0, 2, 2].into(), 80), ..reply },
            Ends { destination: (SOURCE, 40_001), ..reply },
            Ends { destination: ([10, 0, 0, 2].into(), 40_000), ..reply },
        ];
        for ends in others {
            assert_eq!(translator.inward(&frame(&ends)), None);
        }
        for cut in 0..frame(&reply).len() {
            translator.inward(&frame(&reply)[..cut]);
        }
        assert!(translator.inward(&frame(&reply)).is_some());
    }

    #[tokio::test]
    async fn what_is_idle_is_forgotten_and_there_are_not_too_many() {
        let vip = Vip::new(None);
        let mut translator = Translator::new(&vip, &[]);
        for port in 1024..u16::MAX {
            sent(&mut translator, 11, port);
        }
        assert!(translator.flows.len() <= FLOWS && translator.flows.len() == translator.outside.len());
        translator.sweep(Instant::now() + IDLE + SWEEP);
        assert!(translator.is_idle() && translator.outside.is_empty());
    }
}
