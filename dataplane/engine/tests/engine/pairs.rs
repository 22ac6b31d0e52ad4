//! Connections by IPv6, whose virtual and real addresses stand beside their destination.

use ulvs_engine::snapshot::MarkRule;
use ulvs_engine::{DropReason, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::{self, ACK, Flow, SYN, with_ttl};

const VIP: &str = "[2001:db8:1::100]:80";
const REAL_SERVER: &str = "[2001:db8:2::11]:8080";

fn flow(protocol: Protocol, client: &str) -> Flow {
    Flow::new(protocol, client, VIP)
}

/// A flow as the real server sees it.
fn translated(flow: Flow, real_server: &str) -> Flow {
    Flow { destination: real_server.parse().unwrap(), ..flow }
}

fn director(method: &str) -> Director {
    let mut director = Director::new();
    for protocol in ["-t", "-u"] {
        director.ipvsadm(&format!("ipvsadm -A {protocol} {VIP} -s rr"));
        director.ipvsadm(&format!("ipvsadm -a {protocol} {VIP} -r {REAL_SERVER} {method}"));
    }
    director
}

/// Plays a request, which must arrive like this and with right checksums.
fn request(director: &mut Director, flow: Flow, flags: u8, expected: Flow) {
    let (_, there) = director.play(Side::Client, &flow.packet(flags, b"ask"));
    let there = there.unwrap();
    assert_eq!((there.side, &there.l3), (Side::Server, &with_ttl(expected.packet(flags, b"ask"), 63)));
    assert!(frames::verifies(&there.l3));
}

/// The same of its reply.
fn reply(director: &mut Director, flow: Flow, seen: Flow) {
    let (_, back) = director.play(Side::Server, &seen.reversed().packet(ACK, b"answer"));
    let back = back.unwrap();
    assert_eq!((back.side, &back.l3), (Side::Client, &with_ttl(flow.reversed().packet(ACK, b"answer"), 63)));
}

#[test]
fn packets_after_the_first_are_translated_too() {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let mut director = director("-m");
        let flow = flow(protocol, "[2001:db8:9::3]:4000");
        let seen = translated(flow, REAL_SERVER);
        for flags in [SYN, ACK, ACK] {
            request(&mut director, flow, flags, seen);
            reply(&mut director, flow, seen);
        }
        assert_eq!(director.connections().len(), 1);
    }
}

/// Without a real server requests wait for it to come back; replies go on meanwhile.
#[test]
fn a_real_server_that_comes_back_has_its_connections() {
    let mut director = director("-m");
    let flow = flow(Protocol::Udp, "[2001:db8:9::3]:4000");
    let seen = translated(flow, REAL_SERVER);
    request(&mut director, flow, 0, seen);
    director.ipvsadm(&format!("ipvsadm -d -u {VIP} -r {REAL_SERVER}"));
    let (verdict, _) = director.play(Side::Client, &flow.packet(0, b"ask"));
    assert_eq!(verdict, Verdict::Drop(DropReason::DestinationRemoved));
    reply(&mut director, flow, seen);
    director.ipvsadm(&format!("ipvsadm -a -u {VIP} -r {REAL_SERVER} -m -w 3"));
    request(&mut director, flow, 0, seen);
    reply(&mut director, flow, seen);
    assert_eq!(director.connections().len(), 1);
}

/// Connections of a service by mark have the address that their client chose, though their destination is one; beside them those of
/// a service by address go on.
#[test]
fn of_a_mark_each_connection_has_its_own_address() {
    let mut director = director("-m");
    let destination = Some("2001:db8:3::/64".parse().unwrap());
    director.compiler.set_marks(&[MarkRule { mark: 7, destination, ..MarkRule::default() }]);
    director.ipvsadm("ipvsadm -A -f 7 -6 -s rr");
    director.ipvsadm("ipvsadm -a -f 7 -6 -r [2001:db8:2::12]:0 -m");
    // The client's ports differ: the real server's replies must tell the connections apart.
    let flows = [("[2001:db8:9::3]:4001", "[2001:db8:3::1]:80"), ("[2001:db8:9::3]:4002", "[2001:db8:3::2]:443")];
    let by_mark = flows.map(|(client, vip)| Flow::new(Protocol::Tcp, client, vip));
    let by_address = flow(Protocol::Tcp, "[2001:db8:9::3]:4003");
    for flags in [SYN, ACK, ACK] {
        for flow in by_mark {
            let seen = translated(flow, &format!("[2001:db8:2::12]:{}", flow.destination.port()));
            request(&mut director, flow, flags, seen);
            reply(&mut director, flow, seen);
        }
        request(&mut director, by_address, flags, translated(by_address, REAL_SERVER));
        reply(&mut director, by_address, translated(by_address, REAL_SERVER));
    }
    assert_eq!(director.connections().len(), 3);
}
