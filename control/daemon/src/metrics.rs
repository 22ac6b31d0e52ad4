//! `/metrics` for Prometheus. Everything is read when it is scraped; nothing is kept for it.

mod checks;
mod histogram;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use dpdk::port::PortStats;
use prometheus::core::{Collector, GenericCounterVec, GenericGaugeVec};
use prometheus::{Encoder, GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use tokio::net::TcpListener;
use ulvs_engine::counters::Totals;
use ulvs_engine::snapshot::{DestinationStatus, PortId, ServiceStatus};
use ulvs_engine::{DropReason, PuntReason, Shared};
use ulvs_model::ServiceKey;
use ulvs_worker::TapCounters;

use self::histogram::Histograms;
use crate::http;
use crate::status::{Sources, address_of};

/// Answers until it is aborted.
pub(crate) async fn serve(listener: TcpListener, sources: Arc<Sources>) {
    let router = Router::new().route("/metrics", get(scrape)).route("/", get(index)).with_state(sources);
    http::serve(listener, router, |_| ()).await;
}

async fn index() -> &'static str {
    "ulvsd: metrics for Prometheus are at /metrics\n"
}

async fn scrape(State(sources): State<Arc<Sources>>) -> Response {
    let Ok(services) = sources.engine_services().await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "ulvsd is stopping\n").into_response();
    };
    match page(&sources, &services) {
        Ok(page) => ([(header::CONTENT_TYPE, TextEncoder::new().format_type().to_owned())], page).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// The metrics page.
fn page(sources: &Sources, services: &[ServiceStatus]) -> prometheus::Result<Vec<u8>> {
    let registry = Registry::new();
    let ports = sources.ports.iter().zip(sources.started_ports.iter()).map(|(port, started)| {
        let up = started.link().is_ok_and(|link| link.up);
        (port.settings.name.as_str(), started.stats().unwrap_or_default(), up)
    });
    let taps = sources.ports.iter().zip(0..).filter(|(port, _)| port.tap.is_some());
    let taps =
        taps.filter_map(|(port, id)| Some((port.settings.name.as_str(), sources.exception.counters(PortId(id))?)));
    gather(&registry, &sources.shared, ports, taps, services)?;
    let watched = sources.checks.watched().into_iter().map(|(watched, _)| watched);
    checks::gather(&registry, watched, sources.checks.services().into_iter())?;
    let mut page = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut page)?;
    Ok(page)
}

