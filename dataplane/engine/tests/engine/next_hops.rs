//! Next hops that are not known yet, not known any more, not there at all, or the director itself.

use std::net::IpAddr;

use ulvs_engine::snapshot::Network;
use ulvs_engine::{DropReason, PuntReason, Unresolved, Verdict};
use ulvs_model::Protocol;

use crate::counters::Counters;
use crate::director::{Director, Side, network};
use crate::frames::{ACK, Flow, SYN};

const SERVER: &str = "10.0.2.11";

fn director(method: &str) -> (Director, Flow) {
    let mut director = Director::new();
    director.ipvsadm("ipvsadm -A -t 10.0.1.100:80 -s rr");
    director.ipvsadm(&format!("ipvsadm -a -t 10.0.1.100:80 -r {SERVER}:80 {method}"));
    (director, Flow::new(Protocol::Tcp, "10.9.3.1:7000", "10.0.1.100:80"))
}

/// The network without this neighbour.
fn without(address: &str) -> Network {
    let address: IpAddr = address.parse().unwrap();
    let mut network = network(1500);
    network.neighbours.retain(|neighbour| neighbour.address != address);
    network
}

/// A packet whose next hop is unknown waits, unchanged and uncounted, and the next hop is asked for once it is needed; it
/// goes on as soon as the address is known. The connection is made only once.
#[test]
fn a_packet_waits_for_its_next_hop() {
    for method in ["-m", "-g", "-i"] {
        let (mut director, flow) = director(method);
        director.set_network(&without(SERVER));
        let mut frames = [Director::frame(Side::Client, &flow.packet(SYN, b""))];
        let (original, before) = (frames.clone(), Counters::of(&director));
        for _ in 0..2 {
            assert_eq!(director.burst(0, Side::Client, &mut frames), [Verdict::Wait]);
            assert_eq!(frames, original);
            let asked = Unresolved { port: Side::Server.port(), address: SERVER.parse().unwrap() };
            assert_eq!(director.shared.next_unresolved(), Some(asked));
            assert_eq!(director.shared.next_unresolved(), None);
        }
        assert_eq!(Counters::of(&director).verdicts(0), before.verdicts(0));
        director.set_network(&network(1500));
        assert_eq!(director.burst(0, Side::Client, &mut frames), [Verdict::Forward(Side::Server.port())]);
        assert_eq!(director.shared.connections(), 1);
        assert_eq!(director.service("tcp 10.0.1.100:80").totals.packets_in, 1);
    }
}

/// The same for replies: the way to the client is looked up anew when the network has changed.
#[test]
fn a_reply_follows_changes_of_the_network() {
    let (mut director, flow) = director("-m");
    director.play(Side::Client, &flow.packet(SYN, b""));
    let reply = Flow { source: format!("{SERVER}:80").parse().unwrap(), ..flow.reversed() }.packet(SYN | ACK, b"");
    assert_eq!(director.play(Side::Server, &reply).0, Verdict::Forward(Side::Client.port()));
    director.set_network(&without("10.0.1.254"));
    assert_eq!(director.play(Side::Server, &reply).0, Verdict::Wait);
    let mut moved = network(1500);
    moved.neighbours[0].mac = [2, 0, 0, 0, 7, 7];
    director.set_network(&moved);
    let (verdict, sent) = director.play(Side::Server, &reply);
    assert_eq!((verdict, sent.unwrap().to), (Verdict::Forward(Side::Client.port()), [2, 0, 0, 0, 7, 7]));
}

/// No route: the client is told by the virtual address, host unreachable.
#[test]
fn no_route_is_told() {
    let (mut director, flow) = director("-m");
    let mut nowhere = network(1500);
    nowhere
        .routes
        .retain(|route| route.prefix.prefix_len() > 0 && !route.prefix.contains(&SERVER.parse::<IpAddr>().unwrap()));
    let client = "10.9.0.0/16".parse().unwrap();
    nowhere.routes.push(ulvs_engine::snapshot::Route { prefix: client, ..network(1500).routes[2] });
    director.set_network(&nowhere);
    let (verdict, sent) = director.play(Side::Client, &flow.packet(SYN, b""));
    assert_eq!(verdict, Verdict::Reject(Side::Client.port(), DropReason::NoRoute));
    let error = sent.unwrap().l3;
    assert_eq!((&error[12..16], &error[20..22]), (&[10, 0, 1, 100][..], &[3, 1][..]));
    assert!(crate::frames::verifies(&error));
}

/// A real server on the director itself is the kernel's.
#[test]
fn a_local_real_server_is_punted() {
    let (mut director, flow) = director("-g");
    let mut local = network(1500);
    local.addresses.push((Side::Server.port(), "10.0.2.11/24".parse().unwrap()));
    director.set_network(&local);
    assert_eq!(director.play(Side::Client, &flow.packet(SYN, b"")).0, Verdict::Punt(PuntReason::LocalDestination));
}

/// Replies of TUN do not pass the director, so that it may not know the way to a client when it has to tell it of an error: the way is
/// asked for, and the client's next packet is answered.
#[test]
fn an_error_asks_for_the_way_to_the_client() {
    let (mut director, flow) = director("-i");
    director.ipvsadm(&format!("ipvsadm -e -t 10.0.1.100:80 -r {SERVER}:80 -i -w 0"));
    director.set_network(&without("10.0.1.254"));
    let mut frames = [Director::frame(Side::Client, &flow.packet(SYN, b""))];
    assert_eq!(director.burst(0, Side::Client, &mut frames), [Verdict::Drop(DropReason::NoDestination)]);
    let asked = Unresolved { port: Side::Client.port(), address: "10.0.1.254".parse().unwrap() };
    assert_eq!(director.shared.next_unresolved(), Some(asked));
    assert_eq!(director.shared.next_unresolved(), None);
    director.set_network(&network(1500));
    let (verdict, sent) = director.play(Side::Client, &flow.packet(SYN, b""));
    assert_eq!(verdict, Verdict::Reject(Side::Client.port(), DropReason::NoDestination));
    assert!(crate::frames::verifies(&sent.unwrap().l3));
}
