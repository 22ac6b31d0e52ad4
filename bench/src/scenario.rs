//! The scenarios, by name.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use dpdk::Mempool;
use ulvs_model::{ForwardMethod, Netmask, Persistence, Protocol, SchedulerKind};
use ulvs_wire::{parse, tcp};

use crate::Source;
use crate::director::{Director, Setup};
use crate::expiry;
use crate::flows::{Frames, Traffic, Way};
use crate::generator::{Generator, Order};
use crate::measure::{self, PacketClock};
use crate::report::{self, Measured};
use crate::rig;
use crate::scaling;
use crate::stall::{self, Operation};
use crate::ulvsd;

/// Packets of each repeat.
const PACKETS: u64 = 4 << 20;

/// More packets than these don't fit a pcap in memory.
const RIG_BITS: u32 = 16;

/// What kind of packets a scenario is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Packets of connections that exist, by ulvsd as it is, beside the limit.
    Rig,
    /// Packets of connections that exist.
    Existing,
    /// The first packets of new connections.
    New,
    /// Connections end beside those that have traffic.
    Expiry,
    /// Two workers against one.
    Scaling,
    /// Control operations while ulvsd forwards.
    Stall(Operation),
}

/// A scenario.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    kind: Kind,
    setup: Setup,
    traffic: Traffic,
    /// The packets of a flow in their order: which way, and their TCP flags.
    packets: Vec<(Way, u8)>,
}

/// The life of a connection in both directions: opened, one request and its answer, closed.
const LIFE: [(Way, u8); 7] = [
    (Way::Requests, tcp::SYN),
    (Way::Replies, tcp::SYN | tcp::ACK),
    (Way::Requests, tcp::ACK),
    (Way::Requests, tcp::ACK),
    (Way::Replies, tcp::ACK),
    (Way::Requests, tcp::FIN | tcp::ACK),
    (Way::Replies, tcp::FIN | tcp::ACK),
];

/// Lives that go on at a time.
const LIVES: u64 = 1024;

