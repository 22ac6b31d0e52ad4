//! Properties of the whole burst function, over packets of any kind.

use proptest::prelude::*;
use ulvs_engine::{BURST, Frame, MemoryFrame, Verdict};
use ulvs_model::Protocol;

use crate::counters::Counters;
use crate::director::{Director, Side, sent};
use crate::frames::{self, ACK, FIN, Flow, RST, SYN, with_ttl};

/// The port of each method's services, in both families and protocols.
const METHODS: [(&str, u16); 5] = [("-m", 80), ("-g", 81), ("-i", 82), ("-i", 83), ("none", 84)];

/// A director with services of every method, family and protocol. Port 83 tunnels into the other family, port 84 has no
/// destination.
fn director() -> Director {
    let mut director = Director::new();
    for protocol in ["-t", "-u", "--sctp-service"] {
        for (vip, own, other) in
            [("10.0.1.100", "10.0.2.", "2001:db8:2::"), ("2001:db8:1::100", "2001:db8:2::", "10.0.2.")]
        {
            for (method, port) in METHODS {
                let service = format!("{protocol} {}", socket(vip, port));
                director.ipvsadm(&format!("ipvsadm -A {service} -s rr"));
                let net = if port == 83 { other } else { own };
                for server in [11, 12].iter().filter(|_| method != "none") {
                    let server = socket(&format!("{net}{server}"), if method == "-m" { 8080 } else { port });
                    director.ipvsadm(&format!("ipvsadm -a {service} -r {server} {method}"));
                }
            }
        }
    }
    director
}

fn socket(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

/// A packet of one of a few flows, mostly to services, of any flags and contents.
fn packets() -> impl Strategy<Value = (Side, Vec<u8>)> {
    let flags = prop::sample::select(vec![SYN, SYN, SYN | ACK, ACK, FIN | ACK, RST, 0]);
    let payload = prop::collection::vec(any::<u8>(), 0..100);
    let protocol = prop::sample::select(&Protocol::ALL[..]);
    (any::<bool>(), protocol, any::<bool>(), 80u16..86, 0u16..6, flags, payload).prop_map(
        |(v6, protocol, from_server, port, client, flags, payload)| {
            let (client_ip, vip, server) = if v6 {
                ("2001:db8:9::3", "2001:db8:1::100", "2001:db8:2::11")
            } else {
                ("10.9.3.1", "10.0.1.100", "10.0.2.11")
            };
            let client = socket(client_ip, 7000 + client);
            if from_server {
                let flow = Flow::new(protocol, &socket(server, 8080), &client);
                (Side::Server, flow.packet(flags, &payload))
            } else {
                (Side::Client, Flow::new(protocol, &client, &socket(vip, port)).packet(flags, &payload))
            }
        },
    )
}

/// What is done to a valid packet.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Truncate(prop::sample::Index),
    /// Bytes of the frame become others.
    Bytes(Vec<(prop::sample::Index, u8)>),
    /// A byte of the first 60, where the headers are.
    Header(usize, u8),
    /// A fragment: more fragments, or an offset.
    Fragment(u16),
    /// An extension header or options in front of the transport header.
    Extension(u8, u8),
    Pad(usize),
    Noise(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        2 => Just(Damage::None),
        2 => any::<prop::sample::Index>().prop_map(Damage::Truncate),
        2 => prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4).prop_map(Damage::Bytes),
        4 => (0usize..60, any::<u8>()).prop_map(|(at, value)| Damage::Header(at, value)),
        1 => any::<u16>().prop_map(Damage::Fragment),
        2 => (prop::sample::select(vec![0u8, 43, 44, 60, 51, 135]), any::<u8>()).prop_map(|(h, l)| Damage::Extension(h, l)),
        1 => (0usize..60).prop_map(Damage::Pad),
        1 => prop::collection::vec(any::<u8>(), 0..120).prop_map(Damage::Noise),
    ]
}

