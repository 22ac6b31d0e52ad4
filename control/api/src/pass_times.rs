use serde::{Deserialize, Serialize};

/// How long a worker's rounds took since it started, what its core did for others meanwhile included.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct PassTimes {
    /// The longest, in microseconds.
    pub longest_us: f64,
    /// All of them by length, the shortest first.
    pub passes: Vec<Passes>,
}

/// Rounds of nearly the same length, up to an eighth.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Passes {
    /// All took less than this, in microseconds; absent for the longest that are told apart.
    pub below_us: Option<f64>,
    /// How many there were.
    pub count: u64,
}

impl PassTimes {
    /// The time in microseconds that this share of the rounds took at most, up to an eighth more; nothing if there was none.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let total: u64 = self.passes.iter().map(|passes| passes.count).sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank"
        )]
        let rank = ((total as f64 * share).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        let found = self.passes.iter().find(|passes| {
            seen += passes.count;
            seen >= rank
        })?;
        Some(found.below_us.unwrap_or(f64::INFINITY).min(self.longest_us))
    }

    /// What came since `earlier`, of the same worker. Its longest is known up to an eighth.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |below: Option<f64>| {
            earlier.passes.iter().find(|passes| passes.below_us == below).map_or(0, |passes| passes.count)
        };
        let new = self
            .passes
            .iter()
            .map(|passes| Passes { count: passes.count.saturating_sub(before(passes.below_us)), ..*passes });
        let passes: Vec<_> = new.filter(|passes| passes.count > 0).collect();
        let longest = passes.last().map_or(0.0, |last| last.below_us.unwrap_or(f64::INFINITY));
        Self { longest_us: longest.min(self.longest_us), passes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(longest_us: f64, passes: &[(Option<f64>, u64)]) -> PassTimes {
        let passes = passes.iter().map(|&(below_us, count)| Passes { below_us, count }).collect();
        PassTimes { longest_us, passes }
    }

    #[test]
    fn a_quantile_is_the_end_of_its_step() {
        let all = times(33.0, &[(Some(1.0), 990), (Some(4.0), 9), (Some(40.0), 1)]);
        for (share, us) in [(0.0, 1.0), (0.99, 1.0), (0.999, 4.0), (1.0, 33.0)] {
            assert_eq!(all.quantile(share), Some(us));
        }
        assert_eq!(PassTimes::default().quantile(0.5), None);
        assert_eq!(times(2e6, &[(None, 1)]).quantile(0.5), Some(2e6));
    }

    #[test]
    fn what_came_since_has_a_longest_of_its_own() {
        let before = times(400.0, &[(Some(1.0), 10), (Some(450.0), 1)]);
        let after = times(400.0, &[(Some(1.0), 15), (Some(4.0), 2), (Some(450.0), 1)]);
        assert_eq!(after.since(&before), times(4.0, &[(Some(1.0), 5), (Some(4.0), 2)]));
        assert_eq!(after.since(&after), times(0.0, &[]));
        assert_eq!(after.since(&PassTimes::default()), after);
    }
}
