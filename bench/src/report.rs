//! Results for people and for programs.

use std::fmt::Write as _;
use std::process::Command;

use serde::Serialize;

use crate::stall::Stall;

/// What was measured of a scenario. Times are nanoseconds of worker CPU time; what has no meaning is null.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) scenario: String,
    /// The median of the repeats, with what makes the packets.
    pub(crate) ns_per_packet: f64,
    /// `dpdk-testpmd` on the same packets, measured in turn.
    pub(crate) limit_ns_per_packet: Option<f64>,
    /// The generator alone, measured in turn.
    pub(crate) source_ns_per_packet: Option<f64>,
    pub(crate) repeats: usize,
    /// From the least to the most of the repeats.
    pub(crate) spread: [f64; 2],
    pub(crate) bytes_per_connection: Option<f64>,
    pub(crate) max_loop_us: Option<f64>,
    /// What long passes there were while the control side worked, and what there is of that without it.
    pub(crate) stall: Option<Stall>,
    pub(crate) machine: String,
    pub(crate) commit: String,
    /// What else there is to say, for people.
    #[serde(skip)]
    pub(crate) notes: Vec<String>,
}

impl Measured {
    /// Of these repeats.
    pub(crate) fn new(scenario: &str, mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let (least, most) = (times.first().copied().unwrap_or(0.0), times.last().copied().unwrap_or(0.0));
        Self {
            scenario: scenario.to_owned(),
            repeats: times.len(),
            spread: [least, most],
            ns_per_packet: median(times),
            limit_ns_per_packet: None,
            source_ns_per_packet: None,
            bytes_per_connection: None,
            max_loop_us: None,
            stall: None,
            machine: machine(),
            commit: commit(),
            notes: Vec::new(),
        }
    }
}

/// The middle one; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// All results as a document.
pub(crate) fn markdown(results: &[Measured]) -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
    let load = read("/proc/loadavg");
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(", ");
    let mut text = format!("{}, commit {}.\nLoad averages at the end: {load}.\n\n", machine(), commit());
    text += "Nanoseconds of one worker's CPU time for each packet, the median of the repeats, with what makes the packets; source: the\n\
             generator alone; limit: dpdk-testpmd, which swaps hardware addresses, on the same packets.\n\n";
    text += "| scenario | ns | least .. most | repeats | source | limit | times the limit | Mpps | bytes a connection |\n\
             |---|---:|---|---:|---:|---:|---:|---:|---:|\n";
    let mut notes = String::new();
    for result in results {
        let [least, most] = result.spread;
        let ratio = result.limit_ns_per_packet.map(|limit| result.ns_per_packet / limit);
        let _infallible = writeln!(
            text,
            "| {} | {:.1} | {least:.1} .. {most:.1} | {} | {} | {} | {} | {:.1} | {} |",
            result.scenario,
            result.ns_per_packet,
            result.repeats,
            shown(result.source_ns_per_packet),
            shown(result.limit_ns_per_packet),
            shown(ratio),
            1000.0 / result.ns_per_packet,
            shown(result.bytes_per_connection),
        );
        for note in &result.notes {
            let _infallible = writeln!(notes, "- {}: {note}", result.scenario);
        }
    }
    if !notes.is_empty() {
        text = text + "\n" + &notes;
    }
    text
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, name)| name);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let version = Command::new("pkg-config").args(["--modversion", "libdpdk"]).output();
    let version =
        version.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!("{model}, {count} CPUs, Linux {}, DPDK {version}", kernel.trim())
}

fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub(crate) fn header() {
    println!(
        "{:<16} {:>10} {:>8} {:>8} {:>8} {:>7} {:>17}",
        "scenario", "ns/packet", "source", "limit", "x limit", "Mpps", "spread"
    );
}

pub(crate) fn row(result: &Measured) {
    println!(
        "{:<16} {:>10.1} {:>8} {:>8} {:>8} {:>7.1} {:>8.1} .. {:<6.1}{}",
        result.scenario,
        result.ns_per_packet,
        shown(result.source_ns_per_packet),
        shown(result.limit_ns_per_packet),
        shown(result.limit_ns_per_packet.map(|limit| result.ns_per_packet / limit)),
        1000.0 / result.ns_per_packet,
        result.spread[0],
        result.spread[1],
        result.bytes_per_connection.map_or(String::new(), |bytes| format!("  {bytes:.0} bytes/connection")),
    );
    for note in &result.notes {
        println!("    {note}");
    }
}
