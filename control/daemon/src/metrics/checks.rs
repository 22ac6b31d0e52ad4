//! Health checks.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::Registry;
use ulvs_checks::Watched;
use ulvs_model::ServiceKey;

use super::{REAL_SERVER, SERVICE, counters, gauges, key_labels};
use crate::checks::Row;

/// Puts what is known of checks into `registry`.
pub(super) fn gather(
    registry: &Registry,
    watched: impl Iterator<Item = Arc<Watched>>,
    services: impl Iterator<Item = (ServiceKey, Row)>,
) -> prometheus::Result<()> {
    probes(registry, watched)?;
    let (quorum, changes) = ("ulvs_service_quorum", "ulvs_service_quorum_changes_total");
    let quorum = gauges(registry, quorum, "1 while enough of the service's real servers are up.", &SERVICE)?;
    let changes = counters(registry, changes, "How often the service lost or regained its quorum.", &SERVICE)?;
    let (up, turns) = ("ulvs_real_server_up", "ulvs_real_server_health_changes_total");
    let up = gauges(registry, up, "1 while the checks of the real server pass.", &REAL_SERVER)?;
    let turns = counters(registry, turns, "How often the real server went up or down.", &REAL_SERVER)?;
    for (key, row) in services {
        let service = key_labels(key);
        let service = service.each_ref().map(String::as_str);
        quorum.with_label_values(&service).set(row.has_quorum.into());
        changes.with_label_values(&service).inc_by(row.quorum_changes);
        for (address, (is_up, count)) in row.real_servers {
            let (ip, port) = (address.ip().to_string(), address.port().to_string());
            let [proto, local, local_port, mark] = service;
            let labels = [proto, local, local_port, mark, &ip, &port];
            up.with_label_values(&labels).set(is_up.into());
            turns.with_label_values(&labels).inc_by(count);
        }
    }
    Ok(())
}

fn probes(registry: &Registry, watched: impl Iterator<Item = Arc<Watched>>) -> prometheus::Result<()> {
    let labels = ["check", "type"];
    let probes = counters(registry, "ulvs_check_probes_total", "Probes of the checks that run now.", &labels)?;
    let failed = "ulvs_check_failed_probes_total";
    let failed = counters(registry, failed, "Probes of the checks that run now that did not pass.", &labels)?;
    let mut sums: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for one in watched {
        let standing = one.standing();
        let sum = sums.entry((one.check.name.clone(), one.check.probe.name())).or_default();
        *sum = (sum.0 + standing.probes, sum.1 + standing.failures);
    }
    for ((name, kind), (all, bad)) in sums {
        probes.with_label_values(&[name.as_str(), kind]).inc_by(all);
        failed.with_label_values(&[name.as_str(), kind]).inc_by(bad);
    }
    Ok(())
}
