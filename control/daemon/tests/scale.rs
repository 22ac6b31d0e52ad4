//! How long changes take among 10,000 services with 10 real servers each, and among a million routes. Measurements, not checks
//! of this machine:
//! `cargo test --release -p ulvs-daemon --test scale -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use ulvs_engine::publish::Publisher;
use ulvs_engine::snapshot::{Compiler, Neighbour, Network, Port, PortId, Route};
use ulvs_engine::{Capacity, Shared};
use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Netmask, Persistence, PersistenceEngine, Protocol, SchedulerKind,
    Service, ServiceKey, ServiceSettings, Thresholds, Weight,
};

const SERVICES: u32 = 10_000;
const EACH: u32 = 10;
/// Hosts, each with real servers of many services.
const HOSTS: u32 = 1_000;

fn key(number: u32) -> ServiceKey {
    ServiceKey::new(Protocol::Tcp, SocketAddr::new(Ipv4Addr::from_bits(0xc612_0000 + number).into(), 80))
}

fn destination(service: u32, number: u32, weight: i64) -> Destination {
    let host = Ipv4Addr::from_bits(0x0a00_0001 + (service * EACH + number) % HOSTS);
    let address = SocketAddr::new(host.into(), 8080);
    Destination {
        address,
        method: ForwardMethod::Nat,
        encapsulation: Encapsulation::default(),
        weight: Weight::new(weight).unwrap(),
        thresholds: Thresholds::default(),
    }
}

fn network(unknown: u32) -> Network {
    let neighbour = |host| Neighbour {
        port: PortId(0),
        address: Ipv4Addr::from_bits(0x0a00_0001 + host).into(),
        mac: [2, 0, 0, 0, 0, 1],
    };
    Network {
        ports: vec![Port { mac: [2, 0, 0, 0, 0, 0], mtu: 1500 }],
        routes: vec![Route {
            prefix: "10.0.0.0/8".parse().unwrap(),
            port: Some(PortId(0)),
            via: None,
            source: None,
            mtu: None,
        }],
        neighbours: (0..HOSTS).filter(|host| *host != unknown).map(neighbour).collect(),
        addresses: vec![(PortId(0), "10.255.0.1/8".parse().unwrap())],
    }
}

/// Median and longest of some.
fn times(what: &str, count: u32, mut run: impl FnMut(u32)) {
    let mut taken: Vec<Duration> = (0..count)
        .map(|number| {
            let began = Instant::now();
            run(number);
            began.elapsed()
        })
        .collect();
    taken.sort_unstable();
    println!("{what}: median {:?}, longest {:?} of {count}", taken[taken.len() / 2], taken.last().unwrap());
}

fn compiler_of_all_services() -> Compiler {
    let capacity = Capacity { connections: 1024, destinations: 2 * SERVICES * EACH, workers: 1 };
    let mut compiler = Compiler::new(Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap()));
    times("all services", 1, |_| {
        for number in 0..SERVICES {
            let mut service = Service::new(key(number), SchedulerKind::Wrr).unwrap();
            (0..EACH).for_each(|at| service.add(destination(number, at, 1)).unwrap());
            compiler.add_service(&service).unwrap();
        }
    });
    compiler
}

/// Publishes what the compiler has, to a worker that takes it at once.
fn publishing(compiler: &Compiler) -> impl FnMut(&Compiler) + use<> {
    let mut publisher = Publisher::new(compiler.snapshot());
    let mut reader = publisher.reader();
    move |compiler| {
        publisher.publish(compiler.snapshot());
        reader.refresh();
        publisher.reclaim();
    }
}

#[test]
#[ignore = "a measurement"]
fn changes_among_many_services() {
    let mut compiler = compiler_of_all_services();
    compiler.set_network(&network(HOSTS));
    let mut publisher = Publisher::new(compiler.snapshot());
    let mut reader = publisher.reader();
    times("one weight, to the worker", 1000, |number| {
        compiler.edit_destination(key(number * 7), destination(number * 7, number % EACH, 5)).unwrap();
        publisher.publish(compiler.snapshot());
        reader.refresh();
    });
    times("reclaiming 1000 snapshots", 1, |_| assert_eq!(publisher.reclaim(), 0));
    times("one weight, to the worker, reclaimed", 1000, |number| {
        compiler.edit_destination(key(number * 7), destination(number * 7, number % EACH, 6)).unwrap();
        publisher.publish(compiler.snapshot());
        reader.refresh();
        publisher.reclaim();
    });
    let mut shortest = Duration::MAX;
    times("one neighbour, to the worker", 100, |number| {
        let network = network(number);
        let began = Instant::now();
        compiler.set_neighbours(&network.neighbours);
        publisher.publish(compiler.snapshot());
        reader.refresh();
        shortest = shortest.min(began.elapsed());
    });
    println!("the shortest of them, without making the list: {shortest:?}");
    times("the network anew, to the worker", 20, |number| {
        compiler.set_network(&network(number));
        publisher.publish(compiler.snapshot());
        reader.refresh();
    });
    times("next hops wanted from the kernel", 20, |_| {
        assert_eq!(compiler.next_hops().count(), HOSTS as usize);
    });
    times("the listing of all services", 5, |_| assert_eq!(compiler.services().len(), SERVICES as usize));
}

