//! Whole passes of a worker: one with nothing to do, one that takes up a change, and one that has as much to do as a pass can
//! have, all at once.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Result, ensure};
use ulvs_engine::conn::Ahead;
use ulvs_engine::publish::Publisher;
use ulvs_engine::snapshot::{Compiler, Neighbour, Network, Port, PortId, Route, Snapshot, SourceLimits};
use ulvs_engine::{BURST, Capacity, DropReason, Engine, MemoryFrame, Shared, SourceLimit, Ticks};
use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Netmask, Persistence, PersistenceEngine, Protocol, SchedulerKind,
    Service, ServiceKey, ServiceSettings, Sysctls, Thresholds, Weight,
};
use ulvs_wire::tcp;
use ulvs_worker::memory::MemoryIo;
use ulvs_worker::{Exception, Patience, Worker};

use ulvs_micro::{GATEWAY, PORT_MAC, REAL_PORT, REAL_SERVER, SERVICE_PORT, VIP, WHOLE, datagram, near, said, segment};

/// Services with ten real servers each, which several services have.
const SERVICES: u32 = 10_000;
const EACH: u32 = 10;
const HOSTS: u32 = 10_000;
/// One more service, whose real server is behind a gateway that is not known.
const FAR: u32 = SERVICES;
const FAR_SERVER: u32 = 0xac20_0001;
const FAR_GATEWAY: u32 = GATEWAY - 2;
/// Packets that wait for it, as many as the file's default says, and those that are tried again in one pass.
const WAITING: u32 = 256;
const TRIED_AGAIN: u32 = PER_BURST;
const PATIENCE: Patience = Patience { packets: WAITING as usize, ticks: u32::MAX / 4 };
#[expect(clippy::cast_possible_truncation, reason = "64")]
const PER_BURST: u32 = BURST as u32;
/// Clients of one kind.
const OTHERS: u32 = 1 << 20;
/// Bursts of connections that end.
const OLD: u32 = 128;
/// Passes in which they are seen to be over, and in which they end.
const LOOKS: u32 = 8;
const ENDS: u32 = 16;
/// Fragments that wait for the first of theirs, as many as there may be, and those that go on in one pass.
const FRAGMENTS: u32 = 256;
const RELEASED: u32 = 16;
const OF_ONE_CLIENT: u32 = 4;
/// Services whose clients' words are read, and how long those are at most in a frame of 1,500 bytes.
const FTP: (IpAddr, u16) = (ip(VIP + 2 * SERVICES), 21);
const SIP: (IpAddr, u16) = (ip(VIP + 2 * SERVICES), 5060);
const LONGEST: usize = 1460;
/// Frames of the kernel's that a worker sends in one pass.
const OF_THE_KERNEL: u32 = 32;

/// A pass whose instructions are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pass {
    /// Nothing has come and nothing has changed.
    Idle,
    /// Another snapshot, among 10,000 services with ten real servers each.
    Adopt,
    /// Another snapshot, a burst of the dearest packets (new connections by NAT of clients that are to be remembered and are
    /// limited, each to another service), the most waiting packets that are tried again at once, all held fragments to be looked
    /// through and the most that go on at once, the most frames of the kernel's, and the most connections that are looked at, ended and freed at once.
    Worst,
    /// A burst from an FTP client that says nothing but line ends.
    Ftp,
    /// A burst of SIP messages that begin the header that is looked for as often as they can.
    Sip,
    /// The same, which never begin it.
    SipLong,
}

impl Pass {
    /// Every pass, by name.
    pub(crate) const ALL: [(&str, Self); 6] = [
        ("pass-idle", Self::Idle),
        ("pass-adopt", Self::Adopt),
        ("pass-worst", Self::Worst),
        ("pass-ftp", Self::Ftp),
        ("pass-sip", Self::Sip),
        ("pass-sip-long", Self::SipLong),
    ];

    /// Workers, of which the first has this pass before it.
    ///
    /// # Errors
    /// If there is no room for them, or they do not come to where they should be.
    pub(crate) fn prepare(self) -> Result<Passes> {
        let mut passes = Passes::new(self)?;
        passes.run(0, 3);
        passes.run(1, 3);
        match self {
            Self::Idle => {}
            Self::Adopt => passes.publish(),
            Self::Worst => passes.burden()?,
            Self::Ftp => passes.say_to_ftp(),
            Self::Sip => passes.say_to_sip(&b"\ni       ".repeat(LONGEST / 9)),
            Self::SipLong => passes.say_to_sip(&[b'\n'; LONGEST]),
        }
        Ok(passes)
    }
}

/// Two workers in memory.
pub(crate) struct Passes {
    of: Pass,
    shared: Arc<Shared>,
    compiler: Compiler,
    publisher: Publisher<Snapshot>,
    exception: Arc<Exception<MemoryFrame>>,
    workers: [Worker<MemoryIo>; 2],
    now: Ticks,
    /// How many packets the first worker is to have forwarded in the end.
    expected: u64,
    /// How many packets both are to have dropped.
    refused: u64,
}

