//! Real servers that are the director itself (ipvs-facts C.2, C.5).

use ulvs_engine::{PuntReason, Verdict};
use ulvs_model::Protocol;

use crate::counters::Counters;
use crate::director::{Director, Side};
use crate::frames::{self, ACK, Flow, RST, SYN, with_ttl};

const HERE: Verdict = Verdict::Punt(PuntReason::LocalDestination);

/// A service of each protocol whose real server is the director.
fn director(method: &str, port: u16) -> Director {
    let mut director = Director::new();
    for (vip, own) in [("10.0.1.100", "10.0.2.1"), ("[2001:db8:1::100]", "[2001:db8:2::1]")] {
        for protocol in ["-t", "-u", "--sctp-service"] {
            director.ipvsadm(&format!("ipvsadm -A {protocol} {vip}:80 -s rr"));
            director.ipvsadm(&format!("ipvsadm -a {protocol} {vip}:80 -r {own}:{port} {method}"));
        }
    }
    director
}

fn flows() -> Vec<(Flow, Flow)> {
    let both = |protocol, client: &str, vip: &str, own: &str| {
        (Flow::new(protocol, client, vip), Flow::new(protocol, client, own))
    };
    let of = |protocol| {
        [
            both(protocol, "10.9.3.1:4000", "10.0.1.100:80", "10.0.2.1:8080"),
            both(protocol, "[2001:db8:9::3]:4000", "[2001:db8:1::100]:80", "[2001:db8:2::1]:8080"),
        ]
    };
    Protocol::ALL.into_iter().flat_map(of).collect()
}

/// The kernel's stack sees its own address and port, and the client the virtual one; nothing is routed on the way.
#[test]
fn nat_to_the_director_itself() {
    let mut director = director("-m", 8080);
    for (flow, own) in flows() {
        let before = Counters::of(&director);
        let (verdict, got) = director.punted(Side::Client, &flow.packet(SYN, b"request"));
        assert_eq!((verdict, &got), (HERE, &own.packet(SYN, b"request")), "{flow:?}");
        let sent = director.send_by_kernel(Side::Client, &own.reversed().packet(SYN | ACK, b"reply"));
        assert_eq!(sent, flow.reversed().packet(SYN | ACK, b"reply"), "{flow:?}");
        let (verdict, got) = director.punted(Side::Client, &flow.packet(ACK, b"more"));
        assert_eq!((verdict, &got), (HERE, &own.packet(ACK, b"more")), "{flow:?}");
        assert_ne!(before, Counters::of(&director));
        let name = format!("{} {}", flow.protocol, flow.destination);
        let totals = director.service(&name).totals;
        assert_eq!((totals.connections, totals.packets_in, totals.packets_out), (1, 2, 1), "{name}");
    }
}

/// What the stack answers moves the connection's state: a closed port ends it.
#[test]
fn a_reset_of_the_directors_stack_ends_the_connection() {
    let mut director = director("-m", 80);
    let flow = Flow::new(Protocol::Tcp, "10.9.3.1:4000", "10.0.1.100:80");
    let own = Flow::new(Protocol::Tcp, "10.9.3.1:4000", "10.0.2.1:80");
    director.punted(Side::Client, &flow.packet(SYN, b""));
    assert_eq!(director.listed(4000)[0].0, "SYN_RECV");
    director.send_by_kernel(Side::Client, &own.reversed().packet(RST | ACK, b""));
    assert_eq!(director.listed(4000)[0].0, "CLOSE");
    director.wait(12);
    assert_eq!(director.connections(), []);
}

/// By DR and TUN the packet is delivered as it is, and its reply is counted.
#[test]
fn dr_and_tun_to_the_director_itself() {
    for method in ["-g", "-i"] {
        let mut director = director(method, 80);
        for (flow, _) in flows() {
            let request = flow.packet(SYN, b"request");
            assert_eq!(director.punted(Side::Client, &request), (HERE, request.clone()), "{method} {flow:?}");
            let reply = flow.reversed().packet(SYN | ACK, b"reply");
            assert_eq!(director.send_by_kernel(Side::Client, &reply), reply, "{method} {flow:?}");
            let totals = director.service(&format!("{} {}", flow.protocol, flow.destination)).totals;
            assert_eq!((totals.packets_in, totals.packets_out), (1, 1), "{method} {flow:?}");
        }
    }
}

