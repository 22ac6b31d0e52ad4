//! A director with a service of every method, family and protocol, and two workers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ulvs_engine::snapshot::{Compiler, Neighbour, Network, Port, PortId, Route, Snapshot};
use ulvs_engine::{BURST, Capacity, DropReason, Engine, MemoryFrame, PuntReason, Shared, Ticks, Verdict};
use ulvs_model::{Destination, Encapsulation, ForwardMethod, Protocol, SchedulerKind, Service, ServiceKey, Thresholds, Weight};

/// Hardware addresses of the two ports.
pub const PORTS: [[u8; 6]; 2] = [[2, 0, 0, 0, 1, 1], [2, 0, 0, 0, 2, 1]];
const VIPS: [&str; 2] = ["10.0.1.100", "2001:db8:1::100"];
const SERVERS: [&str; 2] = ["10.0.2.11", "2001:db8:2::11"];

pub struct Director {
    pub shared: Arc<Shared>,
    snapshot: Snapshot,
    engines: Vec<Engine>,
    now: Ticks,
    played: u64,
}

impl Director {
    /// Ports 80 to 84: NAT, DR, TUN, TUN into the other family, and no real server; port 21: FTP in NAT.
    pub fn new() -> Self {
        let shared =
            Arc::new(Shared::new(Capacity { connections: 512, destinations: 32, workers: 2 }, [1, 2, 3]).unwrap());
        let mut compiler = Compiler::new(Arc::clone(&shared));
        compiler.set_network(&network());
        for protocol in Protocol::ALL {
            for family in 0..2 {
                for port in (80..85).chain([21]) {
                    compiler.add_service(&service(protocol, family, port)).unwrap();
                }
            }
        }
        let engines = (0..2).map(|worker| Engine::new(Arc::clone(&shared), worker)).collect();
        Self { snapshot: compiler.snapshot(), engines, shared, now: Ticks::from_seconds(1), played: 0 }
    }

    /// Plays up to a burst through one worker, after some time, and asserts that each frame with a verdict was counted once.
    pub fn play(&mut self, worker: usize, port: u16, ticks: u32, frames: &mut [MemoryFrame]) -> Vec<Verdict> {
        let count = frames.len().min(BURST);
        self.now = Ticks(self.now.0.wrapping_add(ticks));
        let mut verdicts = vec![Verdict::Wait; count];
        self.engines.iter_mut().for_each(|engine| engine.housekeeping(&self.snapshot, self.now));
        self.engines[worker].process(&self.snapshot, self.now, PortId(port), &mut frames[..count], &mut verdicts);
        assert!(!verdicts.contains(&Verdict::Wait), "every neighbour is known");
        // Fragments that came before their first have no verdict yet.
        self.played += verdicts.iter().filter(|&&verdict| verdict != Verdict::Hold).count() as u64;
        assert_eq!(self.counted(), self.played);
        verdicts
    }

    fn counted(&self) -> u64 {
        let forwarded: u64 = self.shared.workers().iter().map(|worker| worker.forwarded.get()).sum();
        let drops: u64 = DropReason::ALL.iter().map(|&reason| self.shared.drops(reason)).sum();
        let punts: u64 = PuntReason::ALL.iter().map(|&reason| self.shared.punts(reason)).sum();
        forwarded + drops + punts
    }
}

fn service(protocol: Protocol, family: usize, port: u16) -> Service {
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    let key = ServiceKey::new(protocol, SocketAddr::new(ip(VIPS[family]), port));
    let mut service = Service::new(key, SchedulerKind::ALL[usize::from(port) % SchedulerKind::ALL.len()]).unwrap();
    let (method, family) = match port {
        21 | 80 => (ForwardMethod::Nat, family),
        81 => (ForwardMethod::Dr, family),
        82 => (ForwardMethod::Tun, family),
        83 => (ForwardMethod::Tun, 1 - family),
        _ => return service,
    };
    let port = match port {
        21 => 2100,
        80 => 8080,
        other => other,
    };
    let address = SocketAddr::new(ip(SERVERS[family]), port);
    service.add(Destination { address, method, encapsulation: Encapsulation::default(), weight: Weight::default(), thresholds: Thresholds::default() }).unwrap();
    service
}

fn network() -> Network {
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    let route = |prefix: &str, port, via: Option<&str>| {
        let (prefix, via) = (prefix.parse().unwrap(), via.map(ip));
        Route { prefix, port: Some(PortId(port)), via, source: None, mtu: None }
    };
    let neighbour =
        |port, address: &str| Neighbour { port: PortId(port), address: ip(address), mac: [2, 0, 0, 0, 9, 9] };
    let own = |port, net: &str| (PortId(port), net.parse().unwrap());
    // Only the named hosts are neighbours: everything else is behind the router.
    Network {
        ports: PORTS.map(|mac| Port { mac, mtu: 1400 }).to_vec(),
        routes: vec![
            route("10.0.2.11/32", 1, None),
            route("0.0.0.0/0", 0, Some("10.0.1.254")),
            route("2001:db8:2::11/128", 1, None),
            route("::/0", 0, Some("2001:db8:1::fe")),
        ],
        neighbours: vec![
            neighbour(0, "10.0.1.254"),
            neighbour(0, "2001:db8:1::fe"),
            neighbour(1, "10.0.2.11"),
            neighbour(1, "2001:db8:2::11"),
        ],
        addresses: vec![
            own(0, "10.0.1.1/24"),
            own(0, "2001:db8:1::1/64"),
            own(1, "10.0.2.1/24"),
            own(1, "2001:db8:2::1/64"),
        ],
    }
}
