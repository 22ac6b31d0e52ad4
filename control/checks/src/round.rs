use std::sync::Arc;
use std::time::Duration;

use ulvs_config::Check;

use crate::probe::{Failure, Finding};
use crate::{Judge, Pace};

/// One check of one real server from probe to probe: when the next one is due, and what those so far come to. Times are since
/// any moment, the same for all of a round.
#[derive(Clone, Debug)]
pub struct Round {
    check: Arc<Check>,
    judge: Judge,
    pace: Pace,
}

impl Round {
    /// Begins at 0. `count` are all checks that run, for the first probes to be spread; so is `random`.
    pub fn new(check: Arc<Check>, count: usize, random: u32) -> Self {
        let judge = Judge::new(&check);
        let pace = Pace::new(Duration::ZERO, check.interval, count, random);
        Self { check, judge, pace }
    }

    /// When the next probe is due.
    pub const fn due(&self) -> Duration {
        self.pace.due()
    }

    /// What holds now.
    pub const fn judge(&self) -> &Judge {
        &self.judge
    }

    /// A probe has ended, with this; whether the opinion is another now.
    pub fn ended(&mut self, found: &Result<Finding, Failure>, now: Duration, random: u32) -> bool {
        let changed = self.judge.told(found, now);
        let retry = self.check.retry_interval.filter(|_| self.judge.is_doubted());
        self.pace.ended(now, retry.unwrap_or(self.check.interval), random);
        changed
    }
}
