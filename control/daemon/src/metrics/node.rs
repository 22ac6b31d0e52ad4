//! The names that Prometheus's `node_exporter` has for IPVS, so that dashboards made for a kernel's show a director.

use std::fmt::Write;

use ulvs_engine::snapshot::{DestinationStatus, ServiceStatus};
use ulvs_ipvs::Stats;
use ulvs_model::ServiceKey;

use super::scope::Scope;
use super::text::{Kind, Labels, Text};

/// Writes them: the numbers of all services, as they are in `/proc/net/ip_vs_stats`, and each real server.
pub(super) fn write(text: &mut Text<'_>, scope: &Scope, all: &Stats, services: &[ServiceStatus]) {
    let mut of_all = |name: &str, help: &str, value: u64| {
        let name = format!("node_ipvs_{name}_total");
        text.add(&format!("# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n"));
    };
    of_all("connections", "The total number of connections made.", all.connections);
    of_all("incoming_packets", "The total number of incoming packets.", all.packets_in);
    of_all("outgoing_packets", "The total number of outgoing packets.", all.packets_out);
    of_all("incoming_bytes", "The total amount of incoming data.", all.bytes_in);
    of_all("outgoing_bytes", "The total amount of outgoing data.", all.bytes_out);
    let (mut names, mut told) = (Labels::default(), Vec::new());
    for service in services.iter().filter(|service| scope.tells_real_servers(service.key)) {
        let local = local(service.key);
        for one in &service.destinations {
            names.add(|text| backend(text, &local, one));
            told.push(one);
        }
    }
    let mut of_backend = |name: &str, help: &str, value: fn(&DestinationStatus) -> i64| {
        let samples = names.iter().zip(told.iter().map(|one| value(one)));
        text.metric(Kind::Gauge, &format!("node_ipvs_backend_{name}"), help, samples);
    };
    let help = "The current active connections by local and remote address.";
    of_backend("connections_active", help, |one| one.load.active.into());
    let help = "The current inactive connections by local and remote address.";
    of_backend("connections_inactive", help, |one| one.load.inactive().into());
    let help = "The current backend weight by local and remote address.";
    of_backend("weight", help, |one| one.destination.weight.get().into());
}

fn backend(text: &mut String, [local, port, protocol, mark]: &[String; 4], one: &DestinationStatus) {
    let remote = one.destination.address;
    // into memory, which has room
    let _ = write!(
        text,
        "local_address=\"{local}\",local_mark=\"{mark}\",local_port=\"{port}\",proto=\"{protocol}\",\
         remote_address=\"{}\",remote_port=\"{}\"",
        remote.ip(),
        remote.port()
    );
}

/// Address, port, protocol and mark as `node_exporter` reads them from `/proc/net/ip_vs`.
fn local(key: ServiceKey) -> [String; 4] {
    match key {
        ServiceKey::Address { protocol, address } => {
            [address.ip().to_string(), address.port().to_string(), protocol.name().to_uppercase(), String::new()]
        }
        ServiceKey::Mark { mark, .. } => [String::new(), "0".to_owned(), "FWM".to_owned(), format!("{mark:08X}")],
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use ulvs_model::{Family, Protocol};

    use super::*;

    #[test]
    fn labels_are_those_of_node_exporter() {
        let web = ServiceKey::new(Protocol::Tcp, ([192, 0, 2, 1], 80).into());
        assert_eq!(local(web), ["192.0.2.1", "80", "TCP", ""]);
        let mark = ServiceKey::Mark { family: Family::V4, mark: NonZeroU32::new(0xab).unwrap() };
        assert_eq!(local(mark), ["", "0", "FWM", "000000AB"]);
    }
}