impl Passes {
    fn new(of: Pass) -> Result<Self> {
        let capacity = Capacity { connections: 1 << 20, destinations: SERVICES * EACH + 16, workers: 2 };
        let seed = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0];
        let shared = Arc::new(Shared::new(capacity, seed)?);
        let mut compiler = Compiler::new(Arc::clone(&shared));
        compiler.set_network(&network()?);
        if matches!(of, Pass::Adopt | Pass::Worst) {
            for service in 0..SERVICES {
                let hosts = (0..EACH).map(|number| REAL_SERVER + (service * EACH + number) % HOSTS);
                compiler.add_service(&self::service(service, hosts)?)?;
            }
        }
        compiler.add_service(&service(FAR, [FAR_SERVER].into_iter())?)?;
        if matches!(of, Pass::Ftp | Pass::Sip | Pass::SipLong) {
            for service in talkative()? {
                compiler.add_service(&service)?;
            }
        }
        compiler.set_sysctls(Sysctls { expire_nodest_conn: 1, ..Sysctls::default() });
        let all = SourceLimit::new(1000, 1000);
        compiler.set_source_limits(SourceLimits { all, ..SourceLimits::default() });
        let publisher = Publisher::new(compiler.snapshot());
        let exception = Arc::new(Exception::new(&[true, true]));
        let worker = |number| {
            let (engine, io) = (Engine::new(Arc::clone(&shared), number), MemoryIo::new(2));
            Worker::new(io, engine, publisher.reader(), (number, 2), 2, Arc::clone(&exception), PATIENCE)
        };
        let workers = [worker(0), worker(1)];
        Ok(Self {
            of,
            shared,
            compiler,
            publisher,
            exception,
            workers,
            now: Ticks::from_seconds(100),
            expected: 0,
            refused: 0,
        })
    }

    /// The pass of the first worker. Callgrind counts in this function and what it calls, so nothing else may be in it.
    #[inline(never)]
    pub(crate) fn pass(&mut self) {
        self.workers[0].pass(self.now);
    }

    /// Whether the pass did what it was to do.
    ///
    /// # Errors
    /// If not.
    pub(crate) fn check(&self) -> Result<()> {
        let [worker, _] = &self.workers;
        let (generation, forwarded) =
            (worker.engine().counters().generation.get(), worker.engine().counters().forwarded.get());
        ensure!(generation == self.publisher.generation(), "the change is not taken up");
        ensure!(forwarded == self.expected, "{forwarded} packets were forwarded, not {}", self.expected);
        let dropped: u64 = DropReason::ALL.iter().map(|reason| self.shared.drops(*reason)).sum();
        ensure!(dropped == self.refused, "{dropped} packets were dropped, not {}", self.refused);
        if self.of == Pass::Worst {
            let (waiting, expected) = (worker.waiting(), WAITING - TRIED_AGAIN + FRAGMENTS - RELEASED);
            ensure!(waiting == expected as usize, "{waiting} packets wait, not {expected}");
        }
        Ok(())
    }

    fn run(&mut self, worker: usize, passes: u32) {
        for _ in 0..passes {
            self.workers[worker].pass(self.now);
            let io = self.workers[worker].io();
            // Not to be freed or to grow in the pass that counts.
            io.sent.iter_mut().for_each(|sent| {
                sent.clear();
                sent.reserve(16 * BURST);
            });
        }
    }

    fn publish(&mut self) {
        self.publisher.publish(self.compiler.snapshot());
    }

    fn arrive(&mut self, worker: usize, frames: impl Iterator<Item = MemoryFrame>) {
        self.workers[worker].io().arriving[0].extend(frames);
    }

    /// Puts before the first worker all that there can be in one pass.
    fn burden(&mut self) -> Result<()> {
        // As a director does.
        self.shared.datagrams.prepare();
        Ahead::default().keep(&self.shared.table);
        let burst = PER_BURST;
        self.arrive(0, (0..OLD * burst).map(|client| syn(client, client % SERVICES)));
        self.run(0, OLD);
        self.expected += u64::from(OLD * burst);
        // All of them are over. None ends before the other worker has come by, and none is free before it has again.
        self.now = Ticks(self.now.0 + Ticks::from_seconds(1000).0);
        self.run(0, LOOKS);
        self.run(1, 1);
        self.arrive(0, (0..FRAGMENTS).map(|number| fragment(number, 1)));
        self.arrive(0, (0..WAITING).map(|client| syn(OTHERS + client, FAR)));
        self.run(0, ENDS);
        let waiting = self.workers[0].waiting();
        ensure!(waiting == (WAITING + FRAGMENTS) as usize, "{waiting} packets wait");
        // The firsts of the fragments come to the other worker.
        self.arrive(1, (0..FRAGMENTS).map(|number| fragment(number, 0)));
        self.run(1, FRAGMENTS / burst);
        // A way to the far gateway, which changes nothing else.
        self.compiler.set_neighbours(&neighbours(&[GATEWAY, FAR_GATEWAY]));
        self.publish();
        self.arrive(0, (0..burst).map(|client| syn(2 * OTHERS + client, client)));
        for client in 0..OF_THE_KERNEL {
            let server = (ip(REAL_SERVER + client), REAL_PORT);
            let frame = segment((server, near(false, 2 * OTHERS + client)), tcp::SYN | tcp::ACK, WHOLE);
            ensure!(self.exception.inject(PortId(0), frame).is_ok(), "the kernel's frames find no room");
        }
        self.expected += u64::from(TRIED_AGAIN + burst + RELEASED);
        Ok(())
    }

    /// Puts a burst before the first worker that a client sends on a connection that there is.
    fn say_to_ftp(&mut self) {
        let client = near(false, 0);
        let server = (ip(REAL_SERVER), FTP.1);
        for frame in [
            segment((client, FTP), tcp::SYN, WHOLE),
            segment((server, client), tcp::SYN | tcp::ACK, WHOLE),
            segment((client, FTP), tcp::ACK, WHOLE),
        ] {
            self.arrive(0, std::iter::once(frame));
            self.run(0, 1);
        }
        self.arrive(0, (0..PER_BURST).map(|_| said((client, FTP), &[b'\n'; LONGEST])));
        self.expected += u64::from(3 + PER_BURST);
    }

    /// Puts a burst of such messages before the first worker, each of another client: none is of a call.
    fn say_to_sip(&mut self, text: &[u8]) {
        self.arrive(0, (0..PER_BURST).map(|number| datagram((near(false, number), SIP), text)));
        self.refused += u64::from(PER_BURST);
    }
}

