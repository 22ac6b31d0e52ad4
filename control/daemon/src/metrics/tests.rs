//! docs/metrics.md is written from the code, and the same.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Instant, SystemTime};
use std::{env, fs};

use dpdk::port::PortStats;
use ulvs_checks::Watched;
use ulvs_checks::probe::Target;
use ulvs_config::{Digest, Metrics, MetricsLevel};
use ulvs_engine::Capacity;
use ulvs_engine::snapshot::Compiler;
use ulvs_ipvs::Stats;
use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Protocol, SchedulerKind, Service, ServiceKey, Thresholds, Weight,
};
use ulvs_worker::TapCounters;

use super::*;
use crate::checks::Row;

const INTRODUCTION: &str = "\
# Metrics

<!-- Written from the code: UPDATE_EXPECTED=1 cargo test -p ulvs-daemon metrics -->

ulvsd serves these for Prometheus at `/metrics` of the address `listen` in `[metrics]`, by default
`http://127.0.0.1:9477/metrics`; `ulvsctl metrics` prints the same page. All are read when they are asked for; a scrape takes
nothing from the workers. Counters begin with 0 when ulvsd starts.

`level` in `[metrics]` says how much of services is told, and `?scope=` (or `ulvsctl metrics --scope`) says so for one request:

| level | tells |
|---|---|
| `global` | the director, workers, ports and checks; the sums of all services |
| `service` (default) | also each service |
| `real` | also each real server of each service |

Services in `services` of `[metrics]`, as `\"tcp 192.0.2.100:80\"`, are told with their real servers whatever `level` says.
";

const DROPS: &str = "
## Why packets are dropped

The label `reason` of `ulvs_worker_packets_dropped_total`. Those marked * were to be forwarded or handed to the kernel, were
counted so, and then got lost; the packets a worker received are the sum of those it forwarded, handed to the kernel, and
dropped for the other reasons, but for the few that wait for a neighbour at this moment.

| reason | meaning |
|---|---|
";

const PUNTS: &str = "
## Why packets are handed to the kernel

The label `reason` of `ulvs_worker_packets_punted_total`.

| reason | meaning |
|---|---|
";

/// The page of a director with one of everything, so that every metric has a value.
fn page() -> String {
    let capacity = Capacity { connections: 1024, destinations: 4, workers: 1 };
    let shared = Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap());
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let key = ServiceKey::new(Protocol::Tcp, address("192.0.2.100:80"));
    let mut service = Service::new(key, SchedulerKind::Rr).unwrap();
    let address = address("10.0.0.11:80");
    service.add(destination(address)).unwrap();
    let mut compiler = Compiler::new(Arc::clone(&shared));
    compiler.add_service(&service).unwrap();
    let registry = Registry::new();
    let scope = Scope::of(&Asked::default(), &Metrics { level: MetricsLevel::Real, ..Metrics::default() }).unwrap();
    director(&registry, &shared).unwrap();
    let (metrics, digest) = (Metrics::default(), Digest([0; 16]));
    files::gather(&registry, &Followed { metrics, digest, at: SystemTime::now(), is_current: true }).unwrap();
    workers(&registry, &shared).unwrap();
    cycles(&registry, &shared, |span| span).unwrap();
    threads::gather(&registry, &[threads::Thread::default()]).unwrap();
    flows::gather(&registry, &shared, &crate::flows::Counts::default()).unwrap();
    let xstats = vec![("rx_good_packets".to_owned(), 0)];
    let port = PortRow { name: "wan", stats: PortStats::default(), has_link: true, xstats };
    ports::gather(&registry, std::iter::once(port)).unwrap();
    ports::taps(&registry, std::iter::once(("wan", &TapCounters::default()))).unwrap();
    checks::gather(&registry, std::iter::once(watched())).unwrap();
    let mut page = String::new();
    let mut take = |piece: String| {
        page.push_str(&piece);
        true
    };
    let mut text = Text::new(&mut take);
    text.add(&TextEncoder::new().encode_to_string(&registry.gather()).unwrap());
    let services = compiler.services();
    services::write(&mut text, &scope, &services);
    let row = Row { real_servers: [(address, (true, 1))].into(), ..Row::default() };
    services::write_health(&mut text, &scope, std::iter::once((key, row)));
    node::write(&mut text, &scope, &Stats::default(), &services);
    text.end();
    page
}

/// A metric as the page has it.
struct Family {
    name: String,
    help: String,
    kind: String,
    labels: Vec<String>,
}

