//! A director in memory: port 0 to clients, port 1 to real servers, more ports with nothing behind them.

use std::sync::Arc;

use ulvs_engine::publish::Publisher;
use ulvs_engine::snapshot::{Compiler, Neighbour, Network, Port, PortId, Route, Snapshot};
use ulvs_engine::{Capacity, DropReason, Engine, MemoryFrame, PuntReason, Shared, Ticks};
use ulvs_model::{Destination, Encapsulation, Protocol, SchedulerKind, Service, ServiceKey, Thresholds, Weight};
use ulvs_worker::memory::MemoryIo;
use ulvs_worker::{Exception, Patience, Worker};

pub(crate) const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 9, 9];
pub(crate) const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 8, 8];
pub(crate) const VIP: &str = "192.0.2.100:80";
pub(crate) const PATIENCE: Patience = Patience { packets: 8, ticks: 128 };

pub(crate) const fn mac(port: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, port]
}

pub(crate) struct Lab {
    pub(crate) shared: Arc<Shared>,
    pub(crate) compiler: Compiler,
    pub(crate) publisher: Publisher<Snapshot>,
    pub(crate) network: Network,
    pub(crate) exception: Arc<Exception<MemoryFrame>>,
    pub(crate) workers: Vec<Worker<MemoryIo>>,
    pub(crate) now: Ticks,
}

impl Lab {
    /// One service on `VIP`, TCP and UDP, NAT to 10.0.0.1:8080, whose neighbour is known.
    pub(crate) fn new(workers: usize, ports: u8) -> Self {
        Self::with_patience(workers, ports, PATIENCE)
    }

    /// The same with another patience.
    fn with_patience(workers: usize, ports: u8, patience: Patience) -> Self {
        let capacity = Capacity { connections: 32_768, destinations: 256, workers };
        let shared = Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap());
        let mut compiler = Compiler::new(Arc::clone(&shared));
        let network = network(ports);
        compiler.set_network(&network);
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            compiler.add_service(&service(protocol)).unwrap();
        }
        let publisher = Publisher::new(compiler.snapshot());
        let exception = Arc::new(Exception::new(&vec![true; usize::from(ports)]));
        let worker = |number| {
            let engine = Engine::new(Arc::clone(&shared), number);
            let io = MemoryIo::new(ports.into());
            let place = (number, workers);
            Worker::new(io, engine, publisher.reader(), place, ports.into(), Arc::clone(&exception), patience)
        };
        let workers = (0..workers).map(worker).collect();
        Self { shared, compiler, publisher, network, exception, workers, now: Ticks::from_seconds(100) }
    }

    /// The same, and nobody knows where 10.0.0.1 is.
    pub(crate) fn unresolved() -> Self {
        Self::unresolved_for(PATIENCE)
    }

    /// The same with another patience.
    pub(crate) fn unresolved_for(patience: Patience) -> Self {
        let mut lab = Self::with_patience(1, 2, patience);
        lab.forget_server();
        lab.pass(0);
        lab
    }

    pub(crate) fn forget_server(&mut self) {
        let network = &mut self.network;
        network.neighbours.retain(|neighbour| neighbour.mac != SERVER_MAC);
        self.publish();
    }

    pub(crate) fn learn_server(&mut self) {
        self.network.neighbours.push(server());
        self.publish();
    }

    /// A new snapshot with whatever `network` says now.
    pub(crate) fn publish(&mut self) {
        self.compiler.set_network(&self.network);
        self.publisher.publish(self.compiler.snapshot());
    }

    pub(crate) fn arrive(&mut self, worker: usize, port: usize, frame: MemoryFrame) {
        self.workers[worker].io().arriving[port].push_back(frame);
    }

    pub(crate) fn pass(&mut self, worker: usize) -> usize {
        self.workers[worker].pass(self.now)
    }

    /// Passes until nothing arrives any more.
    pub(crate) fn settle(&mut self) {
        for worker in 0..self.workers.len() {
            while self.pass(worker) > 0 {}
        }
    }

    pub(crate) fn sent(&mut self, worker: usize, port: usize) -> Vec<MemoryFrame> {
        std::mem::take(&mut self.workers[worker].io().sent[port])
    }

    /// What the kernel gets.
    pub(crate) fn to_kernel(&self) -> Vec<(PortId, MemoryFrame)> {
        let mut frames = Vec::new();
        while self.exception.deliver(|port, frame| frames.push((port, frame))) > 0 {}
        frames
    }

    /// Every packet received has one verdict, but for those that wait.
    pub(crate) fn check_sum(&self) {
        for worker in &self.workers {
            let counters = worker.engine().counters();
            let before_verdict = DropReason::ALL.iter().filter(|reason| !reason.is_after_verdict());
            let dropped: u64 = before_verdict.map(|&reason| counters.drops(reason)).sum();
            let punted: u64 = PuntReason::ALL.iter().map(|&reason| counters.punts(reason)).sum();
            let sum = counters.forwarded.get() + punted + dropped + worker.waiting() as u64;
            assert_eq!(counters.received.get(), sum);
        }
    }
}

fn service(protocol: Protocol) -> Service {
    let mut service = Service::new(ServiceKey::new(protocol, VIP.parse().unwrap()), SchedulerKind::Rr).unwrap();
    let (address, weight) = ("10.0.0.1:8080".parse().unwrap(), Weight::new(1).unwrap());
    service
        .add(Destination {
            address,
            method: ulvs_model::ForwardMethod::Nat,
            encapsulation: Encapsulation::default(),
            weight,
            thresholds: Thresholds::default(),
        })
        .unwrap();
    service
}

fn server() -> Neighbour {
    Neighbour { port: PortId(1), address: "10.0.0.1".parse().unwrap(), mac: SERVER_MAC }
}

fn network(ports: u8) -> Network {
    let route = |prefix: &str, port| Route {
        prefix: prefix.parse().unwrap(),
        port: Some(PortId(port)),
        via: None,
        source: None,
        mtu: None,
    };
    let gateway = "192.0.2.254".parse().unwrap();
    Network {
        ports: (0..ports).map(|port| Port { mac: mac(port), mtu: 1500 }).collect(),
        routes: vec![
            Route { via: Some(gateway), ..route("0.0.0.0/0", 0) },
            route("192.0.2.0/24", 0),
            route("10.0.0.0/24", 1),
        ],
        neighbours: vec![Neighbour { port: PortId(0), address: gateway, mac: CLIENT_MAC }, server()],
        addresses: vec![(PortId(0), "192.0.2.1/24".parse().unwrap()), (PortId(1), "10.0.0.254/24".parse().unwrap())],
    }
}
