//! Whole lives of connections in virtual time: clients, one or two workers, real servers, expiry, a full table.

use ulvs_engine::{Capacity, DropReason, PuntReason, Verdict};
use ulvs_model::Protocol;

use crate::counters::Counters;
use crate::director::{Director, Side};
use crate::frames::{ACK, FIN, Flow, RST, SYN};

const METHODS: [&str; 3] = ["-m", "-g", "-i"];

/// A director with one service of this method on port 80 of both protocols.
fn director(method: &str, workers: usize, connections: u32) -> Director {
    let mut director = Director::with(Capacity { connections, destinations: 8, workers });
    for protocol in ["-t", "-u"] {
        director.ipvsadm(&format!("ipvsadm -A {protocol} 10.0.1.100:80 -s rr"));
        let port = if method == "-m" { 8080 } else { 80 };
        for server in ["10.0.2.11", "10.0.2.12"] {
            director.ipvsadm(&format!("ipvsadm -a {protocol} 10.0.1.100:80 -r {server}:{port} {method}"));
        }
    }
    director
}

fn client(protocol: Protocol, number: u32) -> Flow {
    let source = format!("10.9.{}.{}:{}", number >> 16, number >> 8 & 0xff, 1024 + (number & 0xff));
    Flow::new(protocol, &source, "10.0.1.100:80")
}

/// Active and all connections of a service.
fn load(director: &Director, name: &str) -> (u32, u32) {
    let destinations = director.service(name).destinations;
    (destinations.iter().map(|d| d.load.active).sum(), destinations.iter().map(|d| d.load.total).sum())
}

/// The real server a request went to.
fn request(director: &mut Director, worker: usize, flow: &Flow, flags: u8) -> [u8; 6] {
    let (verdict, sent) = director.play_on(worker, Side::Client, &flow.packet(flags, b"request"));
    assert_eq!(verdict, Verdict::Forward(Side::Server.port()));
    sent.unwrap().to
}

/// A reply of that real server, as it comes by the director in NAT; the client must see the virtual address.
fn reply(director: &mut Director, worker: usize, flow: &Flow, server: [u8; 6], flags: u8) {
    let from = format!("10.0.2.{}:8080", server[5]).parse().unwrap();
    let packet = Flow { source: from, ..flow.reversed() }.packet(flags, b"reply");
    let (verdict, sent) = director.play_on(worker, Side::Server, &packet);
    assert_eq!(verdict, Verdict::Forward(Side::Client.port()));
    let expected = flow.reversed().packet(flags, b"reply");
    assert_eq!(sent.unwrap().l3[12..], expected[12..], "from the virtual address, with the right checksum");
}

/// A TCP life; the states and load after each packet are stated.
fn life(method: &str, requests: usize, replies: usize) {
    let workers = requests.max(replies) + 1;
    let mut director = director(method, workers, 256);
    let flow = client(Protocol::Tcp, 1);
    let nat = method == "-m";
    let state = |director: &Director| director.connections()[0].state.name();
    let server = request(&mut director, requests, &flow, SYN);
    assert_eq!((state(&director), load(&director, "tcp 10.0.1.100:80")), ("SYN_RECV", (1, 1)));
    if nat {
        reply(&mut director, replies, &flow, server, SYN | ACK);
        assert_eq!(state(&director), "SYN_RECV");
    }
    for _ in 0..3 {
        assert_eq!(request(&mut director, requests, &flow, ACK), server, "a connection stays with its real server");
        assert_eq!((state(&director), load(&director, "tcp 10.0.1.100:80")), ("ESTABLISHED", (1, 1)));
        director.wait(600);
    }
    assert_eq!(request(&mut director, requests, &flow, FIN | ACK), server);
    assert_eq!(load(&director, "tcp 10.0.1.100:80"), (0, 1));
    if nat {
        assert_eq!(state(&director), "CLOSE_WAIT");
        reply(&mut director, replies, &flow, server, FIN | ACK);
        assert_eq!(state(&director), "TIME_WAIT");
        request(&mut director, requests, &flow, ACK);
        assert_eq!(state(&director), "TIME_WAIT");
    } else {
        assert_eq!(state(&director), "FIN_WAIT");
    }
    director.wait(119);
    assert_eq!(director.shared.connections(), 1);
    director.wait(3);
    assert_eq!((director.shared.connections(), director.connections().len()), (0, 0));
    assert_eq!(load(&director, "tcp 10.0.1.100:80"), (0, 0));
    let (verdict, _) = director.play_on(requests, Side::Client, &flow.packet(ACK, b""));
    assert_eq!(verdict, Verdict::Punt(PuntReason::NoConnection));
}

#[test]
fn a_life_on_one_worker() {
    for method in METHODS {
        life(method, 0, 0);
    }
}

#[test]
fn a_life_on_two_workers() {
    for method in METHODS {
        life(method, 0, 1);
        life(method, 1, 0);
    }
}

/// Many at once, requests on one worker and replies on the other, all ended differently; afterwards nothing is left.
#[test]
fn many_lives() {
    let mut director = director("-m", 2, 4096);
    let flows: Vec<_> = (0..1000).map(|n| client(Protocol::Tcp, n)).collect();
    for (n, flow) in flows.iter().enumerate() {
        let server = request(&mut director, 0, flow, SYN);
        reply(&mut director, 1, flow, server, SYN | ACK);
        if n % 4 > 0 {
            request(&mut director, n % 2, flow, ACK);
        }
        match n % 4 {
            2 => reply(&mut director, 1, flow, server, FIN | ACK),
            3 => reply(&mut director, 1, flow, server, RST),
            _ => {}
        }
    }
    // A quarter each: half open, established, closing, reset.
    assert_eq!(load(&director, "tcp 10.0.1.100:80"), (500, 1000));
    assert_eq!(director.shared.connections(), 1000);
    for (seconds, left) in [(13, (500, 750)), (50, (250, 500)), (60, (250, 250)), (780, (0, 0))] {
        director.wait(seconds);
        assert_eq!(load(&director, "tcp 10.0.1.100:80"), left, "{seconds} s later");
    }
    assert_eq!(director.shared.connections(), 0);
}

