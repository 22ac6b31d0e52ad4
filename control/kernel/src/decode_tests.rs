use netlink_packet_route::route::RouteMessage;

use super::*;

fn interfaces() -> Interfaces {
    Interfaces::from([7, 8])
}

fn route(destination: &str, attributes: Vec<RouteAttribute>) -> RouteMessage {
    let net: IpNet = destination.parse().unwrap();
    let mut message = RouteMessage::default();
    message.header.address_family = if net.addr().is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.destination_prefix_length = net.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.kind = RouteType::Unicast;
    message.attributes = attributes;
    if net.prefix_len() != 0 {
        message.attributes.push(RouteAttribute::Destination(net.addr().into()));
    }
    message
}

fn hop(ifindex: u32, hops: u8, gateway: &str) -> RouteNextHop {
    let mut hop = RouteNextHop::default();
    hop.interface_index = ifindex;
    hop.hops = hops;
    hop.attributes = vec![RouteAttribute::Gateway(gateway.parse::<IpAddr>().unwrap().into())];
    hop
}

fn decoded(message: &RouteMessage) -> Option<Route> {
    decode_route(message, &interfaces()).unwrap().route
}

#[test]
fn ipv4_via_an_ipv6_router() {
    let router = "fe80::1".parse().unwrap();
    let message = route("0.0.0.0/0", vec![RouteAttribute::Oif(7), RouteAttribute::Via(RouteVia::Inet6(router))]);
    let expected = NextHop { ifindex: 7, gateway: Some(router.into()), weight: 1 };
    assert_eq!(decoded(&message).unwrap().next_hops, [expected]);
}

#[test]
fn multipath_keeps_weights_and_drops_the_unusable() {
    let mut dead = hop(7, 0, "10.0.0.4");
    dead.flags = RouteNextHopFlags::Dead;
    let hops = vec![hop(7, 0, "10.0.0.1"), hop(8, 255, "10.0.0.2"), hop(9, 0, "10.0.0.3"), dead];
    let route = decoded(&route("10.9.0.0/16", vec![RouteAttribute::MultiPath(hops)])).unwrap();
    let weights: Vec<_> = route.next_hops.iter().map(|hop| (hop.ifindex, hop.weight)).collect();
    assert_eq!(weights, [(7, 1), (8, 256)]);
}

#[test]
fn blackhole_hides_and_elsewhere_is_nothing() {
    let mut message = route("10.9.0.0/16", vec![]);
    message.header.kind = RouteType::BlackHole;
    assert_eq!(decoded(&message).unwrap().next_hops, []);
    assert_eq!(decoded(&route("10.9.0.0/16", vec![RouteAttribute::Oif(9)])), None);
}

#[test]
fn what_is_not_the_main_path_is_ignored() {
    let plain = || route("10.9.0.0/16", vec![RouteAttribute::Oif(7)]);
    let mut others = [plain(), plain(), plain(), plain(), route("fe80::/64", vec![RouteAttribute::Oif(7)])];
    others[0].header.tos = 8;
    others[1].header.table = 100;
    others[2].header.flags = RouteFlags::Cloned;
    others[3].header.kind = RouteType::Local;
    for other in &others {
        assert_eq!(decode_route(other, &interfaces()), None, "{other:?}");
    }
    let mut long = plain();
    long.header.destination_prefix_length = 77;
    assert_eq!(decode_route(&long, &interfaces()), None);
}

#[test]
fn route_mtu_metric_and_source() {
    let message = route(
        "2001:db8::/32",
        vec![
            RouteAttribute::Oif(8),
            RouteAttribute::Priority(5),
            RouteAttribute::Metrics(vec![RouteMetric::Hoplimit(3), RouteMetric::Mtu(1400)]),
            RouteAttribute::PrefSource(RouteAddress::Inet6("2001:db8::1".parse().unwrap())),
        ],
    );
    let route = decoded(&message).unwrap();
    assert_eq!((route.mtu, route.metric), (Some(1400), 5));
    assert_eq!(route.preferred_source, Some("2001:db8::1".parse().unwrap()));
}

fn neighbour(state: Nud, mac: Option<Vec<u8>>) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.ifindex = 7;
    message.header.family = AddressFamily::Inet;
    message.header.state = state;
    message.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::Inet([10, 0, 0, 9].into())));
    message.attributes.extend(mac.map(NeighbourAttribute::LinkLayerAddress));
    message
}

#[test]
fn neighbours_with_strange_states_and_addresses() {
    let key = (7, IpAddr::from([10, 0, 0, 9]));
    let decode = |message: &NeighbourMessage| decode_neighbour(message, &interfaces(), true);
    let unknown = neighbour(Nud::Other(0x4000), Some(vec![2, 0, 0, 0, 0, 1]));
    assert_eq!(decode(&unknown), Some(Change::Neighbour(key, None)));
    assert_eq!(decode(&neighbour(Nud::Noarp, Some(vec![0xff; 6]))), None);
    // InfiniBand's, say.
    let long = neighbour(Nud::Reachable, Some(vec![1; 20]));
    let expected = Neighbour { mac: None, state: NeighbourState::Reachable, pinned: false };
    assert_eq!(decode(&long), Some(Change::Neighbour(key, Some(expected))));
    let mut proxy = neighbour(Nud::Reachable, None);
    proxy.header.flags = NeighbourFlags::Proxy;
    assert_eq!(decode(&proxy), None);
    let mut nameless = neighbour(Nud::Reachable, None);
    nameless.attributes.clear();
    assert_eq!(decode(&nameless), None);
}

#[test]
fn a_bridge_port_is_not_a_link() {
    let mut message = LinkMessage::default();
    message.header.index = 7;
    message.header.interface_family = AddressFamily::Bridge;
    assert_eq!(decode_link(&message, &interfaces(), false), None);
}
