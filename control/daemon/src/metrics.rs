//! `/metrics` for Prometheus. Everything is read when it is scraped; nothing is kept for it.

mod checks;
mod files;
mod flows;
mod histogram;
mod node;
mod ports;
mod scope;
mod services;
#[cfg(test)]
mod tests;
mod text;
mod threads;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use prometheus::core::{Collector, GenericCounterVec, GenericGaugeVec};
use prometheus::{CounterVec, Encoder, GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use ulvs_engine::counters::histogram::Spans;
use ulvs_engine::snapshot::{PortId, ServiceStatus};
use ulvs_engine::{DropReason, PuntReason, Shared};

use self::histogram::Histograms;
use self::ports::PortRow;
use self::scope::{Asked, Scope};
use self::text::Text;
use crate::followed::Followed;
use crate::http;
use crate::status::Sources;

/// Pages that are written at a time: of many services each takes its memory. The next ones wait.
static SCRAPES: Semaphore = Semaphore::const_new(2);
/// Pieces of a page that wait for its reader.
const AHEAD: usize = 4;
/// How long a piece waits for a reader that does not read: then the page ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers until it is aborted.
pub(crate) async fn serve(listener: TcpListener, sources: Arc<Sources>) {
    let router = Router::new().route("/metrics", get(scrape)).route("/", get(index)).with_state(sources);
    http::serve(listener, router, |_| ()).await;
}

async fn index() -> &'static str {
    "ulvsd: metrics for Prometheus are at /metrics\n"
}

/// The page, for Prometheus and for the API. It is written aside from the control task's thread, as fast as it is read.
pub(crate) async fn scrape(
    State(sources): State<Arc<Sources>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let followed = sources.followed.borrow().clone();
    let asked = asked.map_err(|error| error.body_text());
    let scope = match asked.and_then(|Query(asked)| Scope::of(&asked, &followed.metrics)) {
        Ok(scope) => scope,
        Err(sentence) => return (StatusCode::BAD_REQUEST, format!("{sentence}\n")).into_response(),
    };
    let Ok(turn) = SCRAPES.acquire().await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "ulvsd is stopping\n").into_response();
    };
    let services = if scope.needs_services() { sources.engine_services().await } else { Ok(Vec::new()) };
    let Ok(services) = services else {
        return (StatusCode::SERVICE_UNAVAILABLE, "ulvsd is stopping\n").into_response();
    };
    let (sender, pieces) = mpsc::channel::<String>(AHEAD);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut take =
            |piece| runtime.block_on(async { matches!(timeout(PATIENCE, sender.send(piece)).await, Ok(Ok(()))) });
        let mut text = Text::new(&mut take);
        if let Err(error) = write(&mut text, &sources, &scope, &followed, &services) {
            tracing::error!("metrics can't be told: {error}");
        }
        text.end();
    });
    let pieces = stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        Some((Ok::<_, Infallible>(piece), pieces))
    });
    ([(header::CONTENT_TYPE, TextEncoder::new().format_type().to_owned())], Body::from_stream(pieces)).into_response()
}

/// The page.
fn write(
    text: &mut Text<'_>,
    sources: &Sources,
    scope: &Scope,
    followed: &Followed,
    services: &[ServiceStatus],
) -> prometheus::Result<()> {
    let registry = Registry::new();
    director(&registry, &sources.shared)?;
    files::gather(&registry, followed)?;
    workers(&registry, &sources.shared)?;
    cycles(&registry, &sources.shared, |span| sources.clock.cycles_of(span))?;
    threads::gather(&registry, &threads::of_workers())?;
    flows::gather(&registry, &sources.shared, &sources.flows)?;
    let rows = sources.ports.iter().zip(sources.started_ports.iter()).map(|(port, started)| PortRow {
        name: port.settings.name.as_str(),
        stats: started.stats().unwrap_or_default(),
        has_link: !port.is_lost.load(Relaxed) && started.link().is_ok_and(|link| link.up),
        xstats: started.xstats().unwrap_or_default(),
    });
    ports::gather(&registry, rows)?;
    let taps = sources.ports.iter().zip(0..).filter(|(port, _)| port.tap.is_some());
    let taps =
        taps.filter_map(|(port, id)| Some((port.settings.name.as_str(), sources.exception.counters(PortId(id))?)));
    ports::taps(&registry, taps)?;
    checks::gather(&registry, sources.checks.watched().into_iter().map(|(watched, _)| watched))?;
    text.add(&TextEncoder::new().encode_to_string(&registry.gather())?);
    services::write(text, scope, services);
    services::write_health(text, scope, sources.checks.services().into_iter());
    node::write(text, scope, &sources.board.all(), services);
    Ok(())
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
    let help = "Connections and templates ended before their time, by the sysctl that had them ended.";
    let early = counters(registry, "ulvs_worker_connections_evicted_total", help, &["worker", "reason"])?;
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
        early.with_label_values(&[id, "drop_entry"]).inc_by(worker.evicted.get());
        early.with_label_values(&[id, "expire_nodest_conn"]).inc_by(worker.orphaned.get());
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

/// What workers did with their cores' time, in cycles of the time-stamp counter.
fn cycles(registry: &Registry, shared: &Shared, of: impl Fn(u64) -> u64) -> prometheus::Result<()> {
    let of_worker = |name: &str, help: &str| counters(registry, name, help, &["worker"]);
    let help = "Cycles of the time-stamp counter in passes of the poll loop that found packets.";
    let busy = of_worker("ulvs_worker_busy_cycles_total", help)?;
    let help = "Cycles of the time-stamp counter in passes of the poll loop that found none; sleep is not among them.";
    let idle = of_worker("ulvs_worker_idle_cycles_total", help)?;
    for (id, worker) in shared.workers().iter().enumerate() {
        let id = id.to_string();
        busy.with_label_values(&[&id]).inc_by(of(worker.busy_time.get()));
        idle.with_label_values(&[&id]).inc_by(of(worker.idle_time.get()));
    }
    Ok(())
}

/// How long passes take, and how many packets a port has at a time.
fn passes(registry: &Registry, shared: &Shared) -> prometheus::Result<()> {
    let help = "How long passes of the poll loop took, while the worker's core did other things included.";
    let mut times = Histograms::new("ulvs_worker_pass_seconds", help, "worker")?;
    let mut bursts =
        Histograms::new("ulvs_worker_burst_packets", "Packets a port had for the worker at a time.", "worker")?;
    let help = "Time in passes of the poll loop that found packets.";
    let busy = register(registry, CounterVec::new(Opts::new("ulvs_worker_busy_seconds_total", help), &["worker"])?)?;
    let help = "The longest pass of the poll loop.";
    let longest = register(registry, GaugeVec::new(Opts::new("ulvs_worker_longest_pass_seconds", help), &["worker"])?)?;
    for (id, worker) in shared.workers().iter().enumerate() {
        let id = id.to_string();
        #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
        let packets = worker.received.get() as f64;
        let (buckets, beyond) = histogram::spans(&worker.pass_times);
        times.add(&id, &buckets, beyond, worker.pass_times.sum());
        bursts.add(&id, &histogram::sizes(&worker.bursts), 0, packets);
        busy.with_label_values(&[&id]).inc_by(Spans::seconds(worker.busy_time.get()));
        longest.with_label_values(&[&id]).set(worker.pass_times.longest());
    }
    times.register(registry)?;
    bursts.register(registry)
}
