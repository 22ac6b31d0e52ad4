//! Health checks.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::Registry;
use ulvs_checks::Watched;

use super::counters;

/// Puts how probes went into `registry`.
pub(super) fn gather(registry: &Registry, watched: impl Iterator<Item = Arc<Watched>>) -> prometheus::Result<()> {
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
