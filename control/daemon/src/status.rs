//! What the API and the metrics tell, gathered without disturbing a worker.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use dpdk::StartedPort;
use tokio::sync::{mpsc, oneshot, watch};
use ulvs_api::{
    Counters, Neighbour, Occupancy, PassTimes, Passes, PortStatus, RealServerStatus, ReasonCount, ServiceStatus,
    Status, WorkerStatus,
};
use ulvs_config::Director;
use ulvs_engine::counters::histogram::{Spans, Step};
use ulvs_engine::counters::{Totals, WorkerCounters};
use ulvs_engine::snapshot::{DestinationStatus, Reach, ServiceStatus as EngineService};
use ulvs_engine::{DropReason, PuntReason, Shared};
use ulvs_ipvs::table::{Destination as Entry, DestinationId, Table};
use ulvs_model::{Encapsulation, Family, ForwardMethod, Netmask, Persistence, Protocol, ServiceKey};
use ulvs_worker::ports::MbufFrame;
use ulvs_worker::{Exception, Tsc};

use crate::control::Request;
use crate::devices::DirectorPort;
use crate::followed::Followed;
use crate::live::Watch;
use crate::{checks, drain, flows, ipvs, sysctls};

/// Where everything that is told comes from.
pub(crate) struct Sources {
    pub(crate) shared: Arc<Shared>,
    pub(crate) ports: Arc<[DirectorPort]>,
    pub(crate) started_ports: Arc<[StartedPort]>,
    pub(crate) exception: Arc<Exception<MbufFrame>>,
    pub(crate) flows: Arc<flows::Counts>,
    cores: Vec<usize>,
    pub(crate) clock: Tsc,
    pub(crate) control: mpsc::Sender<Request>,
    pub(crate) services: Arc<ipvs::Director>,
    pub(crate) checks: Arc<checks::Board>,
    pub(crate) sysctls: sysctls::Shown,
    pub(crate) board: Arc<ipvs::Board>,
    pub(crate) followed: watch::Receiver<Followed>,
    since: Instant,
    pub(crate) watch: Arc<Watch>,
}

/// The control task is gone: ulvsd is stopping.
#[derive(Debug)]
pub(crate) struct Stopping;

impl Sources {
    pub(crate) fn new(
        datapath: (&Arc<Shared>, &Arc<[DirectorPort]>, &Arc<[StartedPort]>),
        (exception, flows): (Arc<Exception<MbufFrame>>, Arc<flows::Counts>),
        director: &Director,
        clock: Tsc,
        control: mpsc::Sender<Request>,
        (services, checks, sysctls): (Arc<ipvs::Director>, Arc<checks::Board>, sysctls::Shown),
        (board, followed): (Arc<ipvs::Board>, watch::Receiver<Followed>),
    ) -> Self {
        let (shared, ports, started_ports) = datapath;
        Self {
            shared: Arc::clone(shared),
            ports: Arc::clone(ports),
            started_ports: Arc::clone(started_ports),
            exception,
            flows,
            cores: director.workers().cores.clone(),
            clock,
            control,
            services,
            checks,
            sysctls,
            board,
            followed,
            since: Instant::now(),
            watch: Arc::default(),
        }
    }

    /// All services, from the control task.
    pub(crate) async fn engine_services(&self) -> Result<Vec<EngineService>, Stopping> {
        let (reply, answer) = oneshot::channel();
        self.control.send(Request::Services(reply)).await.map_err(|_| Stopping)?;
        answer.await.map_err(|_| Stopping)
    }

    pub(crate) async fn services(&self) -> Result<Vec<ServiceStatus>, Stopping> {
        let services = self.engine_services().await?;
        Ok(self.services.look(|table| services.iter().map(|one| self.service(one, table)).collect()))
    }

    /// One of [`Self::engine_services`] with what the table and the checks know of it.
    pub(crate) fn service(&self, one: &EngineService, table: &Table) -> ServiceStatus {
        service(one, table, self.checks.service(one.key).as_ref())
    }

    /// What all workers have counted, of all services.
    pub(crate) fn totals(&self) -> Totals {
        self.services.datapath().totals()
    }

    fn occupancy(&self) -> Occupancy {
        let templates = self.shared.templates.all();
        Occupancy {
            capacity: self.shared.table.capacity() as u64,
            live: self.shared.connections() + templates,
            templates,
        }
    }

