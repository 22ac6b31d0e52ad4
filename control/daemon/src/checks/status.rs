use std::time::UNIX_EPOCH;

use ulvs_api::CheckStatus;
use ulvs_checks::{Share, Watched};
use ulvs_config::Probe;
use ulvs_model::ServiceKey;

use super::Board;

impl Board {
    /// Each check of a real server, for the API.
    pub(crate) fn status(&self) -> Vec<CheckStatus> {
        self.watched().iter().map(|(watched, services)| status(watched, services)).collect()
    }
}

fn status(watched: &Watched, services: &[ServiceKey]) -> CheckStatus {
    let standing = watched.standing();
    let (percent, weight) = match standing.opinion.share {
        Share::Percent(percent) => (Some(percent), None),
        Share::Weight(weight) => (None, Some(weight.unsigned_abs())),
    };
    let mut address = watched.target.address;
    if watched.check.probe == Probe::Icmp {
        address.set_port(0);
    }
    CheckStatus {
        check: watched.check.name.clone(),
        kind: watched.check.probe.name().into(),
        address,
        services: services.iter().map(ToString::to_string).collect(),
        up: standing.opinion.is_up,
        since: standing.since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        doubts: standing.doubts.0,
        doubts_needed: standing.doubts.1,
        weight_percent: percent,
        weight,
        probes: standing.probes,
        failures: standing.failures,
        took_ms: standing.took.as_secs_f64() * 1000.0,
        reason: standing.reason,
    }
}
