//! Ports, and their twins in the kernel.

use std::sync::atomic::Ordering::Relaxed;

use dpdk::port::PortStats;
use prometheus::Registry;
use ulvs_worker::TapCounters;

use super::{counters, gauges};

/// A port as it stands.
pub(super) struct PortRow<'a> {
    pub(super) name: &'a str,
    pub(super) stats: PortStats,
    pub(super) has_link: bool,
    /// The device's own statistics.
    pub(super) xstats: Vec<(String, u64)>,
}

/// Puts what is known of ports into `registry`.
pub(super) fn gather<'a>(registry: &Registry, ports: impl Iterator<Item = PortRow<'a>>) -> prometheus::Result<()> {
    let of_port = |name: &str, help: &str| counters(registry, name, help, &["port"]);
    let received = of_port("ulvs_port_packets_received_total", "Packets the port received.")?;
    let sent = of_port("ulvs_port_packets_sent_total", "Packets the port sent.")?;
    let missed = of_port("ulvs_port_packets_missed_total", "Packets lost because the port's queues were full.")?;
    let no_mbuf = of_port("ulvs_port_no_buffer_total", "Packets lost for want of a packet buffer.")?;
    let up = gauges(registry, "ulvs_port_up", "1 while the port has a link.", &["port"])?;
    let help = "The device's own statistics by DPDK's names; most of them count up.";
    let own = gauges(registry, "ulvs_port_xstat", help, &["port", "name"])?;
    for PortRow { name, stats, has_link, xstats } in ports {
        let labels = [name];
        received.with_label_values(&labels).inc_by(stats.rx_packets);
        sent.with_label_values(&labels).inc_by(stats.tx_packets);
        missed.with_label_values(&labels).inc_by(stats.rx_missed);
        no_mbuf.with_label_values(&labels).inc_by(stats.rx_no_mbuf);
        up.with_label_values(&labels).set(i64::from(has_link));
        for (statistic, value) in &xstats {
            own.with_label_values(&[name, statistic]).set(value.cast_signed());
        }
    }
    Ok(())
}

/// Puts what is known of twins into `registry`.
pub(super) fn taps<'a>(
    registry: &Registry,
    taps: impl Iterator<Item = (&'a str, &'a TapCounters)>,
) -> prometheus::Result<()> {
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
