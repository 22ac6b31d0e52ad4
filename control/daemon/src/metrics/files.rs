//! What of the director's files is followed.

use std::time::UNIX_EPOCH;

use prometheus::{Gauge, Registry};

use super::{gauge, gauges, register};
use crate::followed::Followed;

/// Puts it into `registry`.
pub(super) fn gather(registry: &Registry, followed: &Followed) -> prometheus::Result<()> {
    let help = "MD5 sum of the files that are followed, the same on directors that follow the same; always 1.";
    let info = gauges(registry, "ulvs_configuration_info", help, &["md5"])?;
    info.with_label_values(&[followed.digest.to_string().as_str()]).set(1);
    let at = followed.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let help = "When files were followed last, in seconds since 1970.";
    register(registry, Gauge::new("ulvs_configuration_followed_timestamp_seconds", help)?)?.set(at.as_secs_f64());
    let help = "1 if the last try to follow files succeeded; 0: something is wrong with them.";
    gauge(registry, "ulvs_configuration_followed", help, followed.is_current.into())
}
