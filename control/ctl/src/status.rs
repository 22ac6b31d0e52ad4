use std::fmt::Write;

use ulvs_api::{PortStatus, ReasonCount, Status, WorkerStatus};

use crate::table::Align::{Left, Right};
use crate::table::Table;
use crate::units::{count, micros, span};

/// The director for people.
pub(crate) fn render(status: &Status) -> String {
    let mut text = format!(
        "ulvsd {}, process {}, up {}, snapshot {}\nconnections: {} of {} ({}), {} of them clients remembered\n",
        status.version,
        status.pid,
        span(status.uptime_seconds),
        status.generation,
        status.connections.live,
        status.connections.capacity,
        percent(ratio(status.connections.live, status.connections.capacity)),
        status.connections.templates,
    );
    let sections = [
        workers(&status.workers),
        ports(&status.ports),
        reasons("DROPPED", &status.drops),
        reasons("TO THE KERNEL", &status.punts),
    ];
    for section in sections {
        let _infallible = write!(text, "\n{section}");
    }
    text
}

fn workers(workers: &[WorkerStatus]) -> String {
    let mut table = Table::new([
        ("WORKER", Right),
        ("CORE", Right),
        ("SNAPSHOT", Right),
        ("BUSY", Right),
        ("PASS 99.9 %", Right),
        ("LONGEST", Right),
        ("PACKETS IN", Right),
        ("FORWARDED", Right),
        ("TO THE KERNEL", Right),
        ("DROPPED", Right),
        ("CONNECTIONS", Right),
    ]);
    for worker in workers {
        table.row([
            worker.id.to_string(),
            worker.core.to_string(),
            worker.generation.to_string(),
            percent(worker.busy_ratio),
            worker.pass_times.quantile(0.999).map_or_else(|| "-".to_owned(), micros),
            micros(worker.pass_times.longest_us),
            count(worker.packets_in),
            count(worker.forwarded),
            count(worker.punted),
            count(worker.dropped),
            count(worker.connections),
        ]);
    }
    table.to_string()
}

fn ports(ports: &[PortStatus]) -> String {
    let mut table = Table::new([
        ("PORT", Left),
        ("LINK", Left),
        ("MAC", Left),
        ("MTU", Right),
        ("TAP", Left),
        ("RX", Right),
        ("MISSED", Right),
        ("NO MBUF", Right),
        ("TX", Right),
        ("TX DROPPED", Right),
        ("DRIVER", Left),
        ("DEVICE", Left),
    ]);
    for port in ports {
        table.row([
            port.name.clone(),
            link(port),
            port.mac.clone(),
            port.mtu.to_string(),
            port.tap.clone().unwrap_or_else(|| "-".to_owned()),
            count(port.rx_packets),
            count(port.rx_missed),
            count(port.rx_no_mbuf),
            count(port.tx_packets),
            count(port.tx_dropped),
            port.driver.clone(),
            port.device.clone(),
        ]);
    }
    table.to_string()
}

fn link(port: &PortStatus) -> String {
    match port.speed_mbps {
        _ if !port.link_up => "down".to_owned(),
        None => "up".to_owned(),
        Some(mbps) if mbps >= 1000 && mbps % 100 == 0 => format!("up {}G", f64::from(mbps) / 1000.0),
        Some(mbps) => format!("up {mbps}M"),
    }
}

/// The reasons that happened, the most frequent first.
fn reasons(title: &'static str, all: &[ReasonCount]) -> String {
    let mut happened: Vec<&ReasonCount> = all.iter().filter(|reason| reason.count > 0).collect();
    if happened.is_empty() {
        return format!("{title}\nnothing\n");
    }
    happened.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    let mut table = Table::new([(title, Left), ("PACKETS", Right), ("MEANING", Left)]);
    for reason in happened {
        table.row([reason.reason.to_string(), count(reason.count), reason.description.to_string()]);
    }
    table.to_string()
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulvs_api::{Occupancy, PassTimes, Passes};

    fn reason(reason: &'static str, description: &'static str, count: u64) -> ReasonCount {
        ReasonCount { reason: reason.into(), description: description.into(), count }
    }

    fn status() -> Status {
        let wan = PortStatus {
            name: "wan".into(),
            device: "net_af_packet0,iface=eth0".into(),
            driver: "net_af_packet".into(),
            mac: "02:00:00:00:00:01".into(),
            mtu: 1500,
            link_up: true,
            speed_mbps: Some(25_000),
            tap: Some("ulvs0".into()),
            rx_packets: 12_345_678,
            tx_packets: 12_000_000,
            tx_dropped: 3,
            ..PortStatus::default()
        };
        let lan = PortStatus { name: "lan".into(), link_up: false, tap: None, mtu: 9000, ..wan.clone() };
        let worker = WorkerStatus {
            id: 0,
            core: 2,
            generation: 7,
            packets_in: 12_345_678,
            forwarded: 12_000_000,
            punted: 345_000,
            dropped: 678,
            connections: 1200,
            loops: 99,
            busy_ratio: 0.254,
            pass_times: PassTimes {
                longest_us: 1234.5,
                passes: vec![
                    Passes { below_us: Some(0.4), count: 9950 },
                    Passes { below_us: Some(12.5), count: 49 },
                    Passes { below_us: None, count: 1 },
                ],
            },
        };
        Status {
            version: "0.1.0".into(),
            pid: 4242,
            uptime_seconds: 273_600,
            generation: 7,
            workers: vec![worker],
            ports: vec![wan, lan],
            connections: Occupancy { capacity: 1 << 20, live: 1200, templates: 200 },
            drops: vec![
                reason("no_route", "No route leads to the real server.", 8),
                reason("tx_full", "The device took no more packets.", 0),
                reason("checksum", "The IPv4 header's checksum is wrong.", 670),
            ],
            punts: vec![],
        }
    }

    #[test]
    fn a_status_reads_at_a_glance() {
        let expected = "\
ulvsd 0.1.0, process 4242, up 3d 4h, snapshot 7
connections: 1200 of 1048576 (0.1 %), 200 of them clients remembered

WORKER  CORE  SNAPSHOT    BUSY  PASS 99.9 %  LONGEST  PACKETS IN  FORWARDED  TO THE KERNEL  DROPPED  CONNECTIONS
     0     2         7  25.4 %      12.5 us  1.23 ms       12.3M      12.0M           345k      678         1200

PORT  LINK    MAC                 MTU  TAP       RX  MISSED  NO MBUF     TX  TX DROPPED  DRIVER         DEVICE
wan   up 25G  02:00:00:00:00:01  1500  ulvs0  12.3M       0        0  12.0M           3  net_af_packet  net_af_packet0,iface=eth0
lan   down    02:00:00:00:00:01  9000  -      12.3M       0        0  12.0M           3  net_af_packet  net_af_packet0,iface=eth0

DROPPED   PACKETS  MEANING
checksum      670  The IPv4 header's checksum is wrong.
no_route        8  No route leads to the real server.

TO THE KERNEL
nothing
";
        assert_eq!(render(&status()), expected);
    }

    #[test]
    fn links_tell_their_speed() {
        let port = |speed_mbps| PortStatus { link_up: true, speed_mbps, ..PortStatus::default() };
        for (speed, text) in [(None, "up"), (Some(100), "up 100M"), (Some(2500), "up 2.5G"), (Some(100_000), "up 100G")]
        {
            assert_eq!(link(&port(speed)), text);
        }
    }
}
