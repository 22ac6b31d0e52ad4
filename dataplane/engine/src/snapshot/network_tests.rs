//! How addresses are reached.

use std::net::IpAddr;

use ulvs_wire::Family;

use super::network::{Lookup, NetworkView};
use super::{Neighbour, Network, Port, PortId, Route};

fn network() -> Network {
    let route = |prefix: &str, port, via: Option<&str>, mtu| Route {
        prefix: prefix.parse().unwrap(),
        port: Some(PortId(port)),
        via: via.map(|v| v.parse().unwrap()),
        source: None,
        mtu,
    };
    let neighbour = |port, address: &str, last| Neighbour {
        port: PortId(port),
        address: address.parse().unwrap(),
        mac: [2, 0, 0, 0, 0, last],
    };
    Network {
        ports: vec![Port { mac: [1; 6], mtu: 1500 }, Port { mac: [3; 6], mtu: 1400 }],
        routes: vec![
            route("0.0.0.0/0", 0, Some("192.0.2.254"), None),
            route("192.0.2.0/24", 0, None, None),
            route("10.0.0.0/24", 1, None, Some(1300)),
            route("::/0", 1, Some("fe80::1"), None),
        ],
        neighbours: vec![neighbour(0, "192.0.2.254", 1), neighbour(1, "10.0.0.11", 2), neighbour(1, "fe80::1", 3)],
        addresses: vec![(PortId(0), "192.0.2.1/24".parse().unwrap()), (PortId(1), "10.0.0.1/24".parse().unwrap())],
    }
}

fn lookup(view: &NetworkView, to: &str) -> Lookup {
    let to: IpAddr = to.parse().unwrap();
    view.lookup(to.into(), Family::of(to))
}

#[test]
fn the_longest_prefix_counts() {
    let view = NetworkView::new(&network(), 1);
    let Lookup::Hop(hop) = lookup(&view, "198.51.100.1") else { panic!("no hop") };
    assert_eq!(view.hop(hop).unwrap().ethernet, [2, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
    let Lookup::Hop(hop) = lookup(&view, "10.0.0.11") else { panic!("no hop") };
    assert_eq!((view.hop(hop).unwrap().port, view.hop(hop).unwrap().mtu), (PortId(1), 1300));
    let Lookup::Hop(hop) = lookup(&view, "2001:db8::7") else { panic!("no hop") };
    assert_eq!(view.hop(hop).unwrap().mtu, 1400);
}

#[test]
fn what_can_not_be_reached_says_why() {
    let view = NetworkView::new(&network(), 1);
    assert_eq!(lookup(&view, "192.0.2.1"), Lookup::Local);
    let next = "10.0.0.12".parse().unwrap();
    assert_eq!(lookup(&view, "10.0.0.12"), Lookup::Unresolved { port: PortId(1), next });
    let view = NetworkView::new(&Network { routes: vec![], ..network() }, 1);
    assert_eq!(lookup(&view, "10.0.0.11"), Lookup::NoRoute);
}

#[test]
fn a_refusing_route_hides_less_specific_ones() {
    let refuse =
        |prefix: &str| Route { prefix: prefix.parse().unwrap(), port: None, via: None, source: None, mtu: None };
    let mut network = network();
    network.routes.extend([refuse("198.51.100.0/24"), refuse("2001:db8::/32"), refuse("10.0.0.0/24")]);
    let view = NetworkView::new(&network, 1);
    for to in ["198.51.100.1", "2001:db8::7"] {
        assert_eq!(lookup(&view, to), Lookup::NoRoute);
        let to = to.parse().unwrap();
        assert_eq!((view.next_hop(to), view.source_for(to)), (None, None));
    }
    assert!(matches!(lookup(&view, "198.51.101.1"), Lookup::Hop(_)));
    // Of equal prefixes the first counts.
    assert!(matches!(lookup(&view, "10.0.0.11"), Lookup::Hop(_)));
}

#[test]
fn own_packets_come_from_the_link_they_leave_by() {
    let view = NetworkView::new(&network(), 1);
    assert_eq!(view.source_for("10.0.0.12".parse().unwrap()), Some("10.0.0.1".parse().unwrap()));
    assert_eq!(view.source_for("198.51.100.1".parse().unwrap()), Some("192.0.2.1".parse().unwrap()));
    assert_eq!(view.source_for("2001:db8::7".parse().unwrap()), None);
}
