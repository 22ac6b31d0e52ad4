//! From rtnetlink messages to changes of the mirror. Pure; what is not understood is not a change.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState as Nud,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteNextHop, RouteNextHopFlags,
    RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::packet_core::NLM_F_REPLACE;

use crate::rib::{Entry, Table, Verb};
use crate::state::{Link, Neighbour, NeighbourKey, NeighbourState, NextHop, Route};

/// The interfaces of interest, by index.
pub(crate) type Interfaces = BTreeSet<u32>;

const TABLE_LOCAL: u32 = 255;
const TABLE_MAIN: u32 = 254;

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Link(u32, Option<Link>),
    Address { entry: (u32, IpNet), present: bool },
    Route(Entry, Verb),
    Neighbour(NeighbourKey, Option<Neighbour>),
}

pub(crate) fn decode(message: &RouteNetlinkMessage, flags: u16, interfaces: &Interfaces) -> Option<Change> {
    match message {
        RouteNetlinkMessage::NewLink(link) => decode_link(link, interfaces, true),
        RouteNetlinkMessage::DelLink(link) => decode_link(link, interfaces, false),
        RouteNetlinkMessage::NewAddress(address) => decode_address(address, interfaces, true),
        RouteNetlinkMessage::DelAddress(address) => decode_address(address, interfaces, false),
        RouteNetlinkMessage::NewNeighbour(neighbour) => decode_neighbour(neighbour, interfaces, true),
        RouteNetlinkMessage::DelNeighbour(neighbour) => decode_neighbour(neighbour, interfaces, false),
        RouteNetlinkMessage::NewRoute(route) => {
            let verb = if flags & NLM_F_REPLACE != 0 { Verb::Replaced } else { Verb::Added };
            decode_route(route, interfaces).map(|entry| Change::Route(entry, verb))
        }
        RouteNetlinkMessage::DelRoute(route) => {
            decode_route(route, interfaces).map(|entry| Change::Route(entry, Verb::Removed))
        }
        _ => None,
    }
}

fn decode_link(message: &LinkMessage, interfaces: &Interfaces, present: bool) -> Option<Change> {
    let index = message.header.index;
    // A bridge tells of its ports in messages of its own family, whose removal is not the interface's.
    if message.header.interface_family != AddressFamily::Unspec || !interfaces.contains(&index) {
        return None;
    }
    if !present {
        return Some(Change::Link(index, None));
    }
    let up = message.header.flags.contains(LinkFlags::Up);
    let mut link = Link { name: String::new(), mac: [0; 6], mtu: 0, up };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(mac) => link.mac = mac_address(mac)?,
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            _ => {}
        }
    }
    Some(Change::Link(index, Some(link)))
}

fn decode_address(message: &AddressMessage, interfaces: &Interfaces, present: bool) -> Option<Change> {
    let header = &message.header;
    if !interfaces.contains(&header.index) {
        return None;
    }
    // With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL ours; without one IPv6 has IFA_ADDRESS only.
    let mut local = None;
    let mut address = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => address = Some(*ip),
            _ => {}
        }
    }
    let net = IpNet::new(local.or(address)?, header.prefix_len).ok()?;
    Some(Change::Address { entry: (header.index, net), present })
}

fn decode_neighbour(message: &NeighbourMessage, interfaces: &Interfaces, present: bool) -> Option<Change> {
    let header = &message.header;
    if !interfaces.contains(&header.ifindex) || header.flags.contains(NeighbourFlags::Proxy) {
        return None;
    }
    let mut address = None;
    let mut mac = None;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => address = Some(IpAddr::V4(*ip)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => address = Some(IpAddr::V6(*ip)),
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = mac_address(bytes),
            _ => {}
        }
    }
    let key = (header.ifindex, address?);
    if !present {
        return Some(Change::Neighbour(key, None));
    }
    let state = match header.state {
        Nud::Incomplete => NeighbourState::Incomplete,
        Nud::Reachable => NeighbourState::Reachable,
        Nud::Stale => NeighbourState::Stale,
        Nud::Delay => NeighbourState::Delay,
        Nud::Probe => NeighbourState::Probe,
        Nud::Failed => NeighbourState::Failed,
        Nud::Permanent => NeighbourState::Permanent,
        // The kernel keeps such entries for multicast and broadcast, which are no neighbours.
        Nud::Noarp if mac.is_none_or(|mac| mac[0] & 1 != 0) => return None,
        Nud::Noarp => NeighbourState::NoArp,
        _ => return Some(Change::Neighbour(key, None)),
    };
    let pinned = header.flags.contains(NeighbourFlags::ExtLearned);
    Some(Change::Neighbour(key, Some(Neighbour { mac, state, pinned })))
}

