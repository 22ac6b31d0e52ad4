//! Fragments of packets to services and of replies: any order, any worker, one real server (ipvs-facts C.7).

use ulvs_engine::{Capacity, DropReason, PuntReason, TICKS_PER_SECOND, Ticks, Verdict};
use ulvs_model::Protocol;
use ulvs_wire::fragment::Cut;

use crate::director::{Director, Sent, Side};
use crate::frames::{Flow, SYN, verifies};

const CLIENTS: [&str; 2] = ["10.9.3.1:7000", "[2001:db8:9::3]:7000"];
const VIPS: [&str; 2] = ["10.0.1.100", "[2001:db8:1::100]"];
const SERVERS: [&str; 2] = ["10.0.2.11", "[2001:db8:2::11]"];

fn director(method: &str, workers: usize) -> Director {
    let mut director = Director::with(Capacity { connections: 4096, destinations: 64, workers });
    for (vip, server) in VIPS.iter().zip(SERVERS) {
        director.ipvsadm(&format!("ipvsadm -A -u {vip}:53 -s rr"));
        director.ipvsadm(&format!("ipvsadm -a -u {vip}:53 -r {server}:5353 {method}"));
        let other = server.replace("11", "12");
        director.ipvsadm(&format!("ipvsadm -a -u {vip}:53 -r {other}:5353 {method}"));
    }
    director
}

/// A UDP packet of `length` bytes of data, in fragments of at most `mtu` bytes.
fn fragments(from: &str, to: &str, length: usize, mtu: u16, id: u16) -> Vec<Vec<u8>> {
    fragments_of(&Flow::new(Protocol::Udp, from, to), length, mtu, id)
}

fn fragments_of(flow: &Flow, length: usize, mtu: u16, id: u16) -> Vec<Vec<u8>> {
    let payload: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let mut packet = flow.packet(SYN, &payload);
    if packet[0] >> 4 == 4 {
        packet[4..6].copy_from_slice(&id.to_be_bytes());
        packet[6] = 0;
    }
    let frame = [&[0; 14][..], &packet].concat();
    let cut = Cut::of(&frame, mtu, id.into()).unwrap();
    let one = |number| {
        let mut fragment = cut.parts(&frame, number).concat();
        cut.finish(number, &mut fragment);
        fragment[14..].to_vec()
    };
    (0..cut.count()).map(one).collect()
}