/// Services whose clients' words are read.
fn talkative() -> Result<[Service; 2]> {
    let sip = Persistence { timeout: 300, netmask: Netmask::HOST_V4, engine: Some(PersistenceEngine::Sip) };
    let of = |protocol, (ip, port), persistence| -> Result<Service> {
        let settings = ServiceSettings { persistence, ..ServiceSettings::from(SchedulerKind::Wlc) };
        let mut service = Service::new(ServiceKey::new(protocol, SocketAddr::new(ip, port)), settings)?;
        service.add(real_server(SocketAddr::new(self::ip(REAL_SERVER), port)))?;
        Ok(service)
    };
    Ok([of(Protocol::Tcp, FTP, None)?, of(Protocol::Udp, SIP, Some(sip))?])
}

const fn ip(bits: u32) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::from_bits(bits))
}

fn syn(client: u32, service: u32) -> MemoryFrame {
    segment((near(false, client), (ip(VIP + service), SERVICE_PORT)), tcp::SYN, WHOLE)
}

/// The first part of a packet, or one that follows it. Each client has some.
fn fragment(number: u32, at: u8) -> MemoryFrame {
    let more = if at == 0 { 0x20 } else { 0 };
    let to = (ip(VIP + number % SERVICES), SERVICE_PORT);
    let [.., high, low] = number.to_be_bytes();
    segment((near(false, 3 * OTHERS + number / OF_ONE_CLIENT), to), tcp::SYN, [high, low, more, at * 5])
}

fn service(number: u32, hosts: impl Iterator<Item = u32>) -> Result<Service> {
    let key = ServiceKey::new(Protocol::Tcp, SocketAddr::new(ip(VIP + number), SERVICE_PORT));
    let persistence = Some(Persistence { timeout: 300, netmask: Netmask::HOST_V4, engine: None });
    let settings = ServiceSettings { persistence, ..ServiceSettings::from(SchedulerKind::Wlc) };
    let mut service = Service::new(key, settings)?;
    for host in hosts {
        service.add(real_server(SocketAddr::new(ip(host), REAL_PORT)))?;
    }
    Ok(service)
}

fn real_server(address: SocketAddr) -> Destination {
    Destination {
        address,
        method: ForwardMethod::Nat,
        encapsulation: Encapsulation::default(),
        weight: Weight::new(1).unwrap_or_default(),
        thresholds: Thresholds::default(),
    }
}

fn neighbours(all: &[u32]) -> Vec<Neighbour> {
    let neighbour = |&bits: &u32| Neighbour { port: PortId(0), address: ip(bits), mac: [2, 0, 0, 0, 0, 9] };
    all.iter().map(neighbour).collect()
}

fn network() -> Result<Network> {
    let via = |prefix: &str, gateway| -> Result<Route> {
        let (port, source) = (Some(PortId(0)), Some(ip(GATEWAY - 1)));
        Ok(Route { prefix: prefix.parse()?, port, via: Some(ip(gateway)), source, mtu: None })
    };
    Ok(Network {
        ports: vec![Port { mac: PORT_MAC, mtu: 1500 }; 2],
        routes: vec![via("0.0.0.0/0", GATEWAY)?, via("172.32.0.0/16", FAR_GATEWAY)?],
        neighbours: neighbours(&[GATEWAY]),
        addresses: Vec::new(),
    })
}
