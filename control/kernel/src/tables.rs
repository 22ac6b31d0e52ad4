//! Reads the kernel's tables whole.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::decode::{Change, Interfaces, decode};
use crate::netlink::{Netlink, NetlinkError};
use crate::rib::Entry;
use crate::state::{Link, Neighbour, NeighbourKey};

/// All but the routes.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) links: BTreeMap<u32, Link>,
    pub(crate) addresses: BTreeSet<(u32, IpNet)>,
    pub(crate) neighbours: BTreeMap<NeighbourKey, Neighbour>,
}

pub(crate) async fn read_interfaces(netlink: &Netlink, interfaces: &Interfaces) -> Result<Tables, NetlinkError> {
    let mut tables = Tables::default();
    let requests = [
        RouteNetlinkMessage::GetLink(LinkMessage::default()),
        RouteNetlinkMessage::GetAddress(AddressMessage::default()),
        RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()),
    ];
    for request in requests {
        for change in netlink.dump(request, |message| decode(message, 0, interfaces)).await? {
            match change {
                Change::Link(index, Some(link)) => drop(tables.links.insert(index, link)),
                Change::Address { entry, .. } => drop(tables.addresses.insert(entry)),
                Change::Neighbour(key, Some(neighbour)) => drop(tables.neighbours.insert(key, neighbour)),
                _ => {}
            }
        }
    }
    Ok(tables)
}

pub(crate) async fn read_routes(netlink: &Netlink, interfaces: &Interfaces) -> Result<Vec<Entry>, NetlinkError> {
    let mut entries = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        let dump =
            netlink.dump(RouteNetlinkMessage::GetRoute(request), |message| match decode(message, 0, interfaces) {
                Some(Change::Route(entry, _)) => Some(entry),
                _ => None,
            });
        entries.extend(dump.await?);
    }
    Ok(entries)
}
