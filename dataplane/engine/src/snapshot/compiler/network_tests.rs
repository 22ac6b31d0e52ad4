//! A change of neighbours, routes, addresses or MTUs does what the whole network anew would do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use proptest::prelude::*;
use ulvs_model::{
    Destination, ForwardMethod, Protocol, SchedulerKind, ServiceKey, ServiceSettings, Thresholds, Weight,
};
use ulvs_wire::{Address, Family};

use super::Compiler;
use crate::snapshot::{DestinationId, Lookup, Neighbour, Network, Port, PortId, Route};
use crate::{Capacity, Shared};

/// Real servers: those from 8 on are behind the gateway, which is 7.
const HOSTS: u8 = 12;
const GATEWAY: u8 = 7;

/// Prefixes with routes: two links, hosts of both, and all.
const PREFIXES: [&str; 5] = ["10.0.0.0/24", "10.0.1.0/24", "10.0.0.13/32", "10.0.1.20/32", "0.0.0.0/0"];
/// Kinds of routes: none, a refusing one, and those of [`route`].
const KINDS: u8 = 6;

#[derive(Clone, Debug)]
enum Step {
    Add(u8, u8),
    Remove(u8, u8),
    EmptyTrash,
    /// The hardware address of each host; 0: unknown.
    Neighbours(Vec<u8>),
    /// Other routes for some prefixes.
    Routes(Vec<(usize, u8)>),
    /// Another address of the director's.
    Address(u8),
    /// Another MTU of the port.
    Mtu(u16),
    /// All of it anew.
    Whole,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let macs = || prop::collection::vec(0..3_u8, usize::from(HOSTS));
    let routes = prop::collection::vec((0..PREFIXES.len(), 0..KINDS), 1..4);
    let step = prop_oneof![
        3 => (0..3_u8, 0..HOSTS).prop_map(|(service, host)| Step::Add(service, host)),
        2 => (0..3_u8, 0..HOSTS).prop_map(|(service, host)| Step::Remove(service, host)),
        1 => Just(Step::EmptyTrash),
        3 => macs().prop_map(Step::Neighbours),
        3 => routes.prop_map(Step::Routes),
        1 => (0..HOSTS).prop_map(Step::Address),
        2 => (12..=16_u16).prop_map(|hundreds| Step::Mtu(hundreds * 100)),
        1 => Just(Step::Whole),
    ];
    prop::collection::vec(step, 1..40)
}

fn host(number: u8) -> IpAddr {
    let third = u8::from(number > GATEWAY);
    Ipv4Addr::new(10, 0, third, number + 10).into()
}

/// What there is to be known.
struct Known {
    routes: [u8; PREFIXES.len()],
    macs: Vec<u8>,
    address: u8,
    mtu: u16,
}

impl Known {
    fn new() -> Self {
        Self { routes: [2, 3, 0, 0, 0], macs: Vec::new(), address: 1, mtu: 1500 }
    }

    fn route(&self, at: usize) -> (IpNet, Option<Route>) {
        let prefix = PREFIXES[at].parse().unwrap();
        let over = |port, via, source, mtu| Some(Route { prefix, port, via, source, mtu });
        let route = match self.routes[at] {
            0 => None,
            1 => over(None, None, None, None),
            2 => over(Some(PortId(0)), None, None, None),
            3 => over(Some(PortId(0)), Some(host(GATEWAY)), None, Some(1400)),
            4 => over(Some(PortId(0)), None, Some(host(3)), Some(1300)),
            // A port that there is not.
            _ => over(Some(PortId(7)), None, None, None),
        };
        (prefix, route)
    }

    fn addresses(&self) -> Vec<(PortId, IpNet)> {
        vec![(PortId(0), IpNet::new(host(self.address), 24).unwrap())]
    }

    fn ports(&self) -> Vec<Port> {
        vec![Port { mac: [2; 6], mtu: self.mtu }]
    }

    fn network(&self) -> Network {
        let neighbour = |(number, mac): (u8, &u8)| Neighbour {
            port: PortId(0),
            address: host(number),
            mac: [2, 0, 0, 0, number, *mac],
        };
        Network {
            ports: self.ports(),
            routes: (0..PREFIXES.len()).filter_map(|at| self.route(at).1).collect(),
            neighbours: (0..).zip(&self.macs).filter(|(_, mac)| **mac > 0).map(neighbour).collect(),
            addresses: self.addresses(),
        }
    }
}

fn key(service: u8) -> ServiceKey {
    ServiceKey::new(Protocol::Tcp, ([192, 0, 2, service], 80).into())
}

fn compiler() -> Compiler {
    let capacity = Capacity { connections: 64, destinations: 64, workers: 1 };
    let mut compiler = Compiler::new(Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap()));
    for service in 0..3 {
        compiler.new_service(key(service), ServiceSettings::from(SchedulerKind::Rr)).unwrap();
    }
    compiler.set_network(&Known::new().network());
    compiler
}

/// What workers see: each destination, and the way to each host.
fn seen(compiler: &Compiler) -> Vec<String> {
    let snapshot = compiler.snapshot();
    let destinations =
        (0..compiler.destinations_used()).map(|id| format!("{:?}", snapshot.destinations.get(DestinationId(id))));
    let ways = (0..HOSTS).map(|number| match snapshot.network.lookup(Address::from(host(number)), Family::V4) {
        Lookup::Hop(hop) => format!("{:?}", snapshot.network.hop(hop)),
        other => format!("{other:?}"),
    });
    destinations.chain(ways).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_alone_is_the_whole_network_anew(steps in steps()) {
        let (mut one, mut whole) = (compiler(), compiler());
        let mut known = Known::new();
        for (time, step) in (0..).zip(steps) {
            match step {
                Step::Add(service, number) => {
                    let address = SocketAddr::new(host(number), 80);
                    let method = if number % 2 == 0 { ForwardMethod::Nat } else { ForwardMethod::Tun };
                    let added = Destination {
                        encapsulation: ulvs_model::Encapsulation::default(), address, method, weight: Weight::default(), thresholds: Thresholds::default() };
                    prop_assert_eq!(
                        one.add_destination(key(service), added).is_ok(),
                        whole.add_destination(key(service), added).is_ok()
                    );
                }
                Step::Remove(service, number) => {
                    let address = SocketAddr::new(host(number), 80);
                    let _ = (one.remove_destination(key(service), address), whole.remove_destination(key(service), address));
                }
                Step::EmptyTrash => [&mut one, &mut whole].into_iter().for_each(|it| it.empty_trash(time * 200)),
                Step::Neighbours(macs) => {
                    known.macs = macs;
                    one.set_neighbours(&known.network().neighbours);
                    whole.set_network(&known.network());
                }
                Step::Routes(routes) => {
                    for (at, kind) in &routes {
                        known.routes[*at] = *kind;
                    }
                    let changes: Vec<_> = routes.iter().map(|(at, _)| known.route(*at)).collect();
                    one.set_routes(&changes);
                    whole.set_network(&known.network());
                }
                Step::Address(address) => {
                    known.address = address;
                    one.set_addresses(&known.addresses());
                    whole.set_network(&known.network());
                }
                Step::Mtu(mtu) => {
                    known.mtu = mtu;
                    one.set_ports(&known.ports());
                    whole.set_network(&known.network());
                }
                Step::Whole => [&mut one, &mut whole].into_iter().for_each(|it| it.set_network(&known.network())),
            }
            prop_assert_eq!(one.hosts.len(), one.slots.iter().flatten().count());
            prop_assert_eq!(seen(&one), seen(&whole));
        }
    }
}
