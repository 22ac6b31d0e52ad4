//! Ports, routes and neighbours: how to reach an address.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use ulvs_wire::ethernet::Mac;
use ulvs_wire::{Address, Family};

use super::PortId;

/// Number of a next hop in one [`Network`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HopId(pub u32);

/// A port as the datapath sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Port {
    /// The port's hardware address: frames to others are not for the director.
    pub mac: Mac,
    /// The longest IP packet the link takes.
    pub mtu: u16,
}

/// A route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// Where to.
    pub prefix: IpNet,
    /// The port that leads there; `None`: packets are refused (`blackhole`, `unreachable`, `prohibit`), whatever less
    /// specific routes say.
    pub port: Option<PortId>,
    /// The gateway; `None`: the prefix is on the link.
    pub via: Option<IpAddr>,
    /// The source address of what the director itself sends that way.
    pub source: Option<IpAddr>,
    /// A smaller MTU than the port's.
    pub mtu: Option<u16>,
}

/// A neighbour whose hardware address is known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Neighbour {
    /// On which port.
    pub port: PortId,
    /// Its IP address.
    pub address: IpAddr,
    /// Its hardware address.
    pub mac: Mac,
}

/// Everything the director knows about the networks around it. Sources: the kernel, and the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// The ports, by number.
    pub ports: Vec<Port>,
    /// Routes; of equal prefixes the first counts.
    pub routes: Vec<Route>,
    /// Neighbours; of equal addresses on a port the first counts.
    pub neighbours: Vec<Neighbour>,
    /// The director's own addresses, with the prefixes of their links.
    pub addresses: Vec<(PortId, IpNet)>,
}

/// A next hop that is ready to be sent to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Hop {
    /// Destination and source hardware address, as they stand in the frame.
    pub(crate) ethernet: [u8; 12],
    pub(crate) port: PortId,
    pub(crate) mtu: u16,
}

#[derive(Clone, Copy, Debug)]
struct RouteView {
    port: PortId,
    via: Option<IpAddr>,
    source: Option<IpAddr>,
    mtu: u16,
}

/// The network, indexed.
#[derive(Debug)]
pub(crate) struct NetworkView {
    pub(crate) ports: Box<[Port]>,
    /// Which network this is; hops cached in connections count only in the one they were looked up in. Never 0.
    pub(crate) generation: u32,
    hops: Vec<Hop>,
    neighbours: HashMap<(PortId, IpAddr), Mac>,
    hop_of: HashMap<(PortId, IpAddr, u16), HopId>,
    ways: Arc<Ways>,
}

/// All of the network but its neighbours, which change more often.
#[derive(Debug)]
struct Ways {
    /// `None` refuses.
    v4: PrefixMap<Ipv4Net, Option<RouteView>>,
    v6: PrefixMap<Ipv6Net, Option<RouteView>>,
    local: HashSet<IpAddr>,
    addresses: Vec<(PortId, IpNet)>,
    /// The MTUs that routes over each port have: few.
    mtus: Vec<(PortId, u16)>,
    gateways: HashSet<IpAddr>,
}

/// How to reach an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lookup {
    /// It is the director's own.
    Local,
    /// No route leads there, or it refuses.
    NoRoute,
    /// The next hop's hardware address is not known.
    Unresolved { port: PortId, next: IpAddr },
    /// By this hop.
    Hop(HopId),
}

impl NetworkView {
    pub(crate) fn new(network: &Network, generation: u32) -> Self {
        let ports: Box<[Port]> = network.ports.clone().into();
        let ways = Arc::new(Ways::new(network, &ports));
        Self::over(ports, ways, &network.neighbours, generation)
    }

    /// The same network with these neighbours.
    pub(crate) fn with_neighbours(&self, neighbours: &[Neighbour], generation: u32) -> Self {
        Self::over(self.ports.clone(), Arc::clone(&self.ways), neighbours, generation)
    }

    fn over(ports: Box<[Port]>, ways: Arc<Ways>, neighbours: &[Neighbour], generation: u32) -> Self {
        let mut known = HashMap::with_capacity(neighbours.len());
        for neighbour in neighbours {
            known.entry((neighbour.port, neighbour.address)).or_insert(neighbour.mac);
        }
        let mut view = Self {
            ports,
            generation: generation.max(1),
            hops: Vec::with_capacity(known.len()),
            hop_of: HashMap::with_capacity(known.len()),
            neighbours: known,
            ways,
        };
        view.make_hops();
        view
    }

    /// A hop for each neighbour and each MTU that routes over its port have.
    fn make_hops(&mut self) {
        for (&(port, address), mac) in &self.neighbours {
            let Some(own) = self.ports.get(usize::from(port.0)) else {
                continue;
            };
            let mut ethernet = [0; 12];
            ethernet[..6].copy_from_slice(mac);
            ethernet[6..].copy_from_slice(&own.mac);
            for &(_, mtu) in self.ways.mtus.iter().filter(|(on, _)| *on == port) {
                let id = HopId(u32::try_from(self.hops.len()).unwrap_or(u32::MAX));
                self.hops.push(Hop { ethernet, port, mtu });
                self.hop_of.insert((port, address, mtu), id);
            }
        }
    }