#[test]
#[ignore = "a measurement"]
fn real_servers_come_and_go_among_as_many_addresses() {
    let mut compiler = compiler_of_all_services();
    // Each a host of its own.
    let own = |number: u32| {
        let address = SocketAddr::new(Ipv4Addr::from_bits(0x0b00_0000 + number).into(), 8080);
        Destination { address, ..destination(0, 0, 1) }
    };
    for number in 0..SERVICES * EACH / 2 {
        compiler.add_destination(key(number % SERVICES), own(number)).unwrap();
    }
    let mut publish = publishing(&compiler);
    times("a real server more and less, to the worker each", 1000, |number| {
        compiler.add_destination(key(number), own(1_000_000 + number)).unwrap();
        publish(&compiler);
        compiler.remove_destination(key(number), own(1_000_000 + number).address).unwrap();
        publish(&compiler);
    });
}

#[test]
#[ignore = "a measurement"]
fn services_that_tell_calls_apart() {
    const CALLING: u32 = 4000;
    let capacity = Capacity { connections: 1024, destinations: 4 * CALLING, workers: 1 };
    let mut compiler = Compiler::new(Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap()));
    let engine = Some(PersistenceEngine::Sip);
    let persistence = Some(Persistence { timeout: 60, netmask: Netmask::HOST_V4, engine });
    let settings = ServiceSettings { persistence, ..ServiceSettings::from(SchedulerKind::Rr) };
    times("a service with the engine sip and two real servers", CALLING, |number| {
        let address = SocketAddr::new(Ipv4Addr::from_bits(0xc612_0000 + number).into(), 5060);
        let key = ServiceKey::new(Protocol::Udp, address);
        compiler.new_service(key, settings).unwrap();
        for host in 0..2 {
            let host = Ipv4Addr::from_bits(0x0a00_0001 + 2 * number + host);
            let address = SocketAddr::new(host.into(), 5060);
            compiler.add_destination(key, Destination { address, ..destination(0, 0, 1) }).unwrap();
        }
        drop(compiler.snapshot());
    });
}

/// As many as all of the Internet's prefixes.
const ROUTES: u32 = 1_000_000;

fn route(number: u32, gateway: u32) -> (IpNet, Option<Route>) {
    let prefix = IpNet::new(Ipv4Addr::from_bits(0x1000_0000 + (number << 8)).into(), 24).unwrap();
    let via = Some(Ipv4Addr::from_bits(0x0a00_0001 + gateway).into());
    (prefix, Some(Route { prefix, port: Some(PortId(0)), via, source: None, mtu: None }))
}

#[test]
#[ignore = "a measurement"]
fn changes_among_a_million_routes() {
    let mut compiler = compiler_of_all_services();
    let mut network = network(HOSTS);
    network.routes.extend((0..ROUTES).filter_map(|number| route(number, number % 64).1));
    times("the network anew, with a million routes", 3, |_| compiler.set_network(&network));
    let mut publish = publishing(&compiler);
    times("one route, to the worker", 1000, |number| {
        compiler.set_routes(&[route(number * 997, 64)]);
        publish(&compiler);
    });
    times("1024 routes, to the worker", 100, |number| {
        let changes: Vec<_> = (0..1024).map(|at| route((at * 961 + number) % ROUTES, number)).collect();
        compiler.set_routes(&changes);
        publish(&compiler);
    });
    times("an address of a port, to the worker", 20, |number| {
        let address = IpNet::new(Ipv4Addr::from_bits(0x0aff_0100 + number).into(), 8).unwrap();
        compiler.set_addresses(&[(PortId(0), address)]);
        publish(&compiler);
    });
    times("another MTU of a port, to the worker", 20, |number| {
        compiler.set_ports(&[Port { mtu: if number % 2 == 0 { 1400 } else { 1500 }, ..network.ports[0] }]);
        publish(&compiler);
    });
    times("one neighbour, to the worker", 100, |number| {
        network.neighbours[0].mac[5] = if number % 2 == 0 { 8 } else { 9 };
        compiler.set_neighbours(&network.neighbours);
        publish(&compiler);
    });
    times("next hops wanted from the kernel", 20, |_| assert_eq!(compiler.next_hops().count(), HOSTS as usize));
}
