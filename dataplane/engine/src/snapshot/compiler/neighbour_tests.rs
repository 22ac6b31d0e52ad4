//! A change of neighbours does what the whole network anew would do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

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

#[derive(Clone, Debug)]
enum Step {
    Add(u8, u8),
    Remove(u8, u8),
    EmptyTrash,
    /// The hardware address of each host; 0: unknown.
    Neighbours(Vec<u8>),
    /// Another MTU of the route, and the same.
    Network(u16, Vec<u8>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let macs = || prop::collection::vec(0..3_u8, usize::from(HOSTS));
    let step = prop_oneof![
        3 => (0..3_u8, 0..HOSTS).prop_map(|(service, host)| Step::Add(service, host)),
        2 => (0..3_u8, 0..HOSTS).prop_map(|(service, host)| Step::Remove(service, host)),
        1 => Just(Step::EmptyTrash),
        3 => macs().prop_map(Step::Neighbours),
        1 => (1300..1303_u16, macs()).prop_map(|(mtu, macs)| Step::Network(mtu, macs)),
    ];
    prop::collection::vec(step, 1..40)
}

fn host(number: u8) -> IpAddr {
    let third = u8::from(number > GATEWAY);
    Ipv4Addr::new(10, 0, third, number + 10).into()
}

fn network(mtu: u16, macs: &[u8]) -> Network {
    let route = |prefix: &str, via: Option<IpAddr>| {
        let prefix = prefix.parse().unwrap();
        Route { prefix, port: Some(PortId(0)), via, source: None, mtu: Some(mtu) }
    };
    let neighbour = |(number, mac): (u8, &u8)| Neighbour {
        port: PortId(0),
        address: host(number),
        mac: [2, 0, 0, 0, number, *mac],
    };
    Network {
        ports: vec![Port { mac: [2; 6], mtu: 1500 }],
        routes: vec![route("10.0.0.0/24", None), route("10.0.1.0/24", Some(host(GATEWAY)))],
        neighbours: (0..).zip(macs).filter(|(_, mac)| **mac > 0).map(neighbour).collect(),
        addresses: vec![(PortId(0), "10.0.0.1/24".parse().unwrap())],
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
    compiler.set_network(&network(1400, &[]));
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
    fn neighbours_alone_are_the_whole_network_anew(steps in steps()) {
        let (mut one, mut whole) = (compiler(), compiler());
        let mut mtu = 1400;
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
                    let network = network(mtu, &macs);
                    one.set_neighbours(&network.neighbours);
                    whole.set_network(&network);
                }
                Step::Network(other, macs) => {
                    mtu = other;
                    one.set_network(&network(mtu, &macs));
                    whole.set_network(&network(mtu, &macs));
                }
            }
            prop_assert_eq!(one.hosts.len(), one.slots.iter().flatten().count());
            prop_assert_eq!(seen(&one), seen(&whole));
        }
    }
}