/// UDP is never active, lives five minutes after its last packet either way, and its table entry is used again.
#[test]
fn datagrams() {
    let mut director = director("-m", 2, 256);
    let flow = client(Protocol::Udp, 1);
    let server = request(&mut director, 0, &flow, 0);
    director.wait(299);
    reply(&mut director, 1, &flow, server, 0);
    director.wait(299);
    assert_eq!(load(&director, "udp 10.0.1.100:80"), (0, 1));
    director.wait(3);
    assert_eq!(load(&director, "udp 10.0.1.100:80"), (0, 0));
}

/// Fill to capacity, refuse more and count it, serve who is in, expire, and fill again: as often as one likes.
#[test]
fn a_full_table_empties() {
    const CAPACITY: u32 = 512;
    for method in METHODS {
        let mut director = director(method, 1, CAPACITY);
        for _ in 0..3 {
            for n in 0..CAPACITY {
                request(&mut director, 0, &client(Protocol::Udp, n), 0);
            }
            let before = Counters::of(&director);
            let (verdict, _) = director.play(Side::Client, &client(Protocol::Udp, CAPACITY).packet(0, b""));
            assert_eq!(verdict, Verdict::Drop(DropReason::ConnTableFull));
            before.changed(&director, &[("0 drop conn_table_full", 1)]);
            for n in 0..CAPACITY {
                request(&mut director, 0, &client(Protocol::Udp, n), 0);
            }
            director.wait(303);
            assert_eq!((director.shared.connections(), load(&director, "udp 10.0.1.100:80")), (0, (0, 0)));
        }
    }
}

/// Two workers share a table: requests on either fill at least nine tenths of it, again and again, wherever the entries
/// were freed.
#[test]
fn two_workers_share_a_table() {
    const CAPACITY: u32 = 1024;
    let mut director = director("-m", 2, CAPACITY);
    for round in 0..4 {
        for n in 0..CAPACITY * 9 / 10 {
            // First all on one worker, then all on the other, then by turns.
            let worker = if round < 2 { round } else { n as usize % 2 };
            request(&mut director, worker, &client(Protocol::Udp, n), 0);
        }
        director.wait(303);
        assert_eq!((director.shared.connections(), load(&director, "udp 10.0.1.100:80")), (0, (0, 0)));
    }
}

/// Outer headers without DF may be fragmented on their way: packets close to each other have different identifications,
/// whichever workers they come from.
#[test]
fn tunnels_of_two_workers_have_identifications_of_their_own() {
    let mut director = director("-i", 2, 64);
    let mut seen = std::collections::HashSet::new();
    for n in 0..1000 {
        let mut packet = client(Protocol::Udp, 1).packet(0, b"");
        // Without DF.
        packet[6] = 0;
        packet[10..12].fill(0);
        let sum = ulvs_wire::checksum::of(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        let (_, sent) = director.play_on(n % 2, Side::Client, &packet);
        let l3 = sent.unwrap().l3;
        assert_eq!(l3[6] & 0x40, 0);
        assert!(seen.insert([l3[4], l3[5]]), "packet {n}");
    }
}

/// What each packet of a connection counts, and nothing else.
#[test]
fn counters() {
    let mut director = director("-m", 1, 256);
    let flow = client(Protocol::Tcp, 1);
    let to = "tcp 10.0.1.100:80 10.0.2.12:8080";
    let of = |name: &str| format!("{to} {name}");
    let step = |director: &mut Director, flags, changes: &[(&str, i64)], reverse: bool| {
        let before = Counters::of(director);
        let server = [2, 0, 0, 0, 2, 12];
        if reverse {
            reply(director, 0, &flow, server, flags);
        } else {
            assert_eq!(request(director, 0, &flow, flags), server);
        }
        before.changed(director, changes);
    };
    let (connections, active, total) = (of("connections"), of("active"), of("total"));
    let (packets_in, bytes_in) = (of("packets_in"), of("bytes_in"));
    let (packets_out, bytes_out) = (of("packets_out"), of("bytes_out"));
    let first = [
        ("0 forwarded", 1),
        ("0 made", 1),
        (&connections, 1),
        (&active, 1),
        (&total, 1),
        (&packets_in, 1),
        (&bytes_in, 47),
    ];
    step(&mut director, SYN, &first, false);
    step(&mut director, SYN | ACK, &[("0 forwarded", 1), (&packets_out, 1), (&bytes_out, 45)], true);
    step(&mut director, ACK, &[("0 forwarded", 1), (&packets_in, 1), (&bytes_in, 47)], false);
    let closed = [("0 forwarded", 1), (&active, -1), (&packets_in, 1), (&bytes_in, 47)];
    step(&mut director, FIN | ACK, &closed, false);
    let before = Counters::of(&director);
    director.wait(63);
    before.changed(&director, &[("0 ended", 1), (&total, -1)]);
    let before = Counters::of(&director);
    director.play(Side::Client, &flow.packet(ACK, b""));
    before.changed(&director, &[("0 punt no_connection", 1)]);
    director.ipvsadm("ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.11:8080 -m -w 0");
    director.ipvsadm("ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.12:8080 -m -w 0");
    let before = Counters::of(&director);
    director.play(Side::Client, &flow.packet(SYN, b""));
    before.changed(&director, &[("0 drop no_destination", 1), ("0 icmp_errors", 1)]);
}
