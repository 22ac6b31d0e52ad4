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

/// Moments of the time stamp counter as times of the day: what is recorded carries the counter, which costs a worker nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wallclock {
    cycles: u64,
    nanoseconds: u64,
    hertz: u64,
}

impl Wallclock {
    /// As both clocks show now.
    pub(crate) fn new(eal: &dpdk::Eal) -> Self {
        Self { cycles: 0, nanoseconds: 0, hertz: dpdk::clock::tsc_hz(eal).max(1) }.again()
    }

    /// The same, set by both clocks again: they drift apart.
    pub(crate) fn again(self) -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        Self { cycles: dpdk::clock::tsc(), nanoseconds, ..self }
    }

    /// Nanoseconds from 1970 until the counter showed `cycles`.
    pub(crate) fn nanoseconds(self, cycles: u64) -> u64 {
        let since = |cycles: u64| {
            let nanoseconds = u128::from(cycles) * 1_000_000_000 / u128::from(self.hertz);
            u64::try_from(nanoseconds).unwrap_or(u64::MAX)
        };
        match cycles.checked_sub(self.cycles) {
            Some(later) => self.nanoseconds.saturating_add(since(later)),
            None => self.nanoseconds.saturating_sub(since(self.cycles - cycles)),
        }
    }
}
