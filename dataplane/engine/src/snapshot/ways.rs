//! The ways to addresses: routes and the director's own addresses, without the neighbours.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use ipnet::IpNet;
use ulvs_prefixes::Prefixes;

use super::{Network, Port, PortId, Route};

/// A route as packets follow it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Way {
    pub(super) port: PortId,
    pub(super) via: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
    /// The route's own; packets may be no longer than its port's either.
    pub(super) mtu: u16,
}

impl Way {
    /// How long packets may be.
    pub(super) fn mtu(&self, ports: &[Port]) -> u16 {
        ports.get(usize::from(self.port.0)).map_or(self.mtu, |port| port.mtu.min(self.mtu))
    }
}

/// What a route says of packets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Rule {
    Refuses,
    Leads(Way),
}

/// All of the network but its neighbours, which change more often. Copies share what is the same: a route that changes costs
/// little however many there are.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    routes: Prefixes<Arc<Rule>>,
    /// What all routes say, which is little, each with the number of its routes.
    rules: HashMap<Arc<Rule>, usize>,
    own: Arc<Own>,
    sums: Arc<Sums>,
}

/// The director's own addresses.
#[derive(Debug)]
struct Own {
    local: HashSet<IpAddr>,
    addresses: Box<[(PortId, IpNet)]>,
}

impl Own {
    fn new(addresses: &[(PortId, IpNet)]) -> Arc<Self> {
        let local = addresses.iter().map(|(_, net)| net.addr()).collect();
        Arc::new(Self { local, addresses: addresses.into() })
    }
}

/// What follows of all routes together.
#[derive(Debug)]
struct Sums {
    /// The MTUs that routes over each port have, and the port's own: few.
    mtus: Vec<(PortId, u16)>,
    gateways: HashSet<IpAddr>,
}

impl Sums {
    fn new<'a>(ways: impl Iterator<Item = &'a Way> + Clone, ports: &[Port]) -> Arc<Self> {
        let of_ports = (0..).zip(ports).map(|(number, port)| (PortId(number), port.mtu));
        let mut mtus: Vec<_> = of_ports.chain(ways.clone().map(|way| (way.port, way.mtu(ports)))).collect();
        mtus.sort_unstable();
        mtus.dedup();
        Arc::new(Self { mtus, gateways: ways.filter_map(|way| way.via).collect() })
    }
}

impl Ways {
    pub(super) fn new(network: &Network) -> Self {
        let mut ways = Self {
            routes: Prefixes::default(),
            rules: HashMap::new(),
            own: Own::new(&network.addresses),
            sums: Sums::new(std::iter::empty(), &network.ports),
        };
        for route in &network.routes {
            if ways.routes.get(&route.prefix).is_none() {
                ways.set(&route.prefix, Some(route), &network.ports);
            }
        }
        ways.sum_up(&network.ports);
        ways
    }

    /// Changes routes: the one that a prefix has now, if it has one.
    pub(super) fn set_routes(&mut self, changes: &[(IpNet, Option<Route>)], ports: &[Port]) {
        let mut renews = false;
        for (prefix, route) in changes {
            renews |= self.set(prefix, route.as_ref(), ports);
        }
        if renews {
            self.sum_up(ports);
        }
    }

    /// Follows ports that have other MTUs; routes stay what they are.
    pub(super) fn set_ports(&mut self, ports: &[Port]) {
        self.sum_up(ports);
    }

    /// Changes the director's own addresses.
    pub(super) fn set_addresses(&mut self, addresses: &[(PortId, IpNet)]) {
        self.own = Own::new(addresses);
    }

    /// The route to an address, unless there is none or it refuses.
    #[inline]
    pub(super) fn find(&self, to: IpAddr) -> Option<&Way> {
        self.routes.longest(to)?.way()
    }

    pub(super) fn is_local(&self, address: IpAddr) -> bool {
        self.own.local.contains(&address) || address.is_loopback()
    }

    pub(super) fn addresses(&self) -> &[(PortId, IpNet)] {
        &self.own.addresses
    }

    pub(super) fn mtus(&self) -> &[(PortId, u16)] {
        &self.sums.mtus
    }

    pub(super) fn is_gateway(&self, address: IpAddr) -> bool {
        self.sums.gateways.contains(&address)
    }

    /// Whether there is a rule now that there was not, or the other way round. A route over a port that there is not counts
    /// as none.
    fn set(&mut self, prefix: &IpNet, route: Option<&Route>, ports: &[Port]) -> bool {
        let rule = route.and_then(|route| Rule::of(route, ports));
        let before = self.routes.get(prefix).cloned();
        if before.as_deref() == rule.as_ref() {
            return false;
        }
        let mut renews = false;
        let now = rule.map(|rule| {
            let (rule, count) = match self.rules.get_key_value(&rule) {
                Some((rule, count)) => (Arc::clone(rule), count + 1),
                None => (Arc::new(rule), 1),
            };
            renews |= count == 1;
            self.rules.insert(Arc::clone(&rule), count);
            rule
        });
        self.routes.set(prefix, now);
        if let Some(count) = before.as_ref().and_then(|rule| self.rules.get_mut(rule)) {
            *count -= 1;
            if *count == 0 {
                renews |= before.is_some_and(|rule| self.rules.remove(&rule).is_some());
            }
        }
        renews
    }

    fn sum_up(&mut self, ports: &[Port]) {
        self.sums = Sums::new(self.rules.keys().filter_map(|rule| rule.way()), ports);
    }
}

impl Rule {
    /// `None`: it leads over a port that there is not.
    fn of(route: &Route, ports: &[Port]) -> Option<Self> {
        let Some(id) = route.port else { return Some(Self::Refuses) };
        ports.get(usize::from(id.0))?;
        let mtu = route.mtu.unwrap_or(u16::MAX);
        Some(Self::Leads(Way { port: id, via: route.via, source: route.source, mtu }))
    }

    #[inline]
    const fn way(&self) -> Option<&Way> {
        match self {
            Self::Refuses => None,
            Self::Leads(way) => Some(way),
        }
    }
}