    pub(crate) fn status(&self) -> Status {
        let workers = self.shared.workers();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.since.elapsed().as_secs(),
            generation: workers.iter().map(|worker| worker.generation.get()).min().unwrap_or(0),
            workers: workers.iter().zip(&self.cores).enumerate().map(|(id, (w, core))| worker(id, *core, w)).collect(),
            ports: self
                .ports
                .iter()
                .zip(self.started_ports.iter())
                .map(|(port, started)| self::port(port, started))
                .collect(),
            connections: self.occupancy(),
            drops: DropReason::ALL.iter().map(|&r| count(r.label(), r.description(), self.shared.drops(r))).collect(),
            punts: PuntReason::ALL.iter().map(|&r| count(r.label(), r.description(), self.shared.punts(r))).collect(),
        }
    }
}

fn count(reason: &'static str, description: &'static str, count: u64) -> ReasonCount {
    ReasonCount { reason: reason.into(), description: description.into(), count }
}

fn worker(id: usize, core: usize, counters: &WorkerCounters) -> WorkerStatus {
    let before = |reason: &&DropReason| !reason.is_after_verdict();
    let (busy, idle) = (Spans::seconds(counters.busy_time.get()), Spans::seconds(counters.idle_time.get()));
    let busy_ratio = if busy > 0.0 { busy / (busy + idle) } else { 0.0 };
    WorkerStatus {
        id,
        core,
        generation: counters.generation.get(),
        packets_in: counters.received.get(),
        forwarded: counters.forwarded.get(),
        punted: PuntReason::ALL.iter().map(|&reason| counters.punts(reason)).sum(),
        dropped: DropReason::ALL.iter().filter(before).map(|&reason| counters.drops(reason)).sum(),
        connections: counters.connections_made.get(),
        loops: counters.loops.get(),
        busy_ratio,
        pass_times: pass_times(&counters.pass_times),
    }
}

fn pass_times(spans: &Spans) -> PassTimes {
    let micros = |seconds: f64| seconds * 1e6;
    let passes =
        |step: Step| Passes { below_us: step.below.is_finite().then(|| micros(step.below)), count: step.count };
    PassTimes { longest_us: micros(spans.longest()), passes: spans.steps().map(passes).collect() }
}

fn port(port: &DirectorPort, started: &StartedPort) -> PortStatus {
    let stats = started.stats().unwrap_or_default();
    let link = started.link().ok().filter(|_| !port.is_lost.load(Relaxed));
    PortStatus {
        name: port.settings.name.clone(),
        device: port.settings.device.to_string(),
        driver: port.driver.clone(),
        mac: ulvs_kernel::tap::Mac(port.mac).to_string(),
        mtu: port.settings.mtu,
        link_up: link.as_ref().is_some_and(|link| link.up),
        speed_mbps: link.and_then(|link| link.mbps),
        tap: port.tap.as_ref().map(|tap| tap.name().to_owned()),
        rx_packets: stats.rx_packets,
        rx_missed: stats.rx_missed,
        rx_no_mbuf: stats.rx_no_mbuf,
        tx_packets: stats.tx_packets,
        tx_dropped: stats.tx_errors,
    }
}

fn service(service: &EngineService, table: &Table, checked: Option<&checks::Row>) -> ServiceStatus {
    let id = service.key.into();
    let (entry, said) = (table.service(&id), table.file().service(&id));
    let health = |address| match checked.and_then(|row| row.real_servers.get(&address)) {
        Some((true, _)) => "up",
        Some((false, _)) => "down",
        None => "",
    };
    let ours = |one: &DestinationStatus| {
        let id = DestinationId(one.destination.address);
        let entry = entry.and_then(|entry| entry.destination(&id));
        let edited = entry.zip(said.and_then(|said| said.destination(&id))).is_some_and(|(one, said)| !one.is_as(said));
        real_server(one, entry, edited, health(one.destination.address))
    };
    // While a change is under way the workers' list is ahead of the table: each real server is in one of the two.
    let forwarded: HashSet<_> = service.destinations.iter().map(|one| one.destination.address).collect();
    let taken_out =
        entry.into_iter().flat_map(|entry| entry.destinations().rev().filter(|one| !forwarded.contains(&one.id.0)));
    let flags = service.settings.scheduler_flags.shown(service.settings.scheduler);
    ServiceStatus {
        protocol: service.key.protocol().map_or("fwm", Protocol::name).into(),
        address: address_of(service.key),
        mark: service.key.mark().map(NonZeroU32::get),
        scheduler: service.settings.scheduler.name().into(),
        flags: flags.into_iter().map(Into::into).collect(),
        owner: entry.map_or("", |entry| entry.owner().name()).into(),
        edited: entry.zip(said).is_some_and(|(entry, said)| !entry.is_as(said.spec())),
        quorum: checked.map(|row| row.has_quorum),
        persistence: service.settings.persistence.map(|persistence| persistence.timeout),
        netmask: service.settings.persistence.and_then(netmask),
        persistence_engine: service
            .settings
            .persistence
            .and_then(|persistence| persistence.engine)
            .map(|engine| engine.name().to_owned()),
        one_packet: service.settings.one_packet,
        counters: counters(service.totals),
        real_servers: service
            .destinations
            .iter()
            .map(ours)
            .chain(taken_out.filter_map(|one| not_forwarded(one, health(one.id.0))))
            .collect(),
    }
}

