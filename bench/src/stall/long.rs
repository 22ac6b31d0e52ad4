//! How often a core held up who runs on it.

use serde::Serialize;
use ulvs_api::PassTimes;

/// Passes of a worker, or spans between two readings of a clock, that were long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Long {
    /// How long it was watched.
    pub(crate) seconds: f64,
    pub(crate) over_50_us: u64,
    pub(crate) over_100_us: u64,
    pub(crate) longest_us: f64,
}

impl Long {
    /// So many of this length.
    #[inline]
    pub(super) fn count(&mut self, us: f64, count: u64) {
        if us > 50.0 {
            self.over_50_us += count;
            self.over_100_us += if us > 100.0 { count } else { 0 };
        }
        self.longest_us = self.longest_us.max(us);
    }

    /// Passes in so many seconds. A length is known up to the end of its step; 50 and 100 us are ends of steps.
    pub(super) fn of(passes: &PassTimes, seconds: f64) -> Self {
        let mut long = Self { seconds, ..Self::default() };
        for step in &passes.passes {
            // Ends of steps are sums of small numbers.
            let us = step.below_us.map_or(f64::INFINITY, |us| us - 0.01);
            long.count(us, step.count);
        }
        long.longest_us = passes.longest_us;
        long
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            seconds: self.seconds + other.seconds,
            over_50_us: self.over_50_us + other.over_50_us,
            over_100_us: self.over_100_us + other.over_100_us,
            longest_us: self.longest_us.max(other.longest_us),
        }
    }

    /// How many over 100 us there were in a second.
    #[expect(clippy::cast_precision_loss, reason = "a quotient for people")]
    pub(super) fn rate(&self) -> f64 {
        self.over_100_us as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }
}

impl std::fmt::Display for Long {
    #[expect(clippy::cast_precision_loss, reason = "a quotient for people")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seconds, over_50_us, over_100_us, longest_us } = self;
        let per_second = *over_50_us as f64 / seconds.max(f64::MIN_POSITIVE);
        write!(
            f,
            "{over_100_us} in {seconds:.1} s ({:.1} a second; over 50 us {per_second:.1} a second), the longest {longest_us:.0} us",
            self.rate()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulvs_api::Passes;

    #[test]
    fn a_step_that_ends_at_a_bound_is_below_it() {
        let step = |below_us, count| Passes { below_us, count };
        let passes = vec![step(Some(50.0), 1000), step(Some(56.25), 20), step(Some(100.0), 3), step(None, 1)];
        let long = Long::of(&PassTimes { longest_us: 2e6, passes }, 2.0);
        assert_eq!(long, Long { seconds: 2.0, over_50_us: 24, over_100_us: 1, longest_us: 2e6 });
        assert!((long.rate() - 0.5).abs() < 1e-9);
        assert_eq!(long.plus(long).over_50_us, 48);
    }
}
