use std::net::SocketAddr;

use ulvs_api::{Counters, Drain, Neighbour, RealServerStatus, ServiceStatus};

use crate::drain;
use crate::table::Align::{Left, Right};
use crate::table::Table;
use crate::units::{bytes, count};

/// The services for people, in the order of `ipvsadm -Ln`; `now` is in seconds since 1970.
pub(crate) fn render(services: &[ServiceStatus], now: u64) -> String {
    if services.is_empty() {
        return "no services\n".to_owned();
    }
    let mut table = Table::new([
        ("PROT", Left),
        ("ADDRESS", Left),
        ("SCHEDULER/FORWARD", Left),
        ("WEIGHT", Right),
        ("THRESHOLDS", Left),
        ("ACTIVE", Right),
        ("INACTIVE", Right),
        ("CONNECTIONS", Right),
        ("PACKETS IN", Right),
        ("PACKETS OUT", Right),
        ("BYTES IN", Right),
        ("BYTES OUT", Right),
        ("NEIGHBOUR", Left),
        ("OWNER", Left),
        ("STATE", Left),
    ]);
    for service in services {
        table.row(service_row(service));
        service.real_servers.iter().for_each(|real_server| table.row(real_server_row(real_server, now)));
    }
    table.to_string()
}

fn service_row(service: &ServiceStatus) -> [String; 15] {
    let [connections, packets_in, packets_out, bytes_in, bytes_out] = traffic(&service.counters);
    let total = |of: fn(&RealServerStatus) -> u64| count(service.real_servers.iter().map(of).sum());
    [
        service.protocol.to_uppercase(),
        address(service.address, service.mark),
        scheduler(service),
        String::new(),
        String::new(),
        total(|real_server| real_server.active_connections),
        total(|real_server| real_server.inactive_connections),
        connections,
        packets_in,
        packets_out,
        bytes_in,
        bytes_out,
        neighbours(&service.real_servers),
        owner(&service.owner, service.edited),
        if service.quorum == Some(false) { "no quorum".to_owned() } else { String::new() },
    ]
}

fn real_server_row(real_server: &RealServerStatus, now: u64) -> [String; 15] {
    let [connections, packets_in, packets_out, bytes_in, bytes_out] = traffic(&real_server.counters);
    [
        "  ->".to_owned(),
        real_server.address.to_string(),
        real_server.way(),
        weight(real_server),
        thresholds(real_server),
        count(real_server.active_connections),
        count(real_server.inactive_connections),
        connections,
        packets_in,
        packets_out,
        bytes_in,
        bytes_out,
        neighbour(real_server.neighbour).to_owned(),
        owner(&real_server.owner, real_server.edited),
        state(real_server, now),
    ]
}

/// Its address and port, or as `ipvsadm -Ln` its mark: `7`, `8 IPv6`.
pub(crate) fn address(address: SocketAddr, mark: Option<u32>) -> String {
    match mark {
        None => address.to_string(),
        Some(mark) if address.is_ipv6() => format!("{mark} IPv6"),
        Some(mark) => mark.to_string(),
    }
}

/// Who set it; a star: netlink or the API edited what the file said.
fn owner(owner: &str, edited: bool) -> String {
    if edited { format!("{owner}*") } else { owner.to_owned() }
}

/// The weight it has, and the one that was set if something keeps it from that.
fn weight(real_server: &RealServerStatus) -> String {
    let RealServerStatus { weight, configured_weight, forwarded, .. } = real_server;
    if !forwarded {
        format!("- of {configured_weight}")
    } else if weight == configured_weight {
        weight.to_string()
    } else {
        format!("{weight} of {configured_weight}")
    }
}

/// What its checks say of a real server, and what else keeps it from its share.
fn state(real_server: &RealServerStatus, now: u64) -> String {
    let drain = match real_server.drain {
        Drain::No if real_server.overloaded => "overloaded".to_owned(),
        drain => drain::state(drain, real_server.removal, now),
    };
    let words = [&*real_server.health, &*drain];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ")
}

/// As `ipvsadm -Ln`: `sh (sh-fallback,sh-port) persistent 600 mask 255.255.255.0`.
fn scheduler(service: &ServiceStatus) -> String {
    let flags = if service.flags.is_empty() { String::new() } else { format!(" ({})", service.flags.join(",")) };
    let persistent = service.persistence.map_or_else(String::new, |seconds| format!(" persistent {seconds}"));
    let mask = service.netmask.as_ref().map_or_else(String::new, |netmask| format!(" mask {netmask}"));
    let engine = service.persistence_engine.as_ref().map_or_else(String::new, |engine| format!(" pe {engine}"));
    let ops = if service.one_packet { " ops" } else { "" };
    format!("{}{flags}{persistent}{mask}{engine}{ops}", service.scheduler)
}

/// `100`, or `100/80` with a lower one.
fn thresholds(real_server: &RealServerStatus) -> String {
    let RealServerStatus { upper_threshold: upper, lower_threshold: lower, .. } = real_server;
    match (upper, lower) {
        (0, _) => String::new(),
        (upper, 0) => upper.to_string(),
        (upper, lower) => format!("{upper}/{lower}"),
    }
}