/// A service's virtual address and port; where there is none, that of no host, which tells the family.
pub(crate) fn address_of(service: ServiceKey) -> SocketAddr {
    match service {
        ServiceKey::Address { address, .. } => address,
        ServiceKey::Mark { family: Family::V4, .. } => (Ipv4Addr::UNSPECIFIED, 0).into(),
        ServiceKey::Mark { family: Family::V6, .. } => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn real_server(
    status: &DestinationStatus,
    entry: Option<&Entry>,
    edited: bool,
    health: &'static str,
) -> RealServerStatus {
    let weight = status.destination.weight.get();
    let tunnel = tunnel(status.destination.method, status.destination.encapsulation);
    RealServerStatus {
        address: status.destination.address,
        method: status.destination.method.name().into(),
        tun_type: tunnel.map(|tunnel| tunnel.kind().name().into()),
        tun_port: tunnel.and_then(Encapsulation::port),
        tun_checksum: tunnel.and_then(checksum),
        weight: weight.unsigned_abs(),
        configured_weight: entry.map_or(weight, |entry| entry.settings.weight).unsigned_abs(),
        forwarded: true,
        health: health.into(),
        drain: entry.map(|entry| drain::of_table(entry.hold.drain)).unwrap_or_default(),
        removal: entry.and_then(|entry| drain::removal_of(entry.hold.drain)),
        upper_threshold: status.destination.thresholds.upper(),
        lower_threshold: status.destination.thresholds.lower(),
        overloaded: status.load.overloaded,
        active_connections: status.load.active.into(),
        inactive_connections: status.load.inactive().into(),
        owner: entry.map_or("", |entry| entry.owner.name()).into(),
        edited,
        persistent_clients: status.templates,
        neighbour: match status.reach {
            Reach::Resolved | Reach::Local => Neighbour::Resolved,
            Reach::Unresolved => Neighbour::Unresolved,
            Reach::NoRoute => Neighbour::NoRoute,
        },
        counters: counters(status.totals),
    }
}

/// A real server that is taken out; absent if the director could not forward to it anyway.
fn not_forwarded(entry: &Entry, health: &'static str) -> Option<RealServerStatus> {
    let method = ForwardMethod::from_code(entry.settings.method)?;
    let tunnel = entry.settings.tunnel.encapsulation().and_then(|known| tunnel(method, known));
    Some(RealServerStatus {
        address: entry.id.0,
        method: method.name().into(),
        tun_type: tunnel.map(|tunnel| tunnel.kind().name().into()),
        tun_port: tunnel.and_then(Encapsulation::port),
        tun_checksum: tunnel.and_then(checksum),
        weight: 0,
        configured_weight: entry.settings.weight.unsigned_abs(),
        forwarded: false,
        health: health.into(),
        drain: drain::of_table(entry.hold.drain),
        removal: drain::removal_of(entry.hold.drain),
        upper_threshold: entry.settings.upper,
        lower_threshold: entry.settings.lower,
        overloaded: false,
        active_connections: 0,
        inactive_connections: 0,
        persistent_clients: 0,
        owner: entry.owner.name().into(),
        edited: false,
        neighbour: Neighbour::Unresolved,
        counters: Counters::default(),
    })
}

/// What packets travel in, if they do.
fn tunnel(method: ForwardMethod, encapsulation: Encapsulation) -> Option<Encapsulation> {
    (method == ForwardMethod::Tun).then_some(encapsulation)
}

/// Of what may have one.
fn checksum(tunnel: Encapsulation) -> Option<ulvs_api::Name> {
    (tunnel != Encapsulation::IpIp).then(|| tunnel.checksum().name().into())
}

/// The netmask, if clients are not taken one by one.
fn netmask(persistence: Persistence) -> Option<String> {
    match persistence.netmask {
        Netmask::HOST_V4 | Netmask::HOST_V6 => None,
        Netmask::V4(mask) => Some(mask.to_string()),
        Netmask::V6(length) => Some(length.to_string()),
    }
}

fn counters(totals: Totals) -> Counters {
    Counters {
        connections: totals.connections,
        packets_in: totals.packets_in,
        packets_out: totals.packets_out,
        bytes_in: totals.bytes_in,
        bytes_out: totals.bytes_out,
    }
}
