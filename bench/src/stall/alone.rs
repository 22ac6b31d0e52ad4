//! Passes of windows of time in which a worker had its core to itself, as far as the system knows.

use ulvs_api::PassTimes;

use super::WINDOW;
use crate::process::Preempted;

/// Windows in which the system gave nobody else the core.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alone {
    /// Their longest pass, in microseconds.
    pub(super) longest_us: f64,
    /// How many there are.
    pub(super) windows: u32,
    /// All windows, those in which somebody had it included.
    pub(super) of: u32,
}

impl Alone {
    /// `disturbed` tells whether the pass that is under way when a window ends was: it is seen in the window in which it ends.
    pub(super) fn window(&mut self, passes: &PassTimes, preempted: Preempted, disturbed: &mut bool) {
        self.of += 1;
        let is_alone = preempted.times == 0;
        if is_alone && !*disturbed {
            self.windows += 1;
            self.longest_us = self.longest_us.max(passes.longest_us);
        }
        *disturbed = !is_alone || (*disturbed && passes.passes.is_empty());
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            longest_us: self.longest_us.max(other.longest_us),
            windows: self.windows + other.windows,
            of: self.of + other.of,
        }
    }

    /// Enough to tell of the repeat that they are from.
    pub(super) const fn are_many(&self) -> bool {
        4 * self.windows >= self.of
    }
}

impl std::fmt::Display for Alone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { longest_us, windows, of } = self;
        let length = WINDOW.as_millis();
        write!(
            f,
            "longest pass {longest_us:.0} us in the {windows} of {of} windows of {length} ms in which the system gave nobody else the \
             core"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use ulvs_api::Passes;

    #[test]
    fn a_pass_that_was_held_up_is_not_the_worker_s_own() {
        let passes = |longest_us, count| PassTimes {
            longest_us,
            passes: (count > 0).then_some(Passes { below_us: Some(longest_us), count }).into_iter().collect(),
        };
        let taken = Preempted { times: 1, waited: Duration::from_millis(50) };
        let mut alone = Alone::default();
        let mut disturbed = false;
        // The core is taken in the second window and given back in the fourth.
        for (passes, preempted) in [
            (passes(3.0, 9), Preempted::default()),
            (passes(4.0, 9), taken),
            (passes(0.0, 0), Preempted::default()),
            (passes(50_000.0, 9), Preempted::default()),
            (passes(5.0, 9), Preempted::default()),
        ] {
            alone.window(&passes, preempted, &mut disturbed);
        }
        assert_eq!((alone.of, alone.windows), (5, 2));
        assert!((alone.longest_us - 5.0).abs() < 1e-9);
    }
}
