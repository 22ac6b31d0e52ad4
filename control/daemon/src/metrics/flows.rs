//! Records of ended connections.

use std::sync::atomic::Ordering::Relaxed;

use prometheus::Registry;
use ulvs_engine::Shared;

use super::counters;
use crate::flows::Counts;

/// Puts what became of them into `registry`.
pub(super) fn gather(registry: &Registry, shared: &Shared, counts: &Counts) -> prometheus::Result<()> {
    let help = "Records of ended connections that were passed on.";
    let passed_on = counters(registry, "ulvs_flow_records_total", help, &["to"])?;
    let help = "Records of ended connections lost because they could not be written or sent.";
    let failed = counters(registry, "ulvs_flow_records_failed_total", help, &["to"])?;
    let help = "Records of ended connections lost because the worker's queue was full.";
    let lost = counters(registry, "ulvs_worker_flow_records_lost_total", help, &["worker"])?;
    for (to, count) in [("json", &counts.json), ("ipfix", &counts.ipfix)] {
        passed_on.with_label_values(&[to]).inc_by(count.passed_on.load(Relaxed));
        failed.with_label_values(&[to]).inc_by(count.failed.load(Relaxed));
    }
    for (id, worker) in shared.workers().iter().enumerate() {
        lost.with_label_values(&[id.to_string().as_str()]).inc_by(worker.flow_records_lost.get());
    }
    Ok(())
}