impl Scenario {
    /// Every scenario.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for ipv6 in [false, true] {
            for (word, method, both) in [
                ("dr", ForwardMethod::Dr, false),
                ("tun", ForwardMethod::Tun, false),
                ("nat", ForwardMethod::Nat, false),
                ("nat-both", ForwardMethod::Nat, true),
            ] {
                for (size, bits) in [("1k", 10), ("64k", 16), ("1m", 20), ("8m", 23)] {
                    let name = format!("{word}-{size}{}", if ipv6 { "-v6" } else { "" });
                    let scenario = Self::existing(name, method, both, 1 << bits, ipv6);
                    all.push(if ipv6 || both || bits > RIG_BITS { scenario } else { scenario.on_the_rig() });
                }
            }
        }
        all.push(Self::new_connections("syn", parse::TCP, SchedulerKind::Wlc, 10));
        all.push(Self::persist());
        all.push(Self::new_connections("udp-first", parse::UDP, SchedulerKind::Wlc, 10));
        for (word, ports) in [("1", 1), ("1k", 1000), ("10k", 10_000)] {
            let mut scenario = Self::new_connections(&format!("syn-ports-{word}"), parse::TCP, SchedulerKind::Rr, 2);
            (scenario.setup.ports, scenario.traffic.ports) = (ports, u64::from(ports));
            all.push(scenario);
        }
        let mut vips = Self::new_connections("syn-vips-10k", parse::TCP, SchedulerKind::Rr, 2);
        (vips.setup.vips, vips.traffic.vips) = (10_000, 10_000);
        all.push(vips);
        for scheduler in SchedulerKind::ALL {
            for (word, count) in [("2", 2), ("100", 100), ("1k", 1000)] {
                all.push(Self::new_connections(&format!("sched-{scheduler}-{word}"), parse::TCP, scheduler, count));
            }
        }
        all.extend([Self::life(), Self::expiry()]);
        for (word, bits) in [("1m", 20), ("8m", 23)] {
            all.push(Self::existing(format!("mem-{word}"), ForwardMethod::Dr, false, 1 << bits, false));
        }
        let existing = |name: &str| Self::existing(name.to_owned(), ForwardMethod::Dr, false, 1 << RIG_BITS, false);
        all.push(Self { kind: Kind::Scaling, ..existing("workers-2") });
        for (name, operation) in Operation::ALL {
            all.push(Self { kind: Kind::Stall(operation), ..existing(name) });
        }
        all
    }

    /// The same, measured on ulvsd as it is. UDP, so that a pcap of one kind of packets makes its connections itself.
    fn on_the_rig(mut self) -> Self {
        self.kind = Kind::Rig;
        self.traffic.protocol = parse::UDP;
        self
    }

    /// The same with packets of this process, if it is one for the rig.
    pub(crate) fn off_the_rig(self) -> Self {
        match self.kind {
            Kind::Rig => {
                Self { kind: Kind::Existing, traffic: Traffic { protocol: parse::TCP, ..self.traffic }, ..self }
            }
            _ => self,
        }
    }

    /// The traffic as Pktgen sends it: requests only, by UDP, whose first packets make their connections. Nothing if the
    /// scenario is more than packets of existing connections.
    pub(crate) fn pktgen(&self) -> Option<Traffic> {
        let is_it = matches!(self.kind, Kind::Rig | Kind::Existing) && self.packets.len() == 1;
        (is_it && !self.name.starts_with("mem-")).then_some(Traffic {
            protocol: parse::UDP,
            tcp_flags: 0,
            ..self.traffic
        })
    }

    /// Whether it needs packets of this process.
    pub(crate) fn needs_generator(&self) -> bool {
        !matches!(self.kind, Kind::Rig | Kind::Stall(_))
    }

    fn existing(name: String, method: ForwardMethod, both: bool, flows: u64, ipv6: bool) -> Self {
        let capacity = u32::try_from(flows + flows / 4).unwrap_or(u32::MAX).max(4096);
        let setup = Setup {
            method,
            scheduler: SchedulerKind::Rr,
            persistence: None,
            protocol: Protocol::Tcp,
            ipv6,
            real_servers: 1,
            ports: 1,
            vips: 1,
            capacity,
        };
        let way = Way::Requests;
        let traffic = Traffic { flows, ports: 1, vips: 1, ipv6, protocol: parse::TCP, tcp_flags: tcp::ACK, way };
        let mut packets = vec![(Way::Requests, tcp::ACK)];
        if both {
            packets.push((Way::Replies, tcp::ACK));
        }
        Self { name, kind: Kind::Existing, setup, traffic, packets }
    }

    /// As `syn`, with persistence: clients that open eight connections each, as neighbours that count for one.
    fn persist() -> Self {
        let mut scenario = Self::new_connections("persist", parse::TCP, SchedulerKind::Wlc, 10);
        let netmask = Netmask::V4(Ipv4Addr::from_bits(!7));
        scenario.setup.persistence = Some(Persistence { timeout: 360, netmask, engine: None });
        scenario
    }

    fn life() -> Self {
        let mut scenario = Self::new_connections("life", parse::TCP, SchedulerKind::Rr, 1);
        scenario.setup.method = ForwardMethod::Nat;
        scenario.packets = LIFE.to_vec();
        scenario
    }

    fn expiry() -> Self {
        let mut scenario = Self::new_connections("expire", parse::UDP, SchedulerKind::Rr, 1);
        (scenario.kind, scenario.setup.capacity) = (Kind::Expiry, 2 << 20);
        scenario
    }

    fn new_connections(name: &str, protocol: u8, scheduler: SchedulerKind, real_servers: u32) -> Self {
        let setup = Setup {
            method: ForwardMethod::Dr,
            scheduler,
            persistence: None,
            protocol: if protocol == parse::TCP { Protocol::Tcp } else { Protocol::Udp },
            ipv6: false,
            real_servers,
            ports: 1,
            vips: 1,
            capacity: 10 << 20,
        };
        let (flows, way) = (8 << 20, Way::Requests);
        let traffic = Traffic { flows, ports: 1, vips: 1, ipv6: false, protocol, tcp_flags: tcp::SYN, way };
        let packets = vec![(way, tcp::SYN)];
        Self { name: name.to_owned(), kind: Kind::New, setup, traffic, packets }
    }

    /// Measures it, alternating with the null forwarder.
    pub(crate) fn run(&self, source: Option<&Source>, repeats: usize) -> Result<Measured> {
        let (name, setup) = (&self.name, &self.setup);
        match (self.kind, source) {
            (Kind::Existing, Some(Source { pool, .. })) => self.run_existing(pool, repeats),
            (Kind::New, Some(Source { pool, .. })) => self.run_new(pool, repeats),
            (Kind::Expiry, Some(Source { pool, .. })) => expiry::run(name, setup, self.traffic, pool, repeats),
            (Kind::Scaling, Some(Source { eal, pool })) => {
                scaling::run(name, setup, self.traffic, (eal, pool), repeats)
            }
            (Kind::Stall(operation), _) => stall::run(&self.name, operation, repeats),
            _ => self.run_on_the_rig(repeats),
        }
    }

    fn run_on_the_rig(&self, repeats: usize) -> Result<Measured> {
        let measured = rig::run(&ulvsd::program()?, self.traffic, self.setup.method, repeats)?;
        let times = measured.iter().map(|repeat| repeat.director).collect();
        let limits = measured.iter().map(|repeat| repeat.limit).collect();
        let mut measured = Measured::new(&self.name, times);
        measured.limit_ns_per_packet = Some(report::median(limits));
        Ok(measured)
    }

    fn frames(&self) -> Vec<Frames> {
        let frames = |&(way, tcp_flags)| Frames::new(Traffic { tcp_flags, way, ..self.traffic });
        self.packets.iter().map(frames).collect()
    }

    fn run_existing(&self, pool: &Mempool, repeats: usize) -> Result<Measured> {
        let flows = self.traffic.flows;
        let open = Frames::new(Traffic { tcp_flags: tcp::SYN, ..self.traffic });
        let before = resident();
        let mut director = Director::new(&self.setup, Generator::new(pool, vec![open], flows, Order::Ascending))?;
        let mut clock = PacketClock::default();
        measure::worker(&mut director.worker, &mut clock, flows.max(64));
        ensure!(director.shared.connections() == flows, "{} connections were made", director.shared.connections());
        *director.worker.io() = Generator::new(pool, self.frames(), flows, Order::Scattered);
        let warm = flows * self.packets.len() as u64;
        measure::worker(&mut director.worker, &mut clock, warm.max(1 << 16));
        let memory = resident().saturating_sub(before);
        let mut source = Generator::new(pool, self.frames(), flows, Order::Scattered);
        let (mut times, mut limits) = (Vec::new(), Vec::new());
        let before = director.worker.engine().counters().forwarded.get();
        let made = director.worker.io().made;
        for _ in 0..repeats {
            limits.push(measure::null(&mut source, PACKETS));
            times.push(measure::worker(&mut director.worker, &mut clock, PACKETS));
        }
        let forwarded = director.worker.engine().counters().forwarded.get() - before;
        ensure!(forwarded == director.worker.io().made - made, "only {forwarded} packets were forwarded");
        let mut measured = self.measured(times, limits);
        // With few flows it is what there is anyway.
        #[expect(clippy::cast_precision_loss, reason = "a quotient for people")]
        let bytes = memory as f64 / flows as f64;
        measured.bytes_per_connection = (flows >= WEIGHED).then_some(bytes);
        Ok(measured)
    }

    fn run_new(&self, pool: &Mempool, repeats: usize) -> Result<Measured> {
        let flows = self.traffic.flows;
        let kinds = self.packets.len() as u64;
        // Whole lives, if a flow has more than one packet.
        let (block, packets) =
            if kinds > 1 { (LIVES, PACKETS / (kinds * LIVES) * kinds * LIVES) } else { (1, PACKETS) };
        let generator = || Generator::new(pool, self.frames(), flows, Order::Ascending).in_blocks(block);
        let (mut director, mut source) = (Director::new(&self.setup, generator())?, generator());
        let mut clock = PacketClock::default();
        let (mut times, mut limits) = (Vec::new(), Vec::new());
        // The first round touches memory never used before.
        for round in 0..=repeats {
            limits.push(measure::null(&mut source, packets));
            times.push(measure::worker(&mut director.worker, &mut clock, packets));
            if round == 0 {
                (times, limits) = (Vec::new(), Vec::new());
            }
            let live = director.shared.connections();
            ensure!(live >= packets / kinds, "{live} connections were made of {packets} packets");
            Self::expire(&mut director, &mut clock);
        }
        let mut measured = self.measured(times, limits);
        if kinds > 1 {
            #[expect(clippy::cast_precision_loss, reason = "a few")]
            let lives = 1000.0 / (measured.ns_per_packet * kinds as f64);
            measured.notes.push(format!("{lives:.2} M connections a second, opened and closed, {kinds} packets each"));
        }
        Ok(measured)
    }

    /// Lets all connections end.
    fn expire(director: &mut Director, clock: &mut PacketClock) {
        clock.skip(1000);
        let made = director.worker.io().made;
        director.worker.io().until = made;
        while director.shared.connections() > 0 {
            director.worker.pass(clock.next());
        }
        director.worker.io().until = u64::MAX;
    }

    fn measured(&self, times: Vec<f64>, sources: Vec<f64>) -> Measured {
        let mut measured = Measured::new(&self.name, times);
        measured.source_ns_per_packet = Some(report::median(sources));
        measured
    }
}

/// From so many connections on, what one takes of the memory is told.
const WEIGHED: u64 = 1 << 20;

/// Memory of this process that is really there, in bytes: huge pages of the kernel's own choice are in it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
