//! How many connections a source may begin.

use std::collections::HashMap;
use std::net::SocketAddr;

use ulvs_engine::snapshot::SourceLimits;
use ulvs_engine::{Capacity, DropReason, SourceLimit, Verdict};
use ulvs_model::{Protocol, ServiceKey};

use crate::counters::Counters;
use crate::director::{Director, Side};
use crate::frames::{ACK, Flow, SYN};

const FORWARDED: Verdict = Verdict::Forward(Side::Server.port());
const REFUSED: Verdict = Verdict::Drop(DropReason::SourceLimit);

/// A director with services of TCP and UDP in both families, and this limit.
fn director(rate: u32, burst: u32, own: &[(&str, Option<SourceLimit>)]) -> Director {
    let mut director = Director::with(Capacity { connections: 4096, destinations: 64, workers: 2 });
    for (vip, server) in [("10.0.1.100", "10.0.2.11"), ("[2001:db8:1::100]", "[2001:db8:2::11]")] {
        for service in [format!("-t {vip}:80"), format!("-t {vip}:443"), format!("-u {vip}:53")] {
            director.ipvsadm(&format!("ipvsadm -A {service} -s rr"));
            let port = service.rsplit(':').next().unwrap();
            director.ipvsadm(&format!("ipvsadm -a {service} -r {server}:{port} -m"));
        }
    }
    let own = own.iter().map(|(address, limit)| (key(Protocol::Tcp, address), *limit)).collect::<HashMap<_, _>>();
    director.compiler.set_source_limits(SourceLimits { all: SourceLimit::new(rate, burst), own });
    director
}

fn key(protocol: Protocol, address: &str) -> ServiceKey {
    ServiceKey::new(protocol, address.parse().unwrap())
}

/// How many of 100 client ports of this address get a connection.
fn begun(director: &mut Director, protocol: Protocol, source: &str, destination: &str, first_port: u16) -> usize {
    let source: std::net::IpAddr = source.parse().unwrap();
    let mut begin = |port| {
        let flow = Flow { protocol, source: SocketAddr::new(source, port), destination: destination.parse().unwrap() };
        let (verdict, _) = director.play_on(usize::from(port % 2), Side::Client, &flow.packet(SYN, b""));
        assert!(verdict == FORWARDED || verdict == REFUSED, "{verdict:?}");
        verdict == FORWARDED
    };
    (first_port..first_port + 100).filter(|&port| begin(port)).count()
}

#[test]
fn a_source_gets_the_burst_and_then_the_rate() {
    let mut director = director(5, 20, &[]);
    let before = Counters::of(&director);
    assert_eq!(begun(&mut director, Protocol::Tcp, "10.9.3.1", "10.0.1.100:80", 1000), 20);
    assert_eq!(director.shared.drops(DropReason::SourceLimit), 80);
    assert_eq!(director.shared.connections(), 20, "who is refused takes no memory");
    assert_eq!(Counters::of(&director).verdicts(0) + Counters::of(&director).verdicts(1), 100 + before.verdicts(0));
    assert_eq!(begun(&mut director, Protocol::Udp, "10.9.3.1", "10.0.1.100:53", 1000), 0, "services count together");
    assert_eq!(begun(&mut director, Protocol::Tcp, "10.9.3.2", "10.0.1.100:80", 1000), 20, "another source");
    director.wait(2);
    assert_eq!(begun(&mut director, Protocol::Tcp, "10.9.3.1", "10.0.1.100:443", 1000), 10);
}

/// Connections that are there go on, whatever their client begins beside them.
#[test]
fn connections_that_are_there_are_not_limited() {
    let mut director = director(1, 1, &[]);
    let flow = Flow::new(Protocol::Tcp, "10.9.3.1:999", "10.0.1.100:80");
    assert_eq!(director.play(Side::Client, &flow.packet(SYN, b"")).0, FORWARDED);
    assert_eq!(begun(&mut director, Protocol::Tcp, "10.9.3.1", "10.0.1.100:80", 1000), 0);
    for _ in 0..10 {
        // A SYN that comes again, too.
        assert_eq!(director.play(Side::Client, &flow.packet(SYN, b"")).0, FORWARDED);
        assert_eq!(director.play(Side::Client, &flow.packet(ACK, b"data")).0, FORWARDED);
    }
}

#[test]
fn a_source_of_ipv6_is_its_64() {
    let mut director = director(1, 10, &[]);
    let to = "[2001:db8:1::100]:80";
    assert_eq!(begun(&mut director, Protocol::Tcp, "2001:db8:9::1", to, 1000), 10);
    assert_eq!(begun(&mut director, Protocol::Tcp, "2001:db8:9::ffff:1", to, 1000), 0);
    assert_eq!(begun(&mut director, Protocol::Tcp, "2001:db8:9:1::1", to, 1000), 10);
}

/// A service with a limit of its own counts for itself; one that says there is none has none.
#[test]
fn a_service_may_have_its_own() {
    let own = [("10.0.1.100:443", SourceLimit::new(1, 50)), ("[2001:db8:1::100]:80", None)];
    let mut director = director(1, 10, &own);
    assert_eq!(begun(&mut director, Protocol::Tcp, "10.9.3.1", "10.0.1.100:443", 1000), 50);
    assert_eq!(begun(&mut director, Protocol::Tcp, "10.9.3.1", "10.0.1.100:80", 1000), 10);
    assert_eq!(begun(&mut director, Protocol::Tcp, "2001:db8:9::1", "[2001:db8:1::100]:80", 1000), 100);
    director.compiler.set_source_limits(SourceLimits::default());
    director.renew();
    assert_eq!(begun(&mut director, Protocol::Tcp, "10.9.3.1", "10.0.1.100:80", 2000), 100);
}

/// A persistent service remembers no client that is refused.
#[test]
fn templates_are_of_who_may_begin() {
    let mut director = director(1, 1, &[]);
    director.ipvsadm("ipvsadm -E -t 10.0.1.100:80 -s rr -p 600");
    assert_eq!(begun(&mut director, Protocol::Udp, "10.9.3.1", "10.0.1.100:53", 1000), 1);
    assert_eq!(begun(&mut director, Protocol::Tcp, "10.9.3.1", "10.0.1.100:80", 1000), 0);
    assert_eq!(director.shared.templates.all(), 0);
}
