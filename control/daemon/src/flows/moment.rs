//! The workers' clock and the day's, at the same moment.

use std::time::UNIX_EPOCH;

use ulvs_engine::{TICKS_PER_SECOND, Ticks};
use ulvs_worker::Wall;

/// What both clocks show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) ticks: Ticks,
    /// Milliseconds since 1970.
    pub(super) milliseconds: u64,
}

impl Moment {
    pub(super) fn now(clock: &impl Wall) -> Self {
        let since = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
        Self { ticks: clock.now(), milliseconds: u64::try_from(since).unwrap_or(u64::MAX) }
    }

    /// Milliseconds since 1970 at an earlier moment of the workers' clock.
    pub(super) fn at(self, ticks: Ticks) -> u64 {
        let ago = u64::from(self.ticks.since(ticks)) * 1000 / u64::from(TICKS_PER_SECOND);
        self.milliseconds.saturating_sub(ago)
    }

    /// Whole seconds since 1970, as 32 bits have them.
    #[expect(clippy::cast_possible_truncation, reason = "RFC 7011 3.1: it wraps in 2106")]
    pub(super) const fn seconds(self) -> u32 {
        (self.milliseconds / 1000) as u32
    }
}