/// All of the page, by their names.
fn families() -> Vec<Family> {
    let page = page();
    let mut families: Vec<Family> = Vec::new();
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            let (name, help) = (name.to_owned(), help.to_owned());
            families.push(Family { name, help, kind: String::new(), labels: Vec::new() });
            continue;
        }
        let family = families.last_mut().unwrap();
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            family.kind = kind.rsplit(' ').next().unwrap().to_owned();
        } else if let Some((_, labels)) = line.split_once('{').filter(|_| family.labels.is_empty()) {
            let names = labels.split("\",").filter_map(|label| label.split_once("=\"")).map(|(name, _)| name);
            family.labels = names.filter(|name| *name != "le").map(str::to_owned).collect();
        }
    }
    families.sort_by(|one, other| one.name.cmp(&other.name));
    families
}

/// A check that runs.
fn watched() -> Arc<Watched> {
    let file = "[workers]\ncores = [1]\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[check.web]\ntype = \"tcp\"\n";
    let check = ulvs_config::Director::parse(file).unwrap().checks()[0].clone();
    let target = Target { address: ([10, 0, 0, 11], 80).into(), service: None, through: None };
    Arc::new(Watched::new(Arc::new(check), target))
}

fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    let groups = [
        ("Director", "ulvs_"),
        ("Workers", "ulvs_worker_"),
        ("Ports", "ulvs_port_"),
        ("TAP twins", "ulvs_tap_"),
        ("Health checks", "ulvs_check_"),
        ("Services", "ulvs_service_"),
        ("Real servers", "ulvs_real_server_"),
        ("As node_exporter names them", "node_ipvs_"),
    ];
    let families = families();
    let group_of = |name: &str| groups.iter().rposition(|(_, prefix)| name.starts_with(prefix)).unwrap();
    for (at, (title, _)) in groups.iter().enumerate() {
        if !families.iter().any(|family| group_of(&family.name) == at) {
            continue;
        }
        write!(text, "\n## {title}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n").unwrap();
        for Family { name, help, kind, labels } in families.iter().filter(|family| group_of(&family.name) == at) {
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(" ")).unwrap();
        }
    }
    text += DROPS;
    for reason in DropReason::ALL {
        let mark = if reason.is_after_verdict() { " *" } else { "" };
        writeln!(text, "| `{}`{mark} | {} |", reason.label(), reason.description()).unwrap();
    }
    text += PUNTS;
    for reason in PuntReason::ALL {
        writeln!(text, "| `{}` | {} |", reason.label(), reason.description()).unwrap();
    }
    text
}

#[test]
fn the_documentation_tells_every_metric() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let document = document();
    if env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&file, document).unwrap();
        return;
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == document,
        "docs/metrics.md is not what the code says: UPDATE_EXPECTED=1 cargo test -p ulvs-daemon metrics"
    );
}

/// How long it takes: `cargo test --release -p ulvs-daemon metrics -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn many_real_servers() {
    const SERVICES: u32 = 10_000;
    const EACH: u32 = 10;
    let capacity = Capacity { connections: 1024, destinations: SERVICES * EACH, workers: 2 };
    let mut compiler = Compiler::new(Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap()));
    for number in 0..SERVICES {
        let address = SocketAddr::new(Ipv4Addr::from_bits(0xc612_0000 + number).into(), 80);
        let mut service = Service::new(ServiceKey::new(Protocol::Tcp, address), SchedulerKind::Rr).unwrap();
        for at in 0..EACH {
            let address = SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + number * EACH + at).into(), 8080);
            service.add(destination(address)).unwrap();
        }
        compiler.add_service(&service).unwrap();
    }
    let scope = Scope::of(&Asked::default(), &Metrics { level: MetricsLevel::Real, ..Metrics::default() }).unwrap();
    for _ in 0..3 {
        let began = Instant::now();
        let services = compiler.services();
        let listed = began.elapsed();
        let mut bytes = 0;
        let mut take = |piece: String| {
            bytes += piece.len();
            true
        };
        let mut text = Text::new(&mut take);
        services::write(&mut text, &scope, &services);
        node::write(&mut text, &scope, &Stats::default(), &services);
        text.end();
        println!("listed in {listed:?}, written in {:?}: {bytes} bytes", began.elapsed().saturating_sub(listed));
    }
}

fn destination(address: SocketAddr) -> Destination {
    let (encapsulation, weight) = (Encapsulation::default(), Weight::default());
    Destination { address, method: ForwardMethod::Nat, encapsulation, weight, thresholds: Thresholds::default() }
}
