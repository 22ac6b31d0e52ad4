//! Results for people and for programs.

use serde::Serialize;

/// What was measured of a scenario.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) scenario: String,
    /// CPU time per packet, generator included: the median of the repeats.
    pub(crate) ns_per_packet: f64,
    /// The same of the null forwarder.
    pub(crate) source_ns_per_packet: f64,
    pub(crate) repeats: usize,
    /// From the least to the most of the repeats.
    pub(crate) spread: [f64; 2],
    pub(crate) bytes_per_connection: Option<f64>,
}

pub(crate) fn header() {
    println!("{:<16} {:>10} {:>10} {:>10} {:>9} {:>17}", "scenario", "ns/packet", "source", "engine", "Mpps", "spread");
}

pub(crate) fn row(result: &Measured) {
    println!(
        "{:<16} {:>10.1} {:>10.1} {:>10.1} {:>9.1} {:>8.1} .. {:<6.1}{}",
        result.scenario,
        result.ns_per_packet,
        result.source_ns_per_packet,
        result.ns_per_packet - result.source_ns_per_packet,
        1000.0 / result.ns_per_packet,
        result.spread[0],
        result.spread[1],
        result.bytes_per_connection.map_or(String::new(), |bytes| format!("  {bytes:.0} bytes/connection")),
    );
}