/// Puts every metric there is into `registry`. `ports` are names, counters, and whether there is a link; `taps` are
/// names of ports, and counters.
fn gather<'a>(
    registry: &Registry,
    shared: &Shared,
    ports: impl Iterator<Item = (&'a str, PortStats, bool)>,
    taps: impl Iterator<Item = (&'a str, &'a TapCounters)>,
    services: &[ServiceStatus],
) -> prometheus::Result<()> {
    director(registry, shared)?;
    workers(registry, shared)?;
    self::ports(registry, ports)?;
    self::taps(registry, taps)?;
    self::services(registry, services)?;
    real_servers(registry, services)
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    register(registry, GenericCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    register(registry, GenericGaugeVec::new(Opts::new(name, help), labels)?)
}

fn gauge(registry: &Registry, name: &str, help: &str, value: u64) -> prometheus::Result<()> {
    register(registry, IntGauge::new(name, help)?)?.set(value.cast_signed());
    Ok(())
}

fn director(registry: &Registry, shared: &Shared) -> prometheus::Result<()> {
    let info = gauges(registry, "ulvs_build_info", "Version of ulvsd; always 1.", &["version"])?;
    info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    gauge(registry, "ulvs_connections", "Connections in the table.", shared.connections())?;
    let templates = shared.templates.all();
    gauge(registry, "ulvs_connection_templates", "Clients remembered for persistence, in the same table.", templates)?;
    let capacity = shared.table.capacity() as u64;
    gauge(registry, "ulvs_connections_capacity", "The most connections the table holds.", capacity)?;
    gauge(registry, "ulvs_connection_table_bytes", "Memory of the connection table.", shared.table.bytes() as u64)
}

fn workers(registry: &Registry, shared: &Shared) -> prometheus::Result<()> {
    let of_worker = |name: &str, help: &str| counters(registry, name, help, &["worker"]);
    let received = of_worker("ulvs_worker_packets_received_total", "Packets received from ports.")?;
    let forwarded = of_worker("ulvs_worker_packets_forwarded_total", "Packets sent on to a real server or client.")?;
    let errors = of_worker("ulvs_worker_icmp_errors_sent_total", "ICMP errors sent.")?;
    let made = of_worker("ulvs_worker_connections_made_total", "Connections made.")?;
    let ended = of_worker("ulvs_worker_connections_ended_total", "Connections ended.")?;
    let loops = of_worker("ulvs_worker_loops_total", "Passes of the poll loop.")?;
    let busy = of_worker("ulvs_worker_busy_loops_total", "Passes of the poll loop that found packets.")?;
    let drops =
        counters(registry, "ulvs_worker_packets_dropped_total", "Packets dropped, by reason.", &["worker", "reason"])?;
    let punts = counters(
        registry,
        "ulvs_worker_packets_punted_total",
        "Packets handed to the kernel, by reason.",
        &["worker", "reason"],
    )?;
    passes(registry, shared)?;
    let generations =
        gauges(registry, "ulvs_worker_snapshot_generation", "Generation of the snapshot in use.", &["worker"])?;
    for (id, worker) in shared.workers().iter().enumerate() {
        let id = id.to_string();
        let id = id.as_str();
        received.with_label_values(&[id]).inc_by(worker.received.get());
        forwarded.with_label_values(&[id]).inc_by(worker.forwarded.get());
        errors.with_label_values(&[id]).inc_by(worker.icmp_errors.get());
        made.with_label_values(&[id]).inc_by(worker.connections_made.get());
        ended.with_label_values(&[id]).inc_by(worker.connections_ended.get());
        loops.with_label_values(&[id]).inc_by(worker.loops.get());
        busy.with_label_values(&[id]).inc_by(worker.busy_loops.get());
        generations.with_label_values(&[id]).set(worker.generation.get().cast_signed());
        for &reason in DropReason::ALL {
            drops.with_label_values(&[id, reason.label()]).inc_by(worker.drops(reason));
        }
        for &reason in PuntReason::ALL {
            punts.with_label_values(&[id, reason.label()]).inc_by(worker.punts(reason));
        }
    }
    Ok(())
}

/// How long passes take, and how many packets a port has at a time.
fn passes(registry: &Registry, shared: &Shared) -> prometheus::Result<()> {
    let help = "How long passes of the poll loop took, while the worker's core did other things included.";
    let mut times = Histograms::new("ulvs_worker_pass_seconds", help, "worker")?;
    let mut bursts =
        Histograms::new("ulvs_worker_burst_packets", "Packets a port had for the worker at a time.", "worker")?;
    let help = "The longest pass of the poll loop.";
    let longest = register(registry, GaugeVec::new(Opts::new("ulvs_worker_longest_pass_seconds", help), &["worker"])?)?;
    for (id, worker) in shared.workers().iter().enumerate() {
        let id = id.to_string();
        #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
        let packets = worker.received.get() as f64;
        let (buckets, beyond) = histogram::spans(&worker.pass_times);
        times.add(&id, &buckets, beyond, worker.pass_times.sum());
        bursts.add(&id, &histogram::sizes(&worker.bursts), 0, packets);
        longest.with_label_values(&[&id]).set(worker.pass_times.longest());
    }
    times.register(registry)?;
    bursts.register(registry)
}

fn ports<'a>(registry: &Registry, ports: impl Iterator<Item = (&'a str, PortStats, bool)>) -> prometheus::Result<()> {
    let of_port = |name: &str, help: &str| counters(registry, name, help, &["port"]);
    let received = of_port("ulvs_port_packets_received_total", "Packets the port received.")?;
    let sent = of_port("ulvs_port_packets_sent_total", "Packets the port sent.")?;
    let missed = of_port("ulvs_port_packets_missed_total", "Packets lost because the port's queues were full.")?;
    let no_mbuf = of_port("ulvs_port_no_buffer_total", "Packets lost for want of a packet buffer.")?;
    let up = gauges(registry, "ulvs_port_up", "1 while the port has a link.", &["port"])?;
    for (name, stats, has_link) in ports {
        let labels = [name];
        received.with_label_values(&labels).inc_by(stats.rx_packets);
        sent.with_label_values(&labels).inc_by(stats.tx_packets);
        missed.with_label_values(&labels).inc_by(stats.rx_missed);
        no_mbuf.with_label_values(&labels).inc_by(stats.rx_no_mbuf);
        up.with_label_values(&labels).set(i64::from(has_link));
    }
    Ok(())
}

