//! docs/metrics.md is written from the code, and the same.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::{env, fs};

use prometheus::proto::{MetricFamily, MetricType};
use ulvs_checks::Watched;
use ulvs_checks::probe::Target;
use ulvs_engine::Capacity;
use ulvs_engine::snapshot::Compiler;
use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Protocol, SchedulerKind, Service, ServiceKey, Thresholds, Weight,
};

use super::*;
use crate::checks::Row;

const INTRODUCTION: &str = "\
# Metrics

<!-- Written from the code: UPDATE_EXPECTED=1 cargo test -p ulvs-daemon metrics -->

ulvsd serves these for Prometheus at `/metrics` of the address `listen` in `[metrics]`, by default
`http://127.0.0.1:9477/metrics`. All are read when they are asked for; a scrape takes nothing from the workers. Counters begin
with 0 when ulvsd starts.
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

/// A director with one of everything, so that every metric has a value.
fn families() -> Vec<MetricFamily> {
    let capacity = Capacity { connections: 1024, destinations: 4, workers: 1 };
    let shared = Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap());
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let key = ServiceKey::new(Protocol::Tcp, address("192.0.2.100:80"));
    let mut service = Service::new(key, SchedulerKind::Rr).unwrap();
    let (address, method) = (address("10.0.0.11:80"), ForwardMethod::Nat);
    service
        .add(Destination {
            address,
            method,
            encapsulation: Encapsulation::default(),
            weight: Weight::default(),
            thresholds: Thresholds::default(),
        })
        .unwrap();
    let mut compiler = Compiler::new(Arc::clone(&shared));
    compiler.add_service(&service).unwrap();
    let registry = Registry::new();
    let ports = [("wan", PortStats::default(), true)];
    let taps = [("wan", &TapCounters::default())];
    gather(&registry, &shared, ports.into_iter(), taps.into_iter(), &compiler.services()).unwrap();
    let row = Row { real_servers: [(address, (true, 1))].into(), ..Row::default() };
    checks::gather(&registry, std::iter::once(watched()), std::iter::once((key, row))).unwrap();
    registry.gather()
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
    ];
    let families = families();
    let group_of = |name: &str| groups.iter().rposition(|(_, prefix)| name.starts_with(prefix)).unwrap();
    for (at, (title, _)) in groups.iter().enumerate() {
        if !families.iter().any(|family| group_of(family.name()) == at) {
            continue;
        }
        write!(text, "\n## {title}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n").unwrap();
        for family in families.iter().filter(|family| group_of(family.name()) == at) {
            let labels: Vec<_> = family.get_metric()[0].get_label().iter().map(|l| format!("`{}`", l.name())).collect();
            let kind = match family.get_field_type() {
                MetricType::COUNTER => "counter",
                MetricType::HISTOGRAM => "histogram",
                _ => "gauge",
            };
            writeln!(text, "| `{}` | {kind} | {} | {} |", family.name(), labels.join(" "), family.help()).unwrap();
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
