//! Records of connections that ended: each is told once, with why and when; templates are none (ipvs-facts B.2, B.8, B.10).

use ulvs_engine::flows::{EndReason, FlowReceiver, FlowRecord};
use ulvs_engine::proto::State;
use ulvs_model::{ForwardMethod, Protocol};

use crate::director::{Director, Side};
use crate::frames::{ACK, FIN, Flow, RST, SYN};

fn recording(room: usize) -> (Director, FlowReceiver) {
    let (mut director, records) = Director::recording(room);
    for protocol in ["-t", "-u"] {
        director.ipvsadm(&format!("ipvsadm -A {protocol} 10.0.1.100:80 -s rr"));
        director.ipvsadm(&format!("ipvsadm -a {protocol} 10.0.1.100:80 -r 10.0.2.11:8080 -m"));
    }
    (director, records)
}

fn flow(protocol: Protocol, port: u16) -> Flow {
    Flow { protocol, source: ([10, 9, 3, 1], port).into(), destination: ([10, 0, 1, 100], 80).into() }
}

fn play(director: &mut Director, flow: &Flow, flags: u8) {
    director.play(Side::Client, &flow.packet(flags, b""));
}

fn all(records: &mut FlowReceiver) -> Vec<FlowRecord> {
    records.collect()
}

#[test]
fn a_connection_that_ran_out_is_told_with_its_times() {
    let (mut director, mut records) = recording(64);
    let began = director.now;
    play(&mut director, &flow(Protocol::Udp, 1001), 0);
    director.wait(10);
    let last_packet = director.now;
    play(&mut director, &flow(Protocol::Udp, 1001), 0);
    director.wait(299);
    assert_eq!(all(&mut records), [], "its timeout is 300 s");
    director.wait(5);
    let [record] = all(&mut records)[..] else { panic!("not one record") };
    assert_eq!((record.began, record.last_packet), (began, last_packet));
    assert!((300 * 128..305 * 128).contains(&record.ended.since(last_packet)), "{record:?}");
    assert_eq!((record.reason, record.state, record.method), (EndReason::Idle, State::Udp, ForwardMethod::Nat));
    assert_eq!((record.destination, record.destination_port), ([10, 0, 2, 11].into(), 8080));
    let flow = flow(Protocol::Udp, 1001);
    assert_eq!(record.key.source().to_ip(record.key.family()), flow.source.ip());
    assert_eq!((record.key.source_port(), record.key.destination_port()), (1001, 80));
}

#[test]
fn a_connection_of_ipv6_is_told_with_its_addresses() {
    let (mut director, mut records) = Director::recording(64);
    director.ipvsadm("ipvsadm -A -u [2001:db8:1::100]:53 -s rr");
    director.ipvsadm("ipvsadm -a -u [2001:db8:1::100]:53 -r [2001:db8:2::11]:5353 -m");
    let flow = Flow::new(Protocol::Udp, "[2001:db8:9::1]:1001", "[2001:db8:1::100]:53");
    play(&mut director, &flow, 0);
    director.wait(303);
    let [record] = all(&mut records)[..] else { panic!("not one record") };
    assert_eq!(record.key.source().to_ip(record.key.family()), flow.source.ip());
    assert_eq!((record.destination.to_string().as_str(), record.destination_port), ("2001:db8:2::11", 5353));
}

#[test]
fn why_it_ended_is_told() {
    let (mut director, mut records) = recording(64);
    // reset: it is closed for ten seconds
    for flags in [SYN, ACK, RST] {
        play(&mut director, &flow(Protocol::Tcp, 1001), flags);
    }
    director.wait(15);
    let [closed] = all(&mut records)[..] else { panic!("not one record") };
    assert_eq!((closed.reason, closed.state), (EndReason::Closed, State::Close));
    // the client's port again while the last one's connection waits for its end
    let (to, from) = (flow(Protocol::Tcp, 1002), Flow::new(Protocol::Tcp, "10.0.2.11:8080", "10.9.3.1:1002"));
    play(&mut director, &to, SYN);
    director.play(Side::Server, &from.packet(SYN | ACK, b""));
    play(&mut director, &to, ACK);
    director.play(Side::Server, &from.packet(FIN | ACK, b""));
    play(&mut director, &to, FIN | ACK);
    director.ipvsadm("sysctl -w net.ipv4.vs.conn_reuse_mode=1");
    play(&mut director, &to, SYN);
    let [reused] = all(&mut records)[..] else { panic!("not one record") };
    assert_eq!((reused.reason, reused.key.source_port()), (EndReason::Reused, 1002));
    // half open, under pressure
    director.ipvsadm("sysctl -w net.ipv4.vs.drop_entry=3");
    director.wait(40);
    let [evicted] = all(&mut records)[..] else { panic!("not one record") };
    assert_eq!((evicted.reason, evicted.state), (EndReason::Evicted, State::SynRecv));
    director.ipvsadm("sysctl -w net.ipv4.vs.drop_entry=0");
    // its real server is gone
    play(&mut director, &flow(Protocol::Udp, 1003), 0);
    director.ipvsadm("sysctl -w net.ipv4.vs.expire_nodest_conn=1");
    director.ipvsadm("ipvsadm -d -u 10.0.1.100:80 -r 10.0.2.11:8080");
    director.wait(5);
    let [gone] = all(&mut records)[..] else { panic!("not one record") };
    assert_eq!(gone.reason, EndReason::DestinationRemoved);
    let worker = &director.shared.workers()[0];
    assert_eq!((worker.evicted.get(), worker.orphaned.get(), worker.flow_records_lost.get()), (1, 1, 0));
}

/// What is evicted is counted whether or not anybody wants records.
#[test]
fn evictions_are_counted_without_records() {
    let mut director = Director::new();
    director.ipvsadm("ipvsadm -A -t 10.0.1.100:80 -s rr");
    director.ipvsadm("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m");
    for port in 1001..=1010 {
        play(&mut director, &flow(Protocol::Tcp, port), SYN);
    }
    director.ipvsadm("sysctl -w net.ipv4.vs.drop_entry=3");
    director.wait(40);
    assert_eq!(director.shared.workers()[0].evicted.get(), 10);
}

#[test]
fn templates_are_no_connections() {
    let (mut director, mut records) = Director::recording(64);
    director.ipvsadm("ipvsadm -A -u 10.0.1.100:80 -s rr -p 20");
    director.ipvsadm("ipvsadm -a -u 10.0.1.100:80 -r 10.0.2.11:8080 -m");
    play(&mut director, &flow(Protocol::Udp, 1001), 0);
    director.wait(500);
    assert_eq!(director.connections(), []);
    assert_eq!(all(&mut records).len(), 1);
}

/// A full queue loses records, tells how many, and holds nothing up.
#[test]
fn what_there_is_no_room_for_is_counted() {
    let (mut director, mut records) = recording(16);
    for port in 1001..=1100 {
        play(&mut director, &flow(Protocol::Udp, port), 0);
    }
    assert_eq!(director.shared.connections(), 100);
    director.wait(303);
    assert_eq!(director.shared.connections(), 0);
    assert_eq!((all(&mut records).len(), director.shared.workers()[0].flow_records_lost.get()), (16, 84));
    // and there is room again
    play(&mut director, &flow(Protocol::Udp, 1001), 0);
    director.wait(303);
    assert_eq!(all(&mut records).len(), 1);
}
