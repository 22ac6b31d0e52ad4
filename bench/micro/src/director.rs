use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use ulvs_engine::snapshot::{Compiler, Neighbour, Network, Port, PortId, Route, Snapshot};
use ulvs_engine::{BURST, Capacity, Engine, MemoryFrame, Shared, Ticks, Verdict};
use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Protocol, SchedulerKind, Service, ServiceKey, Thresholds, Weight,
};

use crate::frames::{GATEWAY, PORT_MAC, REAL_PORT, REAL_SERVER, SERVICE_PORT, VIP};

/// What a case configures.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// How packets are forwarded.
    pub method: ForwardMethod,
    /// Whether with IPv6.
    pub ipv6: bool,
    /// Of each service.
    pub scheduler: SchedulerKind,
    /// How many each service has.
    pub real_servers: u32,
    /// How many there are, by ports of one address.
    pub services: u16,
}

/// One worker's engine, and all that it needs.
#[derive(Debug)]
pub struct Director {
    shared: Arc<Shared>,
    engine: Engine,
    snapshot: Snapshot,
    verdicts: [Verdict; BURST],
}

impl Director {
    /// With these services.
    ///
    /// # Errors
    /// If the engine has no room for it.
    pub fn new(setup: Setup) -> Result<Self> {
        let capacity = Capacity {
            connections: 1 << 16,
            destinations: (setup.real_servers * u32::from(setup.services)).max(16),
            workers: 1,
        };
        // The same seeds each time: the same buckets, and the same instructions.
        let shared =
            Arc::new(Shared::new(capacity, [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0])?);
        let mut compiler = Compiler::new(Arc::clone(&shared));
        compiler.set_network(&network(setup.ipv6)?);
        for number in 0..setup.services {
            compiler.add_service(&service(setup, number)?)?;
        }
        let engine = Engine::new(Arc::clone(&shared), 0);
        Ok(Self { shared, engine, snapshot: compiler.snapshot(), verdicts: [Verdict::Wait; BURST] })
    }

    /// Connections there are.
    pub fn connections(&self) -> u64 {
        self.shared.connections()
    }

    /// Processes a burst. Callgrind counts in this function and what it calls, so nothing else may be in it.
    #[inline(never)]
    pub fn process(&mut self, frames: &mut [MemoryFrame]) {
        self.engine.process(&self.snapshot, Ticks::from_seconds(100), PortId(0), frames, &mut self.verdicts);
    }

    /// Whether all of a burst was forwarded.
    pub fn has_forwarded(&self, frames: &[MemoryFrame]) -> bool {
        self.verdicts.iter().take(frames.len()).all(|verdict| matches!(verdict, Verdict::Forward(_)))
    }
}

pub(crate) fn ip(ipv6: bool, bits: u32) -> IpAddr {
    if ipv6 {
        IpAddr::V6(Ipv6Addr::from_bits(0xfd << 120 | u128::from(bits)))
    } else {
        IpAddr::V4(Ipv4Addr::from_bits(bits))
    }
}

fn service(setup: Setup, number: u16) -> Result<Service> {
    let address = SocketAddr::new(ip(setup.ipv6, VIP), SERVICE_PORT + number);
    let mut service = Service::new(ServiceKey::new(Protocol::Tcp, address), setup.scheduler)?;
    let port = if setup.method == ForwardMethod::Nat { REAL_PORT } else { SERVICE_PORT };
    for number in 0..setup.real_servers {
        service.add(Destination {
            address: SocketAddr::new(ip(setup.ipv6, REAL_SERVER + number), port),
            method: setup.method,
            encapsulation: Encapsulation::default(),
            weight: weight(setup.scheduler),
            thresholds: Thresholds::default(),
        })?;
    }
    Ok(service)
}

fn network(ipv6: bool) -> Result<Network> {
    let (port, gateway) = (PortId(0), ip(ipv6, GATEWAY));
    let prefix = if ipv6 { "::/0" } else { "0.0.0.0/0" };
    let source = Some(ip(ipv6, GATEWAY - 1));
    Ok(Network {
        ports: vec![Port { mac: PORT_MAC, mtu: 1500 }],
        routes: vec![Route { prefix: prefix.parse()?, port: Some(port), via: Some(gateway), source, mtu: None }],
        neighbours: vec![Neighbour { port, address: gateway, mac: [2, 0, 0, 0, 0, 9] }],
        addresses: Vec::new(),
    })
}

/// With weighted overflow a real server takes no more connections than its weight.
fn weight(scheduler: SchedulerKind) -> Weight {
    let weight = if scheduler == SchedulerKind::Ovf { i64::from(i32::MAX) } else { 1 };
    Weight::new(weight).unwrap_or_default()
}