fn traffic(counters: &Counters) -> [String; 5] {
    [
        count(counters.connections),
        count(counters.packets_in),
        count(counters.packets_out),
        bytes(counters.bytes_in),
        bytes(counters.bytes_out),
    ]
}

const fn neighbour(neighbour: Neighbour) -> &'static str {
    match neighbour {
        Neighbour::Resolved => "resolved",
        Neighbour::Unresolved => "unresolved",
        Neighbour::NoRoute => "no route",
    }
}

/// Of a service: how many of its real servers packets can be sent to.
fn neighbours(real_servers: &[RealServerStatus]) -> String {
    let resolved = real_servers.iter().filter(|real_server| real_server.neighbour == Neighbour::Resolved).count();
    match real_servers.len() {
        0 => "no real server".to_owned(),
        all => format!("{resolved} of {all} resolved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real_server(address: &str, method: &'static str, neighbour: Neighbour) -> RealServerStatus {
        RealServerStatus {
            address: address.parse().unwrap(),
            method: method.into(),
            tun_type: None,
            tun_port: None,
            tun_checksum: None,
            weight: 1,
            configured_weight: 1,
            forwarded: true,
            health: "".into(),
            drain: Drain::No,
            removal: None,
            upper_threshold: if neighbour == Neighbour::NoRoute { 350 } else { 0 },
            lower_threshold: 0,
            overloaded: neighbour == Neighbour::NoRoute,
            active_connections: 12,
            inactive_connections: 340,
            owner: "netlink".into(),
            edited: false,
            persistent_clients: 0,
            neighbour,
            counters: Counters {
                connections: 352,
                packets_in: 123_456,
                packets_out: 234_567,
                bytes_in: 1 << 20,
                bytes_out: 3 << 29,
            },
        }
    }

    #[test]
    fn marks_and_datagrams_read_as_ipvsadm_prints_them() {
        let service = ServiceStatus {
            protocol: "fwm".into(),
            address: "[::]:0".parse().unwrap(),
            mark: Some(8),
            scheduler: "rr".into(),
            flags: vec![],
            owner: "netlink".into(),
            edited: false,
            quorum: None,
            persistence: Some(60),
            netmask: None,
            persistence_engine: None,
            one_packet: true,
            counters: Counters::default(),
            real_servers: vec![],
        };
        let row = service_row(&service);
        assert_eq!(row[..3], ["FWM", "8 IPv6", "rr persistent 60 ops"]);
    }

    #[test]
    fn services_read_as_ipvsadm_prints_them() {
        let web = ServiceStatus {
            protocol: "tcp".into(),
            address: "192.0.2.100:80".parse().unwrap(),
            mark: None,
            scheduler: "sh".into(),
            flags: vec!["sh-fallback".into(), "sh-port".into()],
            owner: "file".into(),
            edited: true,
            quorum: Some(true),
            persistence: None,
            netmask: None,
            persistence_engine: None,
            one_packet: false,
            counters: Counters { connections: 704, ..Counters::default() },
            real_servers: vec![
                RealServerStatus {
                    tun_type: Some("gue".into()),
                    tun_port: Some(6080),
                    tun_checksum: Some("csum".into()),
                    ..real_server("10.0.0.11:80", "tun", Neighbour::Resolved)
                },
                RealServerStatus {
                    weight: 0,
                    configured_weight: 4,
                    health: "down".into(),
                    drain: Drain::Quiescent,
                    removal: Some(160),
                    ..real_server("10.0.0.12:80", "dr", Neighbour::NoRoute)
                },
            ],
        };
        let dns = ServiceStatus {
            protocol: "udp".into(),
            address: "[2001:db8::100]:53".parse().unwrap(),
            mark: None,
            scheduler: "rr".into(),
            flags: vec![],
            owner: "api".into(),
            edited: false,
            quorum: Some(false),
            persistence: Some(60),
            netmask: Some("64".to_owned()),
            persistence_engine: None,
            one_packet: false,
            counters: Counters::default(),
            real_servers: vec![],
        };
        let expected = "\
PROT  ADDRESS             SCHEDULER/FORWARD         WEIGHT  THRESHOLDS  ACTIVE  INACTIVE  CONNECTIONS  PACKETS IN  PACKETS OUT  BYTES IN  BYTES OUT  NEIGHBOUR        OWNER    STATE
TCP   192.0.2.100:80      sh (sh-fallback,sh-port)                          24       680          704           0            0       0 B        0 B  1 of 2 resolved  file*
  ->  10.0.0.11:80        tun gue 6080 csum              1                  12       340          352        123k         234k  1.00 MiB   1.50 GiB  resolved         netlink
  ->  10.0.0.12:80        dr                        0 of 4  350             12       340          352        123k         234k  1.00 MiB   1.50 GiB  no route         netlink  down, drained, out within 1m 0s
UDP   [2001:db8::100]:53  rr persistent 60 mask 64                           0         0            0           0            0       0 B        0 B  no real server   api      no quorum
";
        assert_eq!(render(&[web, dns], 100), expected);
        assert_eq!(render(&[], 0), "no services\n");
    }
}