fn decode_route(message: &RouteMessage, interfaces: &Interfaces) -> Option<Entry> {
    let header = &message.header;
    // Routes that are chosen by more than the destination, and the kernel's own notes on a path, are not for
    // forwarding.
    if header.tos != 0 || header.source_prefix_length != 0 || header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let mut table = u32::from(header.table);
    let mut destination = None;
    let mut preferred_source = None;
    let mut metric = 0;
    let mut mtu = None;
    let mut interface = None;
    let mut multipath: &[RouteNextHop] = &[];
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Destination(address) => destination = Some(ip_address(address)?),
            RouteAttribute::PrefSource(address) => preferred_source = ip_address(address),
            RouteAttribute::Priority(number) => metric = *number,
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::MultiPath(hops) => multipath = hops,
            RouteAttribute::Metrics(metrics) => {
                mtu = metrics
                    .iter()
                    .find_map(|metric| if let RouteMetric::Mtu(mtu) = metric { Some(*mtu) } else { None });
            }
            _ => {}
        }
    }
    let table = match table {
        TABLE_LOCAL => Table::Local,
        TABLE_MAIN => Table::Main,
        _ => return None,
    };
    let prefix = prefix(header, destination)?;
    let mut next_hops: Vec<NextHop> = Vec::new();
    let refused = match header.kind {
        RouteType::Unicast => false,
        RouteType::BlackHole | RouteType::Unreachable | RouteType::Prohibit => true,
        _ => return None,
    };
    if !refused {
        let dead = header.flags.intersects(RouteFlags::Dead | RouteFlags::Linkdown);
        if let Some(index) = interface.filter(|_| !dead) {
            next_hops.extend(next_hop(index, 0, &message.attributes));
        }
        for hop in multipath {
            if !hop.flags.intersects(RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown) {
                next_hops.extend(next_hop(hop.interface_index, hop.hops, &hop.attributes));
            }
        }
        next_hops.retain(|hop| interfaces.contains(&hop.ifindex));
    }
    let route = (refused || !next_hops.is_empty()).then_some(Route { next_hops, preferred_source, metric, mtu });
    let origin = [header.kind.into(), header.protocol.into(), header.scope.into()];
    Some(Entry { prefix, table, route, metric, origin })
}

/// The route's prefix. Those of link-local and multicast exist once for each interface and are of no use to forwarding.
fn prefix(header: &RouteHeader, destination: Option<IpAddr>) -> Option<IpNet> {
    let unspecified = match header.address_family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        AddressFamily::Inet6 => IpAddr::from([0; 16]),
        _ => return None,
    };
    let address = destination.unwrap_or(unspecified);
    let local = address.is_multicast() || matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if local || address.is_ipv4() != unspecified.is_ipv4() {
        return None;
    }
    IpNet::new(address, header.destination_prefix_length).ok().map(|net| net.trunc())
}

/// A next hop that forwarding can use: none that needs an encapsulation.
fn next_hop(ifindex: u32, hops: u8, attributes: &[RouteAttribute]) -> Option<NextHop> {
    let mut gateway = None;
    for attribute in attributes {
        match attribute {
            RouteAttribute::Gateway(address) => gateway = Some(ip_address(address)?),
            RouteAttribute::Via(RouteVia::Inet(ip)) => gateway = Some(IpAddr::V4(*ip)),
            RouteAttribute::Via(RouteVia::Inet6(ip)) => gateway = Some(IpAddr::V6(*ip)),
            RouteAttribute::Via(_) | RouteAttribute::EncapType(_) | RouteAttribute::Encap(_) => return None,
            _ => {}
        }
    }
    Some(NextHop { ifindex, gateway, weight: u16::from(hops) + 1 })
}

fn ip_address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

fn mac_address(bytes: &[u8]) -> Option<[u8; 6]> {
    bytes.try_into().ok()
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