/// Puts the IPv4 header checksum right, so that damage behind it is reached.
fn repair(bytes: &mut [u8]) {
    if let Some(header) = bytes.get_mut(14..34)
        && header[0] == 0x45
    {
        header[10..12].fill(0);
        let sum = ulvs_wire::checksum::of(header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

fn damaged(side: Side, l3: &[u8], damage: &Damage, repaired: bool) -> MemoryFrame {
    let mut bytes = Director::frame(side, l3).bytes().to_vec();
    match damage {
        Damage::None => {}
        Damage::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        Damage::Bytes(changes) => {
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
        }
        Damage::Header(at, value) => {
            let at = *at % bytes.len();
            bytes[at] = *value;
        }
        Damage::Fragment(fragment) => bytes[20..22].copy_from_slice(&fragment.to_be_bytes()),
        Damage::Extension(kind, words) if bytes[14] >> 4 == 6 => {
            let next = std::mem::replace(&mut bytes[20], *kind);
            // A padding option; of a routing header, the segments left.
            let fourth = if *words < 128 { 0 } else { 4 };
            bytes.splice(54..54, [next, *words % 4, 1, fourth, 0, 0, 0, 0]);
            let length = u16::try_from(bytes.len() - 54).unwrap();
            bytes[18..20].copy_from_slice(&length.to_be_bytes());
        }
        Damage::Extension(_, words) => bytes[14] = 0x40 | (words % 16),
        Damage::Pad(count) => bytes.extend(std::iter::repeat_n(0xaa, *count)),
        Damage::Noise(noise) => bytes.clone_from(noise),
    }
    if repaired {
        repair(&mut bytes);
    }
    MemoryFrame::new(&bytes)
}

fn bursts() -> impl Strategy<Value = Vec<(Side, MemoryFrame)>> {
    let frame = (packets(), damage(), any::<bool>())
        .prop_map(|((side, l3), damage, repaired)| (side, damaged(side, &l3, &damage, repaired)));
    prop::collection::vec(frame, 1..BURST / 2)
}

/// The frames of one side, in order.
fn of(side: Side, frames: &[(Side, MemoryFrame)]) -> Vec<MemoryFrame> {
    frames.iter().filter(|(on, _)| *on == side).map(|(_, frame)| frame.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes in: no panic, one verdict for each frame, each counted once, and what is punted is unchanged.
    #[test]
    fn every_frame_has_one_counted_verdict(frames in bursts()) {
        let mut director = director();
        let before = Counters::of(&director).verdicts(0);
        let mut held = 0;
        for side in [Side::Client, Side::Server] {
            let original = of(side, &frames);
            let mut played = original.clone();
            let verdicts = director.burst(0, side, &mut played);
            for ((verdict, before), after) in verdicts.iter().zip(&original).zip(&played) {
                prop_assert_ne!(*verdict, Verdict::Wait, "every neighbour is known");
                if matches!(verdict, Verdict::Punt(_) | Verdict::Hold) {
                    prop_assert_eq!(before, after);
                }
                held += u64::from(*verdict == Verdict::Hold);
            }
        }
        prop_assert_eq!(Counters::of(&director).verdicts(0) - before + held, frames.len() as u64);
    }

    /// A burst is its packets one by one.
    #[test]
    fn a_burst_is_its_packets(frames in bursts()) {
        let (mut at_once, mut one_by_one) = (director(), director());
        for side in [Side::Client, Side::Server] {
            let mut burst = of(side, &frames);
            let mut single = burst.clone();
            let together = at_once.burst(0, side, &mut burst);
            let apart: Vec<_> =
                single.iter_mut().flat_map(|frame| one_by_one.burst(0, side, std::slice::from_mut(frame))).collect();
            prop_assert_eq!(together, apart);
            prop_assert_eq!(burst, single);
        }
        prop_assert_eq!(Counters::of(&at_once), Counters::of(&one_by_one));
        prop_assert_eq!(at_once.connections(), one_by_one.connections());
    }

    /// All checksums of what leaves are right if those of what came in were: of the packet, of the tunnel around it and of
    /// the packet in the tunnel, and of `ICMP` errors.
    #[test]
    fn checksums_stay_right(packets in prop::collection::vec(packets(), 1..20), udp_without: bool) {
        let mut director = director();
        for (side, mut l3) in packets {
            if udp_without && l3[0] == 0x45 && l3[9] == 17 {
                l3[26..28].fill(0);
            }
            prop_assert!(frames::verifies(&l3));
            let (verdict, sent) = director.play(side, &l3);
            if let Some(sent) = sent {
                // What an error quotes is cut: only its own checksums count, and they cover it.
                prop_assert!(frames::verifies(&sent.l3), "{:?} {:02x?}", verdict, sent.l3);
            }
        }
    }

    /// Through NAT and back, a client sees its own flow: everything but the TTL is as the real server sent it, with
    /// the virtual address and port.
    #[test]
    fn there_and_back_is_the_identity(
        v6: bool, protocol in prop::sample::select(&Protocol::ALL[..]), client_port in 1024u16.., flags in prop::sample::select(vec![ACK, SYN | ACK, FIN | ACK]),
        payload in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut director = director();
        let (client, vip) = if v6 { ("2001:db8:9::3", "2001:db8:1::100") } else { ("10.9.3.1", "10.0.1.100") };
        let flow = Flow::new(protocol, &socket(client, client_port), &socket(vip, 80));
        let (_, there) = director.play(Side::Client, &flow.packet(SYN, &payload));
        let there = there.unwrap().l3;
        prop_assert!(frames::verifies(&there));
        let server: std::net::SocketAddr =
            if v6 { "[2001:db8:2::12]:8080" } else { "10.0.2.12:8080" }.parse().unwrap();
        let translated = Flow { destination: server, ..flow };
        prop_assert_eq!(&there, &with_ttl(translated.packet(SYN, &payload), 63));
        let (_, back) = director.play(Side::Server, &translated.reversed().packet(flags, &payload));
        prop_assert_eq!(back.unwrap().l3, with_ttl(flow.reversed().packet(flags, &payload), 63));
    }
}

/// A UDP datagram without checksum that is shorter than its IP packet gets one that its receiver accepts.
#[test]
fn a_datagram_before_other_bytes_gets_its_checksum() {
    let mut director = director();
    let mut l3 = Flow::new(Protocol::Udp, "10.9.3.1:7000", "10.0.1.100:80").packet(0, b"datagram and more");
    let whole = l3.len();
    l3[24..26].copy_from_slice(&u16::to_be_bytes(8 + 8));
    l3[26..28].fill(0);
    let (_, sent) = director.play(Side::Client, &l3);
    let sent = sent.unwrap().l3;
    assert_eq!(sent.len(), whole);
    assert_ne!(sent[26..28], [0, 0]);
    assert!(frames::verifies(&sent));
}

/// Every truncation of a packet through every method is dropped with a reason; none is forwarded.
#[test]
fn every_truncation_is_dropped() {
    let mut director = director();
    for vip in ["10.0.1.100", "2001:db8:1::100"] {
        for (_, port) in METHODS {
            for protocol in Protocol::ALL {
                let client = if vip.contains(':') { "[2001:db8:9::3]:7000" } else { "10.9.3.1:7000" };
                let whole = Flow::new(protocol, client, &socket(vip, port)).packet(SYN, b"data");
                for len in 0..whole.len() {
                    let mut frames = [Director::frame(Side::Client, &whole)];
                    frames[0].truncate(14 + len);
                    let verdicts = director.burst(0, Side::Client, &mut frames);
                    assert!(matches!(verdicts[..], [Verdict::Drop(_)]), "{len} of {}: {verdicts:?}", whole.len());
                    assert_eq!(sent(verdicts[0], &frames[0]), None);
                }
            }
        }
    }
    assert_eq!(director.shared.connections(), 0);
}