    /// The addresses of neighbours that are not the same in both.
    pub(crate) fn changed_neighbours(&self, other: &Self) -> HashSet<IpAddr> {
        let differs = |one: &Self, another: &Self| {
            let changed = one.neighbours.iter().filter(|(key, mac)| another.neighbours.get(*key) != Some(*mac));
            changed.map(|((_, address), _)| *address).collect::<Vec<_>>()
        };
        differs(self, other).into_iter().chain(differs(other, self)).collect()
    }

    /// Whether routes lead over this address.
    pub(crate) fn is_gateway(&self, address: IpAddr) -> bool {
        self.ways.gateways.contains(&address)
    }

    fn route(&self, to: IpAddr) -> Option<RouteView> {
        match to {
            IpAddr::V4(to) => self.ways.v4.get_lpm(&Ipv4Net::from(to)).and_then(|(_, route)| *route),
            IpAddr::V6(to) => self.ways.v6.get_lpm(&Ipv6Net::from(to)).and_then(|(_, route)| *route),
        }
    }

    /// How to reach `to`.
    pub(crate) fn lookup(&self, to: Address, family: Family) -> Lookup {
        let to = to.to_ip(family);
        if self.ways.local.contains(&to) {
            return Lookup::Local;
        }
        let Some(route) = self.route(to) else {
            return Lookup::NoRoute;
        };
        let next = route.via.unwrap_or(to);
        match self.hop_of.get(&(route.port, next, route.mtu)) {
            Some(&hop) => Lookup::Hop(hop),
            None => Lookup::Unresolved { port: route.port, next },
        }
    }

    /// Next hops on the way to `to`, resolved or not: what the kernel should keep resolved.
    pub(crate) fn next_hop(&self, to: IpAddr) -> Option<(PortId, IpAddr)> {
        if self.ways.local.contains(&to) {
            return None;
        }
        self.route(to).map(|route| (route.port, route.via.unwrap_or(to)))
    }

    #[inline]
    pub(crate) fn hop(&self, id: HopId) -> Option<&Hop> {
        self.hops.get(id.0 as usize)
    }

    #[inline]
    pub(crate) fn port(&self, id: PortId) -> Option<&Port> {
        self.ports.get(usize::from(id.0))
    }

    /// The director's own address for what it sends to `to`: the route's, else one on the same link, else any on the port.
    pub(crate) fn source_for(&self, to: IpAddr) -> Option<IpAddr> {
        let route = self.route(to)?;
        if let Some(source) = route.source.filter(|s| s.is_ipv4() == to.is_ipv4()) {
            return Some(source);
        }
        let next = route.via.unwrap_or(to);
        let mut own =
            self.ways.addresses.iter().filter(|(p, n)| *p == route.port && n.addr().is_ipv4() == to.is_ipv4());
        let on_link = own.clone().find(|(_, net)| net.prefix_len() < net.max_prefix_len() && net.contains(&next));
        on_link.or_else(|| own.next()).map(|(_, net)| net.addr())
    }
}

impl Ways {
    fn new(network: &Network, ports: &[Port]) -> Self {
        let mut ways = Self {
            v4: PrefixMap::new(),
            v6: PrefixMap::new(),
            local: network.addresses.iter().map(|(_, net)| net.addr()).collect(),
            addresses: network.addresses.clone(),
            mtus: ports.iter().enumerate().map(|(i, p)| (port_id(i), p.mtu)).collect(),
            gateways: HashSet::new(),
        };
        for route in &network.routes {
            ways.add_route(route, ports);
        }
        let routes = ways.v4.values().chain(ways.v6.values()).flatten();
        ways.mtus.extend(routes.clone().map(|route| (route.port, route.mtu)));
        ways.gateways.extend(routes.filter_map(|route| route.via));
        ways.mtus.sort_unstable();
        ways.mtus.dedup();
        ways
    }

    fn add_route(&mut self, route: &Route, ports: &[Port]) {
        let view = match route.port {
            Some(id) => {
                let Some(port) = ports.get(usize::from(id.0)) else { return };
                let mtu = route.mtu.map_or(port.mtu, |mtu| mtu.min(port.mtu));
                Some(RouteView { port: id, via: route.via, source: route.source, mtu })
            }
            None => None,
        };
        match route.prefix {
            IpNet::V4(prefix) => drop(self.v4.entry(prefix.trunc()).or_insert(view)),
            IpNet::V6(prefix) => drop(self.v6.entry(prefix.trunc()).or_insert(view)),
        }
    }
}

fn port_id(index: usize) -> PortId {
    PortId(u16::try_from(index).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
