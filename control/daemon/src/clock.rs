//! Ticks of the workers' clock for people.

use ulvs_engine::{TICKS_PER_SECOND, ticks};

/// Ticks in a duration of whole seconds or less.
pub(crate) fn ticks_of(duration: std::time::Duration) -> u32 {
    let parts = duration.as_millis().saturating_mul(u128::from(TICKS_PER_SECOND)).div_ceil(1000);
    u32::try_from(parts).unwrap_or(u32::MAX).min(ticks(u32::MAX))
}

/// Whole seconds, rounded up: a connection listed with 0 is gone.
pub(crate) fn seconds_of(ticks: u32) -> u64 {
    u64::from(ticks.div_ceil(TICKS_PER_SECOND))
}