/// The TTL stays what it is, also 1 and 0.
#[test]
fn nothing_is_taken_from_the_ttl() {
    let mut director = director("-m", 8080);
    for ttl in [0, 1, 2, 255] {
        for (flow, own) in flows().into_iter().take(2) {
            let (verdict, got) = director.punted(Side::Client, &with_ttl(flow.packet(SYN, b""), ttl));
            assert_eq!((verdict, got), (HERE, with_ttl(own.packet(SYN, b""), ttl)));
        }
    }
}

/// Frames of the kernel's that are of no such connection leave as they are, and no byte of what is damaged matters.
#[test]
fn all_else_of_the_kernels_stays_as_it_is() {
    let mut director = director("-m", 8080);
    let flow = Flow::new(Protocol::Tcp, "10.9.3.1:4000", "10.0.1.100:80");
    director.punted(Side::Client, &flow.packet(SYN, b""));
    let own = |from: &str, to: &str| Flow::new(Protocol::Tcp, from, to).packet(ACK, b"data");
    for packet in [
        own("10.0.2.1:8080", "10.9.3.1:4001"),
        own("10.0.2.1:8081", "10.9.3.1:4000"),
        own("10.0.2.1:22", "10.9.3.9:4000"),
        own("10.0.1.1:8080", "10.9.3.1:4000"),
        flow.packet(SYN, b""),
    ] {
        assert_eq!(director.send_by_kernel(Side::Client, &packet), packet);
    }
    let whole = own("10.0.2.1:8080", "10.9.3.1:4000");
    let mut without = self::director("-m", 8080);
    without.punted(Side::Client, &flow.packet(SYN, b""));
    for protocol in ["-t", "-u", "--sctp-service"] {
        without.ipvsadm(&format!("ipvsadm -D {protocol} 10.0.1.100:80"));
    }
    assert_eq!(
        without.send_by_kernel(Side::Client, &whole),
        whole,
        "no service of the family is left (ipvs-facts B.2)"
    );
    for length in 0..whole.len() {
        assert_eq!(director.send_by_kernel(Side::Client, &whole[..length]), whole[..length]);
    }
}

/// A closed port of UDP: the client is told by the virtual address about what it sent.
#[test]
fn an_error_of_the_directors_stack_is_translated() {
    let mut director = director("-m", 8080);
    let flow = Flow::new(Protocol::Udp, "10.9.3.1:4000", "10.0.1.100:80");
    let (_, got) = director.punted(Side::Client, &flow.packet(0, b"request"));
    let error = |from: [u8; 4], quoted: &[u8]| {
        let mut packet = Vec::new();
        let kind = etherparse::Icmpv4Type::DestinationUnreachable(etherparse::icmpv4::DestUnreachableHeader::Port);
        let builder = etherparse::PacketBuilder::ipv4(from, [10, 9, 3, 1], 64);
        builder.icmpv4(kind).write(&mut packet, quoted).unwrap();
        packet
    };
    let sent = director.send_by_kernel(Side::Client, &error([10, 0, 2, 1], &got));
    // NAT leaves the quoted transport checksum as it was (ipvs-facts C.6).
    let mut quoted = flow.packet(0, b"request");
    quoted[26..28].copy_from_slice(&got[26..28]);
    assert_eq!(sent, error([10, 0, 1, 100], &quoted));
    assert!(frames::verifies(&sent));
    // And one of a router's about the reply, the other way.
    let reply = Flow::new(Protocol::Udp, "10.0.2.1:8080", "10.9.3.1:4000").packet(0, b"reply");
    let sent = director.send_by_kernel(Side::Client, &reply);
    let told = |to: [u8; 4], quoted: &[u8]| {
        let mut packet = Vec::new();
        let kind = etherparse::Icmpv4Type::DestinationUnreachable(etherparse::icmpv4::DestUnreachableHeader::Host);
        let builder = etherparse::PacketBuilder::ipv4([10, 9, 0, 254], to, 60);
        builder.icmpv4(kind).write(&mut packet, quoted).unwrap();
        packet
    };
    let (verdict, got) = director.punted(Side::Client, &told([10, 0, 1, 100], &sent));
    let mut quoted = reply;
    quoted[26..28].copy_from_slice(&sent[26..28]);
    assert_eq!((verdict, got), (Verdict::Punt(PuntReason::Icmp), told([10, 0, 2, 1], &quoted)));
}

