//! `ip_vs_stats` and `ip_vs_stats_percpu`. All numbers are hexadecimal.

use std::fmt::Write as _;

use crate::Stats;

/// Writes `ip_vs_stats`: all services together.
pub fn totals(out: &mut String, all: &Stats) {
    out.push_str(
        "   Total Incoming Outgoing         Incoming         Outgoing\n   \
            Conns  Packets  Packets            Bytes            Bytes\n",
    );
    write_counts(out, all);
    out.push_str("\n Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n");
    write_rates(out, all);
}

/// Writes `ip_vs_stats_percpu`: what each processor counted, and all together.
pub fn per_processor(out: &mut String, each: &[(usize, Stats)], all: &Stats) {
    out.push_str(
        "       Total Incoming Outgoing         Incoming         Outgoing\n\
         CPU    Conns  Packets  Packets            Bytes            Bytes\n",
    );
    for (processor, counted) in each {
        let _ = write!(out, "{processor:3X} ");
        write_counts(out, counted);
    }
    out.push_str("  ~ ");
    write_counts(out, all);
    out.push_str("\n     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n    ");
    write_rates(out, all);
}

fn write_counts(out: &mut String, stats: &Stats) {
    let (connections, packets_in, packets_out) = (stats.connections, stats.packets_in, stats.packets_out);
    write_row(out, [connections, packets_in, packets_out, stats.bytes_in, stats.bytes_out]);
}

fn write_rates(out: &mut String, stats: &Stats) {
    let (connections, packets_in, packets_out) = (stats.connection_rate, stats.packet_rate_in, stats.packet_rate_out);
    write_row(out, [connections, packets_in, packets_out, stats.byte_rate_in, stats.byte_rate_out]);
}

fn write_row(out: &mut String, [connections, packets_in, packets_out, bytes_in, bytes_out]: [u64; 5]) {
    let _ = writeln!(out, "{connections:8X} {packets_in:8X} {packets_out:8X} {bytes_in:16X} {bytes_out:16X}");
}
