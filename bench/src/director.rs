//! The director of a scenario: real engine, real worker, real table; only the port is a generator.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use ulvs_engine::publish::Publisher;
use ulvs_engine::snapshot::{Compiler, Neighbour, Network, Port, PortId, Route, Snapshot};
use ulvs_engine::{Capacity, Engine, Shared};
use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Persistence, Protocol, SchedulerKind, Service, ServiceKey,
    ServiceSettings, Thresholds, Weight,
};
use ulvs_worker::{Exception, Patience, Worker};

use crate::flows::{FIRST_PORT, FIRST_VIP, PORT_MAC, REAL_PORT, REAL_SERVER};
use crate::generator::Generator;

/// What a scenario configures.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) method: ForwardMethod,
    pub(crate) scheduler: SchedulerKind,
    pub(crate) persistence: Option<Persistence>,
    pub(crate) protocol: Protocol,
    pub(crate) ipv6: bool,
    pub(crate) real_servers: u32,
    pub(crate) ports: u16,
    pub(crate) vips: u32,
    pub(crate) capacity: u32,
}

/// Room for so many, as `capacity` of `[destinations]` has it if the file says nothing: what is counted of them is on huge pages then.
const DESTINATIONS: u32 = 1 << 18;

/// A director, whose first worker is at hand.
pub(crate) struct Director {
    pub(crate) shared: Arc<Shared>,
    pub(crate) worker: Worker<Generator>,
    pub(crate) others: Vec<Worker<Generator>>,
    _publisher: Publisher<Snapshot>,
}

impl Director {
    pub(crate) fn new(setup: &Setup, generator: Generator) -> Result<Self> {
        Self::with_workers(setup, generator, Vec::new())
    }

    /// With a further worker for each of `others`.
    pub(crate) fn with_workers(setup: &Setup, generator: Generator, others: Vec<Generator>) -> Result<Self> {
        let workers = 1 + others.len();
        let destinations = setup.real_servers * u32::from(setup.ports) * setup.vips;
        let destinations = destinations.max(DESTINATIONS);
        let capacity = Capacity { connections: setup.capacity, destinations, workers };
        let shared =
            Arc::new(Shared::new(capacity, [0x1234_5678_9abc_def1, 0xfedc_ba98_7654_3211, 0x0f1e_2d3c_4b5a_6979])?);
        let mut compiler = Compiler::new(Arc::clone(&shared));
        compiler.set_network(&network(setup));
        for vip in 0..setup.vips {
            for port in 0..setup.ports {
                compiler.add_service(&service(setup, vip, port)?)?;
            }
        }
        let publisher = Publisher::new(compiler.snapshot());
        let exception = Arc::new(Exception::new(&[false]));
        let patience = Patience { packets: 64, ticks: 128 };
        let worker = |(number, generator)| {
            let engine = Engine::new(Arc::clone(&shared), number);
            let place = (number, workers);
            Worker::new(generator, engine, publisher.reader(), place, 1, Arc::clone(&exception), patience)
        };
        let first = worker((0, generator));
        let others = (1..).zip(others).map(worker).collect();
        Ok(Self { shared, worker: first, others, _publisher: publisher })
    }
}

pub(crate) fn ip(ipv6: bool, bits: u32) -> IpAddr {
    if ipv6 {
        IpAddr::V6(Ipv6Addr::from_bits(0xfd << 120 | u128::from(bits)))
    } else {
        IpAddr::V4(Ipv4Addr::from_bits(bits))
    }
}

fn service(setup: &Setup, vip: u32, port: u16) -> Result<Service> {
    let address = SocketAddr::new(ip(setup.ipv6, FIRST_VIP + vip), FIRST_PORT + port);
    let Setup { scheduler, persistence, .. } = *setup;
    let settings = ServiceSettings { scheduler, persistence, ..ServiceSettings::default() };
    let mut service = Service::new(ServiceKey::new(setup.protocol, address), settings)?;
    for number in 0..setup.real_servers {
        let port = if setup.method == ForwardMethod::Nat { REAL_PORT } else { address.port() };
        service.add(Destination {
            address: SocketAddr::new(ip(setup.ipv6, REAL_SERVER + 1 + number), port),
            method: setup.method,
            encapsulation: Encapsulation::default(),
            weight: weight(setup.scheduler),
            thresholds: Thresholds::default(),
        })?;
    }
    Ok(service)
}

fn network(setup: &Setup) -> Network {
    let port = PortId(0);
    let gateway = ip(setup.ipv6, REAL_SERVER + 0xffff);
    let prefix = if setup.ipv6 { "::/0" } else { "0.0.0.0/0" };
    let own: IpAddr = ip(setup.ipv6, REAL_SERVER + 0xfffe);
    Network {
        ports: vec![Port { mac: PORT_MAC, mtu: 1500 }],
        routes: prefix
            .parse()
            .map(|prefix| vec![Route { prefix, port: Some(port), via: Some(gateway), source: Some(own), mtu: None }])
            .unwrap_or_default(),
        neighbours: vec![Neighbour { port, address: gateway, mac: [2, 0, 0, 0, 0, 9] }],
        addresses: Vec::new(),
    }
}

/// With weighted overflow a real server takes no more connections than its weight.
fn weight(scheduler: SchedulerKind) -> Weight {
    let weight = if scheduler == SchedulerKind::Ovf { i64::from(i32::MAX) } else { 1 };
    Weight::new(weight).unwrap_or_default()
}
