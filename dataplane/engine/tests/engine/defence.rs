//! What makes room before its time: `drop_entry`, `secure_tcp` and `expire_nodest_conn` (ipvs-facts B.3, B.5, B.8, B.10).

use ulvs_engine::proto::State;
use ulvs_engine::{Capacity, DropReason, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::{ACK, Flow, SYN};

const FORWARDED: Verdict = Verdict::Forward(Side::Server.port());

/// A TCP and a UDP service with two real servers each.
fn director(connections: u32) -> Director {
    let mut director = Director::with(Capacity { connections, destinations: 8, workers: 2 });
    for protocol in ["-t", "-u"] {
        director.ipvsadm(&format!("ipvsadm -A {protocol} 10.0.1.100:80 -s rr"));
        for server in ["10.0.2.11", "10.0.2.12"] {
            director.ipvsadm(&format!("ipvsadm -a {protocol} 10.0.1.100:80 -r {server}:80 -m"));
        }
    }
    director
}

fn flow(protocol: Protocol, port: u16) -> Flow {
    let (source, destination) = (([10, 9, 3, 1], port).into(), ([10, 0, 1, 100], 80).into());
    Flow { protocol, source, destination }
}

fn play(director: &mut Director, flow: &Flow, flags: u8) -> Verdict {
    director.play(Side::Client, &flow.packet(flags, b"?")).0
}

/// How many connections are in a state.
fn count(director: &Director, state: State) -> usize {
    director.connections().iter().filter(|one| one.state == state).count()
}

/// ipvs-facts B.10: a thirty-second of the half-open ones in a second; established ones and datagrams of the last minute stay.
#[test]
fn drop_entry_ends_half_open_connections() {
    let mut director = director(4096);
    for port in 1001..=1640 {
        assert_eq!(play(&mut director, &flow(Protocol::Tcp, port), SYN), FORWARDED);
        assert_eq!(play(&mut director, &flow(Protocol::Udp, port), 0), FORWARDED);
    }
    for port in 1641..=1740 {
        play(&mut director, &flow(Protocol::Tcp, port), SYN);
        play(&mut director, &flow(Protocol::Tcp, port), ACK);
    }
    director.ipvsadm("sysctl -w net.ipv4.vs.drop_entry=3");
    director.wait(16);
    let half_open = count(&director, State::SynRecv);
    assert!((270..=370).contains(&half_open), "{half_open} of 640 after half of 32 s");
    assert_eq!((count(&director, State::Established), count(&director, State::Udp)), (100, 640));
    director.wait(20);
    assert_eq!((count(&director, State::SynRecv), count(&director, State::Udp)), (0, 640));
    director.wait(60);
    assert_eq!((count(&director, State::Established), count(&director, State::Udp)), (100, 0));
    let load: u32 = director.service("tcp 10.0.1.100:80").destinations.iter().map(|one| one.load.total).sum();
    assert_eq!(load, 100, "real servers have as many less");
}

/// ipvs-facts B.10: level 1 acts while room is scarce, says so by the value 2, and then no longer.
#[test]
fn secure_tcp_switches_with_the_room_there_is() {
    let mut director = director(2048);
    director.ipvsadm("sysctl -w net.ipv4.vs.secure_tcp=1 net.ipv4.vs.amemthresh=1024");
    let shown = |director: &Director| director.compiler.shown_sysctls().secure_tcp;
    assert_eq!(shown(&director), 1);
    for port in 1001..=2030 {
        play(&mut director, &flow(Protocol::Tcp, port), SYN);
    }
    assert!(director.compiler.look_at_room(), "defences act otherwise now");
    assert!(!director.compiler.look_at_room());
    assert_eq!(shown(&director), 2);
    director.renew();
    // An acknowledgement of the client's alone establishes nothing.
    play(&mut director, &flow(Protocol::Tcp, 1001), ACK);
    assert_eq!(director.listed(1001)[0].0, "SYN_RECV");
    director.wait(70);
    assert!(director.compiler.look_at_room());
    assert_eq!(shown(&director), 1);
    director.renew();
    play(&mut director, &flow(Protocol::Tcp, 3000), SYN);
    play(&mut director, &flow(Protocol::Tcp, 3000), ACK);
    assert_eq!(director.listed(3000)[0].0, "ESTABLISHED");
}

/// A client with one port, as a DNS resolver may have: its very next datagram goes to another real server (ipvs-facts B.5, step
/// 6). Without the sysctl it would be dropped for as long as it keeps asking.
#[test]
fn expire_nodest_conn_sends_the_next_datagram_elsewhere() {
    let mut director = director(256);
    let flow = flow(Protocol::Udp, 5353);
    assert_eq!(play(&mut director, &flow, 0), FORWARDED);
    let (_, _, first, _) = director.listed(5353)[0];
    director.ipvsadm(&format!("ipvsadm -d -u 10.0.1.100:80 -r {first}:80"));
    assert_eq!(play(&mut director, &flow, 0), Verdict::Drop(DropReason::DestinationRemoved));
    director.ipvsadm("sysctl -w net.ipv4.vs.expire_nodest_conn=1");
    assert_eq!(play(&mut director, &flow, 0), FORWARDED);
    let listed = director.listed(5353);
    assert_eq!(listed.len(), 1, "the old one is gone");
    assert_ne!(listed[0].2, first);
}

/// ipvs-facts B.8: connections and templates of a removed real server end without a packet, too; those of others stay.
#[test]
fn expire_nodest_conn_ends_connections_of_removed_real_servers() {
    let mut director = director(1024);
    director.ipvsadm("ipvsadm -E -t 10.0.1.100:80 -s rr -p 600");
    for port in 1001..=1100 {
        play(&mut director, &flow(Protocol::Tcp, port), SYN);
        play(&mut director, &flow(Protocol::Tcp, port), ACK);
        play(&mut director, &flow(Protocol::Udp, port), 0);
    }
    director.ipvsadm("sysctl -w net.ipv4.vs.expire_nodest_conn=1");
    director.wait(2);
    assert_eq!(director.connections().len(), 201);
    for server in ["10.0.2.11", "10.0.2.12"] {
        director.ipvsadm(&format!("ipvsadm -d -t 10.0.1.100:80 -r {server}:80"));
    }
    director.ipvsadm("ipvsadm -d -u 10.0.1.100:80 -r 10.0.2.11:80");
    // A template goes with the sweep after the one that ended its connections.
    director.wait(4);
    assert_eq!((director.connections().len(), count(&director, State::Udp)), (50, 50));
    assert_eq!(director.shared.templates.all(), 0);
}
