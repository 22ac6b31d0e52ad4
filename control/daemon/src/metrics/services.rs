//! Services and their real servers.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::SocketAddr;

use ulvs_engine::counters::Totals;
use ulvs_engine::snapshot::{DestinationStatus, ServiceStatus};
use ulvs_model::ServiceKey;

use super::scope::Scope;
use super::text::{Kind, Labels, Text};
use crate::checks::Row;
use crate::status::address_of;

/// Services or real servers, and what they are called.
struct Rows<'a, T> {
    labels: Labels,
    statuses: Vec<&'a T>,
}

impl<'a, T> Rows<'a, T> {
    const fn new(labels: Labels, statuses: Vec<&'a T>) -> Self {
        Self { labels, statuses }
    }

    /// Something of each.
    fn samples<V>(&self, value: impl Fn(&T) -> V) -> impl Iterator<Item = (&str, V)> {
        self.labels.iter().zip(self.statuses.iter().map(move |status| value(status)))
    }
}

/// Writes what is known of services and real servers, as far as the scope goes.
pub(super) fn write(text: &mut Text<'_>, scope: &Scope, services: &[ServiceStatus]) {
    let told = services.iter().filter(|service| scope.tells(service.key));
    let mut names = Labels::default();
    let told = told.inspect(|service| names.add(|text| text.push_str(&labels(service.key)))).collect();
    self::services(text, &Rows::new(names, told));
    let (mut names, mut told) = (Labels::default(), Vec::new());
    for service in services.iter().filter(|service| scope.tells_real_servers(service.key)) {
        let local = labels(service.key);
        for one in &service.destinations {
            names.add(|text| with_remote(text, &local, one.destination.address));
            told.push(one);
        }
    }
    real_servers(text, &Rows::new(names, told));
}

/// Writes what checks come to.
pub(super) fn write_health(text: &mut Text<'_>, scope: &Scope, services: impl Iterator<Item = (ServiceKey, Row)>) {
    let rows: Vec<_> =
        services.filter(|(key, _)| scope.tells(*key)).map(|(key, row)| (key, labels(key), row)).collect();
    let mut of_service = |kind, name: &str, help: &str, value: fn(&Row) -> u64| {
        let samples = rows.iter().map(|(_, labels, row)| (labels.as_str(), value(row)));
        text.metric(kind, &format!("ulvs_service_{name}"), help, samples);
    };
    let help = "1 while enough of the service's real servers are up.";
    of_service(Kind::Gauge, "quorum", help, |row| row.has_quorum.into());
    let help = "How often the service lost or regained its quorum.";
    of_service(Kind::Counter, "quorum_changes_total", help, |row| row.quorum_changes);
    let help = "Real servers of the service whose checks fail.";
    of_service(Kind::Gauge, "real_servers_down", help, |row| down(&row.real_servers));
    let help = "How often a real server of the service went up or down.";
    of_service(Kind::Counter, "health_changes_total", help, |row| {
        row.real_servers.values().map(|(_, changes)| changes).sum()
    });
    let (mut names, mut members) = (Labels::default(), Vec::new());
    for (_, local, row) in rows.iter().filter(|(key, ..)| scope.tells_real_servers(*key)) {
        for (address, health) in &row.real_servers {
            names.add(|text| with_remote(text, local, *address));
            members.push(health);
        }
    }
    let members = Rows::new(names, members);
    let help = "1 while the checks of the real server pass.";
    text.metric(Kind::Gauge, "ulvs_real_server_up", help, members.samples(|(is_up, _)| u8::from(*is_up)));
    let help = "How often the real server went up or down.";
    let changes = members.samples(|(_, changes)| *changes);
    text.metric(Kind::Counter, "ulvs_real_server_health_changes_total", help, changes);
}

fn down(real_servers: &HashMap<SocketAddr, (bool, u64)>) -> u64 {
    real_servers.values().map(|(is_up, _)| u64::from(!is_up)).sum()
}

/// Labels as Prometheus's `node_exporter` names them; without a mark the label is empty, which is as if it were not there.
fn labels(key: ServiceKey) -> String {
    let address = address_of(key);
    let protocol = key.protocol().map_or_else(|| "FWM".to_owned(), |protocol| protocol.name().to_uppercase());
    let mark = key.mark().map_or_else(String::new, |mark| mark.to_string());
    let (ip, port) = (address.ip(), address.port());
    format!("local_address=\"{ip}\",local_mark=\"{mark}\",local_port=\"{port}\",proto=\"{protocol}\"")
}

fn with_remote(text: &mut String, local: &str, address: SocketAddr) {
    text.push_str(local);
    // into memory, which has room
    let _ = write!(text, ",remote_address=\"{}\",remote_port=\"{}\"", address.ip(), address.port());
}

/// IPVS's five counters.
fn traffic<T>(text: &mut Text<'_>, of: &str, whose: &str, rows: &Rows<'_, T>, totals: fn(&T) -> Totals) {
    let mut metric = |name: &str, help: &str, value: fn(Totals) -> u64| {
        let samples = rows.samples(|one| value(totals(one)));
        text.metric(Kind::Counter, &format!("ulvs_{of}_{name}_total"), &format!("{help} {whose}."), samples);
    };
    metric("connections", "Connections scheduled to", |totals| totals.connections);
    metric("incoming_packets", "Packets from clients to", |totals| totals.packets_in);
    metric("outgoing_packets", "Packets to clients from", |totals| totals.packets_out);
    metric("incoming_bytes", "Bytes of IP packets from clients to", |totals| totals.bytes_in);
    metric("outgoing_bytes", "Bytes of IP packets to clients from", |totals| totals.bytes_out);
}

fn services(text: &mut Text<'_>, rows: &Rows<'_, ServiceStatus>) {
    traffic(text, "service", "the service", rows, |service| service.totals);
    let mut gauge = |name: &str, help: &str, value: fn(&ServiceStatus) -> u64| {
        text.metric(Kind::Gauge, &format!("ulvs_service_{name}"), help, rows.samples(value));
    };
    gauge("real_servers", "Real servers of the service.", |service| service.destinations.len() as u64);
    gauge("weight", "Sum of its real servers' weights; 0: it takes no connections.", |service| {
        service.destinations.iter().map(|one| u64::from(one.destination.weight.get().unsigned_abs())).sum()
    });
    gauge("active_connections", "Connections in an active state.", |service| {
        service.destinations.iter().map(|one| u64::from(one.load.active)).sum()
    });
    gauge("inactive_connections", "Connections in other states.", |service| {
        service.destinations.iter().map(|one| u64::from(one.load.inactive())).sum()
    });
}

fn real_servers(text: &mut Text<'_>, rows: &Rows<'_, DestinationStatus>) {
    traffic(text, "real_server", "the real server", rows, |one| one.totals);
    let mut gauge = |name: &str, help: &str, value: fn(&DestinationStatus) -> i64| {
        text.metric(Kind::Gauge, &format!("ulvs_real_server_{name}"), help, rows.samples(value));
    };
    gauge("active_connections", "Connections in an active state.", |one| one.load.active.into());
    gauge("inactive_connections", "Connections in other states.", |one| one.load.inactive().into());
    let help = "Clients remembered that are to keep the real server.";
    gauge("persistent_clients", help, |one| one.templates.cast_signed());
    gauge("weight", "Share of new connections; 0: quiescent.", |one| one.destination.weight.get().into());
    let help = "1 while the real server has reached its upper threshold.";
    gauge("overloaded", help, |one| one.load.overloaded.into());
}
