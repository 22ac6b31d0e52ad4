//! Ports, routes and neighbours: how to reach an address.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use ipnet::IpNet;
use ulvs_wire::ethernet::Mac;
use ulvs_wire::{Address, Family};

use super::PortId;
use super::ways::Ways;

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

/// The network, indexed.
#[derive(Debug)]
pub(crate) struct NetworkView {
    pub(crate) ports: Arc<[Port]>,
    /// Which network this is; hops cached in connections count only in the one they were looked up in. Never 0.
    pub(crate) generation: u32,
    hops: Arc<[Hop]>,
    known: Arc<Known>,
    ways: Ways,
}

/// Neighbours, and the hops over them.
#[derive(Debug, Default)]
struct Known {
    neighbours: HashMap<(PortId, IpAddr), Mac>,
    hop_of: HashMap<(PortId, IpAddr, u16), HopId>,
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
        let ports: Arc<[Port]> = network.ports.as_slice().into();
        let ways = Ways::new(network);
        let mut neighbours = HashMap::with_capacity(network.neighbours.len());
        for neighbour in &network.neighbours {
            neighbours.entry((neighbour.port, neighbour.address)).or_insert(neighbour.mac);
        }
        Self::over(ports, ways, neighbours, generation)
    }

    /// The same network with these neighbours.
    pub(crate) fn with_neighbours(&self, all: &[Neighbour], generation: u32) -> Self {
        let mut neighbours = HashMap::with_capacity(all.len());
        for neighbour in all {
            neighbours.entry((neighbour.port, neighbour.address)).or_insert(neighbour.mac);
        }
        Self::over(Arc::clone(&self.ports), self.ways.clone(), neighbours, generation)
    }

    /// The same network with other ways.
    pub(crate) fn with_ways(&self, change: impl FnOnce(&mut Ways, &[Port]), generation: u32) -> Self {
        let mut ways = self.ways.clone();
        change(&mut ways, &self.ports);
        if ways.mtus() != self.ways.mtus() {
            let neighbours = self.known.neighbours.clone();
            return Self::over(Arc::clone(&self.ports), ways, neighbours, generation);
        }
        Self {
            ports: Arc::clone(&self.ports),
            generation: generation.max(1),
            hops: Arc::clone(&self.hops),
            known: Arc::clone(&self.known),
            ways,
        }
    }

    /// The same network over ports that have other MTUs or hardware addresses, as many as before.
    pub(crate) fn with_ports(&self, ports: &[Port], generation: u32) -> Self {
        let mut ways = self.ways.clone();
        ways.set_ports(ports);
        Self::over(ports.into(), ways, self.known.neighbours.clone(), generation)
    }

    /// With a hop for each neighbour and each MTU that routes over its port have.
    fn over(ports: Arc<[Port]>, ways: Ways, neighbours: HashMap<(PortId, IpAddr), Mac>, generation: u32) -> Self {
        let mut hops = Vec::with_capacity(neighbours.len());
        let mut hop_of = HashMap::with_capacity(neighbours.len());
        for (&(port, address), mac) in &neighbours {
            let Some(own) = ports.get(usize::from(port.0)) else {
                continue;
            };
            let mut ethernet = [0; 12];
            ethernet[..6].copy_from_slice(mac);
            ethernet[6..].copy_from_slice(&own.mac);
            for &(_, mtu) in ways.mtus().iter().filter(|(on, _)| *on == port) {
                let id = HopId(u32::try_from(hops.len()).unwrap_or(u32::MAX));
                hops.push(Hop { ethernet, port, mtu });
                hop_of.insert((port, address, mtu), id);
            }
        }
        let known = Arc::new(Known { neighbours, hop_of });
        Self { ports, generation: generation.max(1), hops: hops.into(), known, ways }
    }

    /// The addresses of neighbours that are not the same in both.
    pub(crate) fn changed_neighbours(&self, other: &Self) -> HashSet<IpAddr> {
        let differs = |one: &Self, another: &Self| {
            let changed =
                one.known.neighbours.iter().filter(|(key, mac)| another.known.neighbours.get(*key) != Some(*mac));
            changed.map(|((_, address), _)| *address).collect::<Vec<_>>()
        };
        differs(self, other).into_iter().chain(differs(other, self)).collect()
    }

    /// Whether routes lead over this address.
    pub(crate) fn is_gateway(&self, address: IpAddr) -> bool {
        self.ways.is_gateway(address)
    }

    /// How to reach `to`.
    pub(crate) fn lookup(&self, to: Address, family: Family) -> Lookup {
        let to = to.to_ip(family);
        if self.ways.is_local(to) {
            return Lookup::Local;
        }
        let Some(route) = self.ways.find(to) else {
            return Lookup::NoRoute;
        };
        let next = route.via.unwrap_or(to);
        match self.known.hop_of.get(&(route.port, next, route.mtu(&self.ports))) {
            Some(&hop) => Lookup::Hop(hop),
            None => Lookup::Unresolved { port: route.port, next },
        }
    }

    /// Next hops on the way to `to`, resolved or not: what the kernel should keep resolved.
    pub(crate) fn next_hop(&self, to: IpAddr) -> Option<(PortId, IpAddr)> {
        if self.ways.is_local(to) {
            return None;
        }
        self.ways.find(to).map(|route| (route.port, route.via.unwrap_or(to)))
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
        let route = self.ways.find(to)?;
        if let Some(source) = route.source.filter(|s| s.is_ipv4() == to.is_ipv4()) {
            return Some(source);
        }
        let next = route.via.unwrap_or(to);
        let addresses = self.ways.addresses().iter();
        let mut own = addresses.filter(|(port, net)| *port == route.port && net.addr().is_ipv4() == to.is_ipv4());
        let on_link = own.clone().find(|(_, net)| net.prefix_len() < net.max_prefix_len() && net.contains(&next));
        on_link.or_else(|| own.next()).map(|(_, net)| net.addr())
    }
}