/// The packet that these fragments make, as their receiver sees it.
fn whole(fragments: &[Sent]) -> Vec<u8> {
    let (mut packet, mut end) = (Vec::new(), 0);
    for Sent { l3, .. } in fragments {
        let (offset, data) = if l3[0] >> 4 == 4 {
            ((u16::from_be_bytes([l3[6], l3[7]]) & 0x1fff) * 8, 20)
        } else {
            (u16::from_be_bytes([l3[42], l3[43]]) & !7, 48)
        };
        if offset == 0 {
            let mut header = l3[..if data == 20 { 20 } else { 40 }].to_vec();
            header.extend_from_slice(packet.get(header.len()..).unwrap_or_default());
            packet = header;
        }
        let header = if data == 20 { 20 } else { 40 };
        let at = header + usize::from(offset);
        end = end.max(at + l3.len() - data);
        packet.resize(packet.len().max(end), 0);
        packet[at..at + l3.len() - data].copy_from_slice(&l3[data..]);
    }
    let length = u16::try_from(packet.len()).unwrap();
    if packet[0] >> 4 == 4 {
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        packet[6..8].fill(0);
        packet[10..12].fill(0);
        let sum = ulvs_wire::checksum::of(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        packet[4..6].copy_from_slice(&(length - 40).to_be_bytes());
        packet[6] = 17;
    }
    packet
}

/// The packets in tunnels, without outer headers.
fn inner(sent: Vec<Sent>) -> Vec<Sent> {
    sent.into_iter()
        .map(|one| {
            let header = if one.l3[0] >> 4 == 4 { 20 } else { 40 };
            Sent { l3: one.l3[header..].to_vec(), ..one }
        })
        .collect()
}

/// Every order of four fragments, spread over two workers in every way: they come to one real server, all of them and
/// nothing else, the checksum right; and so does the answer.
#[test]
fn any_order_on_any_worker() {
    let orders = permutations(4);
    for method in ["-m", "-g", "-i"] {
        let mut director = director(method, 2);
        for (family, (client, vip)) in CLIENTS.iter().zip(VIPS).enumerate() {
            let to = format!("{vip}:53");
            for (n, order) in orders.iter().enumerate() {
                let parts =
                    fragments(client, &to, 1600, if family == 0 { 476 } else { 496 }, u16::try_from(n).unwrap());
                assert_eq!(parts.len(), 4);
                let mut sent = Vec::new();
                for (at, &part) in order.iter().enumerate() {
                    let worker = n >> at & 1;
                    sent.extend(director.play_whole(worker, Side::Client, &parts[part]).1);
                }
                assert_eq!(sent.len(), 4, "{method} {client} {order:?}");
                assert!(sent.iter().all(|one| one.to == sent[0].to), "one real server");
                let sent = if method == "-i" { inner(sent) } else { sent };
                assert!(verifies(&whole(&sent)), "{method} {client} {order:?}");
                if method == "-m" {
                    let server = if sent[0].to[5] == 11 {
                        SERVERS[family].to_owned()
                    } else {
                        SERVERS[family].replace("11", "12")
                    };
                    reply(&mut director, &format!("{server}:5353"), client, order);
                }
            }
        }
    }
}

/// SCTP's checksum is over the whole packet: fragments go on where it need not change, and else nowhere.
#[test]
fn of_sctp() {
    for (method, port, goes) in [("-m", 53, true), ("-m", 5353, false), ("-g", 53, true), ("-i", 53, true)] {
        let mut director = Director::new();
        director.ipvsadm("ipvsadm -A --sctp-service 10.0.1.100:53 -s rr");
        director.ipvsadm(&format!("ipvsadm -a --sctp-service 10.0.1.100:53 -r 10.0.2.11:{port} {method}"));
        let there = Flow::new(Protocol::Sctp, CLIENTS[0], "10.0.1.100:53");
        let parts = fragments_of(&there, 1600, 476, 5);
        for order in permutations(4) {
            let sent: Vec<_> =
                order.iter().flat_map(|&part| director.play_whole(0, Side::Client, &parts[part]).1).collect();
            assert_eq!(sent.len(), if goes { 4 } else { 0 }, "{method} {port} {order:?}");
            let sent = if method == "-i" { inner(sent) } else { sent };
            assert!(!goes || verifies(&whole(&sent)), "{method} {port} {order:?}");
            director.wait(6);
        }
        if method == "-m" {
            director.play(Side::Client, &there.packet(SYN, b""));
            let back = Flow { source: format!("10.0.2.11:{port}").parse().unwrap(), ..there.reversed() };
            let parts = fragments_of(&back, 1600, 476, 6);
            let verdicts: Vec<_> = parts.iter().map(|part| director.play_whole(0, Side::Server, part).0).collect();
            let dropped = Verdict::Drop(DropReason::SctpFragment);
            let want = if goes { Verdict::Forward(Side::Client.port()) } else { dropped };
            assert!(verdicts.iter().all(|&verdict| verdict == want), "{verdicts:?}");
        }
    }
}

fn reply(director: &mut Director, server: &str, client: &str, order: &[usize]) {
    let parts = fragments(server, client, 1600, 496, 77);
    let mut sent = Vec::new();
    for &part in order {
        sent.extend(director.play_whole(0, Side::Server, &parts[part]).1);
    }
    assert_eq!(sent.len(), parts.len());
    let packet = whole(&sent);
    assert!(verifies(&packet));
    let (source, port) = if packet[0] >> 4 == 4 { (12..16, 20) } else { (8..24, 40) };
    let vip = if source.len() == 4 {
        vec![10, 0, 1, 100]
    } else {
        "2001:db8:1::100".parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec()
    };
    assert_eq!((&packet[source], &packet[port..port + 2]), (&vip[..], &[0, 53][..]));
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let insert = |shorter: Vec<usize>| {
        (0..count).map(move |at| {
            let mut longer = shorter.clone();
            longer.insert(at, count - 1);
            longer
        })
    };
    permutations(count - 1).into_iter().flat_map(insert).collect()
}

/// IPVS counts the datagram, not its fragments (ipvs-facts C.7, C.10).
#[test]
fn a_datagram_is_counted_once() {
    let mut director = director("-m", 1);
    let parts = fragments(CLIENTS[0], "10.0.1.100:53", 1600, 476, 1);
    for part in &parts {
        director.play_whole(0, Side::Client, part);
    }
    for part in fragments("10.0.2.12:5353", CLIENTS[0], 1600, 476, 1) {
        director.play_whole(0, Side::Server, &part);
    }
    let totals = director.service("udp 10.0.1.100:53").totals;
    assert_eq!((totals.connections, totals.packets_in, totals.bytes_in), (1, 1, 20 + 8 + 1600));
    assert_eq!((totals.packets_out, totals.bytes_out), (1, 20 + 8 + 1600));
}

/// RFC 5722: when fragments overlap nothing more of the datagram is forwarded. A repeated one is not forwarded twice.
#[test]
fn overlaps_and_repetitions() {
    let mut director = director("-g", 1);
    let bad = Verdict::Drop(DropReason::BadFragment);
    let forwarded = Verdict::Forward(Side::Server.port());
    let parts = fragments(CLIENTS[0], "10.0.1.100:53", 1600, 476, 1);
    let other = fragments(CLIENTS[0], "10.0.1.100:53", 1600, 380, 1);
    let mut verdict = |part: &Vec<u8>| director.play(Side::Client, part).0;
    assert_eq!((verdict(&parts[0]), verdict(&parts[1])), (forwarded, forwarded));
    assert_eq!(verdict(&parts[1]), bad);
    assert_eq!(verdict(&parts[2]), forwarded);
    assert_eq!(verdict(&other[3]), bad, "begins in the third and ends behind it");
    assert_eq!(verdict(&parts[3]), bad);
    // The source uses the number again.
    for part in &parts {
        assert_eq!(verdict(part), forwarded);
    }
}

/// What follows goes where the first went: to the kernel if no service wanted it, nowhere if nobody could be asked.
#[test]
fn what_follows_goes_where_the_first_went() {
    let mut director = director("-m", 1);
    let mut verdicts = |side, from: &str, to: &str| -> Vec<Verdict> {
        let parts = fragments(from, to, 1600, 1500, 9);
        parts.iter().map(|part| director.play(side, part).0).collect()
    };
    let (not_a_service, fragment) = (Verdict::Punt(PuntReason::NotAService), Verdict::Punt(PuntReason::Fragment));
    for (client, vip) in CLIENTS.iter().zip(VIPS) {
        assert_eq!(verdicts(Side::Client, client, &format!("{vip}:54")), [not_a_service, fragment]);
    }
    for (client, server) in CLIENTS.iter().zip(SERVERS) {
        // As with whole packets: the director is a router for what is no reply.
        assert_eq!(verdicts(Side::Server, &format!("{server}:9"), client), [not_a_service, fragment]);
    }
    for own in ["10.0.2.1:7000", "10.0.3.1:7000"] {
        assert_eq!(verdicts(Side::Client, CLIENTS[0], own), [fragment, fragment]);
    }
    for server in ["11", "12"] {
        director.ipvsadm(&format!("ipvsadm -e -u 10.0.1.100:53 -r 10.0.2.{server}:5353 -m -w 0"));
    }
    let parts = fragments("10.9.3.2:7000", "10.0.1.100:53", 1600, 1500, 9);
    let nobody = Verdict::Reject(Side::Client.port(), DropReason::NoDestination);
    assert_eq!(director.play(Side::Client, &parts[0]).0, nobody);
    assert_eq!(director.play(Side::Client, &parts[1]).0, Verdict::Drop(DropReason::Fragment));
}

/// Other protocols' fragments are the kernel's: ping.
#[test]
fn pings_are_the_kernel_s() {
    let mut director = director("-m", 1);
    for mut part in fragments(CLIENTS[0], "10.0.1.100:53", 1600, 1500, 9) {
        part[9] = 1;
        part[10..12].fill(0);
        let sum = ulvs_wire::checksum::of(&part[..20]);
        part[10..12].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(director.play(Side::Client, &part).0, Verdict::Punt(PuntReason::Fragment));
    }
}

/// A datagram without checksum goes on without: not all of it is here to compute one.
#[test]
fn a_datagram_without_checksum_stays_so() {
    let mut director = director("-m", 1);
    let mut parts = fragments(CLIENTS[0], "10.0.1.100:53", 1600, 1500, 9);
    parts[0][26..28].fill(0);
    let sent = director.play_whole(0, Side::Client, &parts[0]).1;
    assert_eq!(sent[0].l3[26..28], [0, 0]);
}

/// A fragment that would change the header of the first is no fragment of a packet (RFC 3128), and is not kept either.
#[test]
fn tiny_fragments_are_dropped() {
    let mut director = Director::new();
    director.ipvsadm("ipvsadm -A -t 10.0.1.100:80 -s rr");
    director.ipvsadm("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:80 -m");
    let packet = Flow::new(Protocol::Tcp, CLIENTS[0], "10.0.1.100:80").packet(2, &[0; 64]);
    let frame = [&[0; 14][..], &packet].concat();
    for (mtu, verdicts) in [(36, [true, true, false]), (44, [false, false, false])] {
        let cut = Cut::of(&frame, mtu, 0).unwrap();
        for (number, is_bad) in verdicts.into_iter().enumerate() {
            let mut fragment = cut.parts(&frame, number).concat();
            cut.finish(number, &mut fragment);
            let (verdict, _) = director.play(Side::Client, &fragment[14..]);
            assert_eq!(verdict == Verdict::Drop(DropReason::BadFragment), is_bad, "{mtu} {number}: {verdict:?}");
        }
    }
}

/// The first is remembered for five seconds, and no longer than its datagram is on its way.
#[test]
fn a_first_is_forgotten_in_time() {
    let mut director = director("-m", 1);
    let parts = fragments(CLIENTS[0], "10.0.1.100:53", 1600, 1500, 9);
    let forwarded = Verdict::Forward(Side::Server.port());
    assert_eq!(director.play(Side::Client, &parts[0]).0, forwarded);
    director.now = Ticks(director.now.0 + 4 * TICKS_PER_SECOND);
    assert_eq!(director.play(Side::Client, &parts[1]).0, forwarded);
    // All of it has come: this is another datagram's.
    assert_eq!(director.play(Side::Client, &parts[1]).0, Verdict::Hold);
    assert_eq!(director.play(Side::Client, &parts[0]).0, forwarded);
    director.now = Ticks(director.now.0 + 5 * TICKS_PER_SECOND);
    assert_eq!(director.play(Side::Client, &parts[1]).0, Verdict::Hold);
}

/// A datagram of one-packet scheduling has no connection: what follows its first fragment goes where that went, each datagram to
/// another real server (ipvs-facts B.7, C.7).
#[test]
fn datagrams_of_one_packet_scheduling_arrive_whole() {
    for method in ["-m", "-g", "-i"] {
        for (vip, (server, client)) in VIPS.iter().zip(SERVERS.iter().zip(CLIENTS)) {
            let mut director = Director::with(Capacity { connections: 4096, destinations: 64, workers: 2 });
            director.ipvsadm(&format!("ipvsadm -A -u {vip}:53 -s rr -o"));
            for server in [(*server).to_owned(), server.replace("11", "12")] {
                director.ipvsadm(&format!("ipvsadm -a -u {vip}:53 -r {server}:5353 {method}"));
            }
            let mut servers = Vec::new();
            for id in 1..=4 {
                let mut sent = Vec::new();
                // The last comes first, and all but the first by the other worker.
                for (at, fragment) in fragments(client, &format!("{vip}:53"), 3000, 1280, id).iter().enumerate().rev() {
                    let (verdict, left) = director.play_whole(usize::from(at > 0), Side::Client, fragment);
                    assert!(matches!(verdict, Verdict::Hold | Verdict::Forward(_)), "{verdict:?}");
                    sent.extend(left);
                }
                assert_eq!(sent.len(), 3, "{method} {vip}");
                assert!(sent.iter().all(|one| one.to == sent[0].to), "{method} {vip}: all go to one real server");
                servers.push(sent[0].to);
            }
            assert_eq!((servers[0], servers[1]), (servers[2], servers[3]));
            assert_ne!(servers[0], servers[1]);
            assert_eq!(director.shared.connections(), 0);
        }
    }
}
