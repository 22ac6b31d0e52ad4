//! What is known of the network: from the kernel's TAP twins, and from the file for what it says.

mod feed;
mod mirrored;
mod over;

use ipnet::IpNet;
use ulvs_config::Director;
use ulvs_engine::SourceLimit;
use ulvs_engine::snapshot::{FtpPorts, MarkRule, Neighbour, Network, Port, PortId, Route, SourceLimits};
use ulvs_kernel::{KernelState, state};

use crate::devices::DirectorPort;

pub(crate) use feed::Feed;
pub(crate) use mirrored::mirrored;

/// Puts the sources together but for the kernel's routes. What the file says comes first and wins.
fn compile(ports: &[DirectorPort], director: &Director, kernel: &KernelState) -> Network {
    let mut network = Network {
        ports: ports.iter().map(|port| Port { mac: port.mac, mtu: mtu(port, kernel) }).collect(),
        ..Network::default()
    };
    from_file(&mut network, ports, director);
    from_kernel(&mut network, ports, kernel);
    network
}

/// The file's, or a smaller one that the twin was given since, with `ip link set`.
fn mtu(port: &DirectorPort, kernel: &KernelState) -> u16 {
    let twin = port.tap.as_ref().and_then(|tap| kernel.links.get(&tap.index()));
    twin.and_then(|link| u16::try_from(link.mtu).ok()).map_or(port.settings.mtu, |mtu| mtu.min(port.settings.mtu))
}

/// The ports of FTP's control connections. The file has as many as the engine takes.
pub(crate) fn ftp_ports(director: &Director) -> FtpPorts {
    FtpPorts::new(&director.ftp().ports).unwrap_or_default()
}

/// How many connections sources may begin. The file has what the engine takes.
pub(crate) fn source_limits(director: &Director) -> SourceLimits {
    let limit = |limit| match limit {
        ulvs_config::SourceLimit::Unlimited => None,
        ulvs_config::SourceLimit::Limited { rate, burst } => SourceLimit::new(rate, burst),
    };
    let limits = director.source_limits();
    let own = limits.own.iter().map(|(service, own)| (*service, limit(*own)));
    SourceLimits { all: limit(limits.all), own: own.collect() }
}

/// The file's rules for firewall marks. One of a port that does not run marks nothing.
pub(crate) fn marks(ports: &[DirectorPort], director: &Director) -> Vec<MarkRule> {
    let rule = |rule: &ulvs_config::MarkRule| {
        let ingress = match rule.port {
            None => None,
            Some(place) => Some(running(ports, director, place)?),
        };
        Some(MarkRule {
            mark: rule.mark,
            source: rule.source,
            destination: rule.destination,
            protocol: rule.protocol,
            source_ports: rule.source_ports.clone(),
            destination_ports: rule.destination_ports.clone(),
            ingress,
        })
    };
    director.mark_rules().iter().filter_map(rule).collect()
}

/// The running port that has this place in the file: a reloaded one may list other ports, and in another order.
fn running(ports: &[DirectorPort], director: &Director, place: usize) -> Option<PortId> {
    let name = &director.ports().get(place)?.name;
    ports.iter().position(|port| port.settings.name == *name).map(id)
}

fn from_file(network: &mut Network, ports: &[DirectorPort], director: &Director) {
    let running = |place| running(ports, director, place);
    for route in director.static_routes() {
        let (prefix, via) = (route.prefix, route.via);
        let leads = |port| Route { prefix, port: Some(port), via, source: None, mtu: None };
        network.routes.extend(running(route.port).map(leads));
    }
    for neighbour in director.static_neighbours() {
        let (address, mac) = (neighbour.address, neighbour.mac.octets());
        network.neighbours.extend(running(neighbour.port).map(|port| Neighbour { port, address, mac }));
    }
    // A port without a TAP has its addresses from the file alone.
    for (at, port) in ports.iter().enumerate().filter(|(_, port)| port.tap.is_none()) {
        for &address in &port.settings.addresses {
            network.addresses.push((id(at), address));
            let source = Some(address.addr());
            network.routes.push(Route { prefix: address.trunc(), port: Some(id(at)), via: None, source, mtu: None });
        }
    }
}

fn from_kernel(network: &mut Network, ports: &[DirectorPort], kernel: &KernelState) {
    for &(index, address) in kernel.addresses.iter() {
        network.addresses.extend(port_of(ports, index).map(|port| (port, address)));
    }
    for (&(index, address), neighbour) in kernel.neighbours.iter() {
        if let (Some(port), Some(mac)) = (port_of(ports, index), neighbour.usable_mac()) {
            network.neighbours.push(Neighbour { port, address, mac });
        }
    }
}

/// What a route of the kernel's is for the workers; `None` if it leads nowhere now.
fn route(ports: &[DirectorPort], kernel: &KernelState, prefix: IpNet, route: &state::Route) -> Option<Route> {
    let refuses = route.next_hops.is_empty();
    let hop = route.next_hops.iter().find(|hop| kernel.is_up(hop.ifindex));
    let port = hop.and_then(|hop| port_of(ports, hop.ifindex));
    let (via, source) = (hop.and_then(|hop| hop.gateway), route.preferred_source);
    let mtu = route.mtu.and_then(|mtu| u16::try_from(mtu).ok());
    (refuses || port.is_some()).then_some(Route { prefix, port, via, source, mtu })
}

/// The kernel's number of a port's TAP twin.
pub(crate) fn index_of(ports: &[DirectorPort], port: PortId) -> Option<u32> {
    ports.get(usize::from(port.0))?.tap.as_ref().map(ulvs_kernel::Tap::index)
}

fn port_of(ports: &[DirectorPort], index: u32) -> Option<PortId> {
    let is = |port: &DirectorPort| port.tap.as_ref().is_some_and(|tap| tap.index() == index);
    ports.iter().position(is).map(id)
}

fn id(at: usize) -> PortId {
    PortId(u16::try_from(at).unwrap_or(u16::MAX))
}