fn taps<'a>(registry: &Registry, taps: impl Iterator<Item = (&'a str, &'a TapCounters)>) -> prometheus::Result<()> {
    let of_tap = |name: &str, help: &str| counters(registry, name, help, &["port"]);
    let to_kernel = of_tap("ulvs_tap_packets_to_kernel_total", "Punted packets the kernel took.")?;
    let refused =
        of_tap("ulvs_tap_packets_refused_total", "Punted packets the kernel did not take: the TAP is down or gone.")?;
    let from_kernel = of_tap("ulvs_tap_packets_from_kernel_total", "Packets the kernel sent.")?;
    let lost = of_tap("ulvs_tap_packets_lost_total", "Packets of the kernel's lost for want of a buffer or of room.")?;
    for (name, tap) in taps {
        let labels = [name];
        to_kernel.with_label_values(&labels).inc_by(tap.to_kernel.load(Relaxed));
        refused.with_label_values(&labels).inc_by(tap.refused.load(Relaxed));
        from_kernel.with_label_values(&labels).inc_by(tap.from_kernel.load(Relaxed));
        lost.with_label_values(&labels).inc_by(tap.lost.load(Relaxed));
    }
    Ok(())
}

/// IPVS's five counters, for services or real servers.
struct Traffic([IntCounterVec; 5]);

impl Traffic {
    fn new(registry: &Registry, of: &str, whose: &str, labels: &[&str]) -> prometheus::Result<Self> {
        let metric = |name: &str, help: &str| {
            counters(registry, &format!("ulvs_{of}_{name}_total"), &format!("{help} {whose}."), labels)
        };
        Ok(Self([
            metric("connections", "Connections scheduled to")?,
            metric("incoming_packets", "Packets from clients to")?,
            metric("outgoing_packets", "Packets to clients from")?,
            metric("incoming_bytes", "Bytes of IP packets from clients to")?,
            metric("outgoing_bytes", "Bytes of IP packets to clients from")?,
        ]))
    }

    fn set(&self, labels: &[&str], totals: Totals) {
        let values = [totals.connections, totals.packets_in, totals.packets_out, totals.bytes_in, totals.bytes_out];
        for (metric, value) in self.0.iter().zip(values) {
            metric.with_label_values(labels).inc_by(value);
        }
    }
}

const SERVICE: [&str; 4] = ["proto", "local_address", "local_port", "local_mark"];
const REAL_SERVER: [&str; 6] = ["proto", "local_address", "local_port", "local_mark", "remote_address", "remote_port"];

fn service_labels(service: &ServiceStatus) -> [String; 4] {
    key_labels(service.key)
}

/// As Prometheus's `node_exporter` names them; without a mark the label is empty, which is as if it were not there.
fn key_labels(key: ServiceKey) -> [String; 4] {
    let address = address_of(key);
    let protocol = key.protocol().map_or_else(|| "FWM".to_owned(), |protocol| protocol.name().to_uppercase());
    let mark = key.mark().map_or_else(String::new, |mark| mark.to_string());
    [protocol, address.ip().to_string(), address.port().to_string(), mark]
}

fn services(registry: &Registry, services: &[ServiceStatus]) -> prometheus::Result<()> {
    let traffic = Traffic::new(registry, "service", "the service", &SERVICE)?;
    let sizes = gauges(registry, "ulvs_service_real_servers", "Real servers of the service.", &SERVICE)?;
    for service in services {
        let labels = service_labels(service);
        let labels = labels.each_ref().map(String::as_str);
        traffic.set(&labels, service.totals);
        sizes.with_label_values(&labels).set(service.destinations.len().cast_signed() as i64);
    }
    Ok(())
}

fn real_servers(registry: &Registry, services: &[ServiceStatus]) -> prometheus::Result<()> {
    let traffic = Traffic::new(registry, "real_server", "the real server", &REAL_SERVER)?;
    let of_server = |name: &str, help: &str| gauges(registry, name, help, &REAL_SERVER);
    let active = of_server("ulvs_real_server_active_connections", "Connections in an active state.")?;
    let inactive = of_server("ulvs_real_server_inactive_connections", "Connections in other states.")?;
    let clients =
        of_server("ulvs_real_server_persistent_clients", "Clients remembered that are to keep the real server.")?;
    let weight = of_server("ulvs_real_server_weight", "Share of new connections; 0: quiescent.")?;
    let overloaded =
        of_server("ulvs_real_server_overloaded", "1 while the real server has reached its upper threshold.")?;
    let set = |labels: &[&str; 6], status: &DestinationStatus| {
        traffic.set(labels, status.totals);
        active.with_label_values(labels).set(status.load.active.into());
        inactive.with_label_values(labels).set(status.load.inactive().into());
        clients.with_label_values(labels).set(status.templates.cast_signed());
        weight.with_label_values(labels).set(status.destination.weight.get().into());
        overloaded.with_label_values(labels).set(status.load.overloaded.into());
    };
    for service in services {
        let [proto, local, port, mark] = service_labels(service);
        for status in &service.destinations {
            let address = status.destination.address;
            let (remote, remote_port) = (address.ip().to_string(), address.port().to_string());
            set(&[&proto, &local, &port, &mark, &remote, &remote_port], status);
        }
    }
    Ok(())
}