/// A datagram in fragments, there and back.
#[test]
fn fragments_of_the_director_itself() {
    let mut director = director("-m", 8080);
    let flow = Flow::new(Protocol::Udp, "10.9.3.1:4000", "10.0.1.100:80");
    let own = Flow::new(Protocol::Udp, "10.9.3.1:4000", "10.0.2.1:8080");
    let payload = [7; 1600];
    for (piece, expected) in pieces(&flow.packet(0, &payload)).into_iter().zip(pieces(&own.packet(0, &payload))) {
        assert_eq!(director.punted(Side::Client, &piece), (HERE, expected));
    }
    let replies = pieces(&own.reversed().packet(0, &payload)).into_iter();
    for (piece, expected) in replies.zip(pieces(&flow.reversed().packet(0, &payload))) {
        assert_eq!(director.send_by_kernel(Side::Client, &piece), expected);
    }
    let totals = director.service("udp 10.0.1.100:80").totals;
    assert_eq!((totals.packets_in, totals.packets_out), (1, 1), "a datagram counts once (ipvs-facts C.7)");
    assert_eq!((totals.bytes_in, totals.bytes_out), (1628, 1628));
}

/// One-packet scheduling and services by mark reach it, too.
#[test]
fn one_packet_to_the_director_itself() {
    let mut director = director("-m", 8080);
    director.ipvsadm("ipvsadm -E -u 10.0.1.100:80 -s rr -o");
    let flow = Flow::new(Protocol::Udp, "10.9.3.1:4000", "10.0.1.100:80");
    let own = Flow::new(Protocol::Udp, "10.9.3.1:4000", "10.0.2.1:8080");
    assert_eq!(director.punted(Side::Client, &flow.packet(0, b"?")), (HERE, own.packet(0, b"?")));
    assert_eq!(director.connections(), []);
}

/// Loopback is here, and no router is asked for it.
#[test]
fn loopback_is_the_director_itself() {
    let mut director = Director::new();
    director.ipvsadm("ipvsadm -A -t 10.0.1.100:80 -s rr");
    director.ipvsadm("ipvsadm -a -t 10.0.1.100:80 -r 127.0.0.1:80 -g");
    let packet = Flow::new(Protocol::Tcp, "10.9.3.1:4000", "10.0.1.100:80").packet(SYN, b"");
    assert_eq!(director.punted(Side::Client, &packet), (HERE, packet));
}

/// An IPv4 packet in two.
fn pieces(packet: &[u8]) -> [Vec<u8>; 2] {
    let piece = |offset: u16, more: bool, data: &[u8]| {
        let mut piece = [&packet[..20], data].concat();
        let length = u16::try_from(piece.len()).unwrap();
        piece[2..4].copy_from_slice(&length.to_be_bytes());
        piece[4..6].copy_from_slice(&[0x12, 0x34]);
        piece[6..8].copy_from_slice(&((u16::from(more) << 13) | (offset / 8)).to_be_bytes());
        with_ttl(piece, 64)
    };
    let (first, last) = packet[20..].split_at(800);
    [piece(0, true, first), piece(800, false, last)]
}
