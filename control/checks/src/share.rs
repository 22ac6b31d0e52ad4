use std::time::Duration;

use ulvs_config::Feedback;

/// The part of its configured weight that a real server has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Share {
    /// So many percent.
    Percent(u16),
    /// A weight instead of the configured one.
    Weight(i32),
}

impl Share {
    /// The whole weight.
    pub const FULL: Self = Self::Percent(100);

    /// None of it: no new connections.
    pub const NONE: Self = Self::Percent(0);

    /// The smaller of two, where they can be compared; a weight that was told counts more than a percentage.
    #[must_use]
    pub const fn least(self, other: Self) -> Self {
        match (self, other) {
            (Self::Percent(0) | Self::Weight(0), _) | (_, Self::Percent(0) | Self::Weight(0)) => Self::NONE,
            (Self::Percent(one), Self::Percent(another)) => Self::Percent(if one < another { one } else { another }),
            (Self::Weight(one), Self::Weight(another)) => Self::Weight(if one < another { one } else { another }),
            (Self::Weight(weight), Self::Percent(_)) | (Self::Percent(_), Self::Weight(weight)) => Self::Weight(weight),
        }
    }
}

/// Percent times this.
const FINE: i64 = 1 << 16;

/// Makes one quiet weight of what a real server says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Follower {
    settings: Feedback,
    /// The smoothed answer, in percent times [`FINE`].
    smoothed: Option<i64>,
    shown: Share,
    changed: Option<Duration>,
}

impl Follower {
    /// The full weight until something is told.
    pub const fn new(settings: Feedback) -> Self {
        Self { settings, smoothed: None, shown: Share::FULL, changed: None }
    }

    /// The share as it is now.
    pub const fn share(&self) -> Share {
        self.shown
    }

    /// Takes what was told; whether the share is another now.
    ///
    /// A percentage is smoothed and kept in its bounds. A weight that was told is taken as it is, and so is zero percent: it
    /// is a wish for no connections, not a measurement. None of them changes the share sooner than the interval after the
    /// last change, but for zero and for the end of zero.
    pub fn told(&mut self, told: Share, now: Duration) -> bool {
        let wanted = match told {
            Share::Weight(_) | Share::NONE => told,
            Share::Percent(percent) => Share::Percent(self.smooth(percent)),
        };
        let is_due = self.changed.is_none_or(|at| now.saturating_sub(at) >= self.settings.interval);
        let is_urgent = (wanted == Share::NONE) != (self.shown == Share::NONE);
        if wanted == self.shown || !(is_due || is_urgent) {
            return false;
        }
        self.shown = wanted;
        self.changed = Some(now);
        true
    }

    fn smooth(&mut self, percent: u16) -> u16 {
        let (least, most) = self.settings.bounds;
        let told = i64::from(percent.clamp(least, most)) * FINE;
        let smoothed = self.smoothed.map_or(told, |old| old + (told - old) / i64::from(self.settings.smoothing));
        self.smoothed = Some(smoothed);
        u16::try_from((smoothed + FINE / 2) / FINE).unwrap_or(most).clamp(least, most)
    }
}

/// A real server that was down does not get its whole share at once: it takes it in steps of a tenth.
#[derive(Clone, Copy, Debug)]
pub struct SlowStart {
    began: Duration,
    length: Duration,
}

impl SlowStart {
    /// From now on.
    pub const fn new(now: Duration, length: Duration) -> Self {
        Self { began: now, length }
    }

    /// Percent of the share: 10, 20, ... and none when it is over.
    pub fn percent(&self, now: Duration) -> Option<u16> {
        let passed = now.saturating_sub(self.began);
        if passed >= self.length {
            return None;
        }
        let tenths = passed.as_nanos() * 10 / self.length.as_nanos().max(1);
        u16::try_from((tenths + 1) * 10).ok().filter(|percent| *percent < 100)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn follower(smoothing: u32, bounds: (u16, u16)) -> Follower {
        Follower::new(Feedback { smoothing, bounds, interval: Duration::from_secs(5) })
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_answer_counts_its_part_and_changes_no_more_often_than_the_interval() {
        let mut follower = follower(4, (1, 100));
        assert!(follower.told(Share::Percent(80), at(0)));
        assert!(!follower.told(Share::Percent(40), at(1)), "too early");
        assert!(!follower.told(Share::Percent(40), at(2)), "still too early");
        assert!(follower.told(Share::Percent(40), at(5)));
        // 80, 70, 62.5, 56.875
        assert_eq!(follower.share(), Share::Percent(57));
    }

    #[test]
    fn zero_and_its_end_are_taken_at_once() {
        let mut follower = follower(4, (10, 100));
        assert!(follower.told(Share::Percent(50), at(0)));
        assert!(follower.told(Share::NONE, at(1)));
        assert_eq!(follower.share(), Share::NONE);
        assert!(follower.told(Share::Percent(50), at(2)));
        assert_eq!(follower.share(), Share::Percent(50), "zero was not averaged in");
    }

    #[test]
    fn a_told_weight_is_taken_as_it_is() {
        let mut follower = follower(4, (10, 100));
        assert!(follower.told(Share::Weight(253), at(0)));
        assert_eq!(follower.share(), Share::Weight(253));
        assert!(!follower.told(Share::Weight(7), at(4)));
        assert!(follower.told(Share::Weight(7), at(5)));
    }

    #[test]
    fn a_slow_start_is_ten_steps() {
        let start = SlowStart::new(at(100), at(20));
        let steps: Vec<_> = [100, 101, 102, 104, 117, 118, 119, 120, 500].map(|s| start.percent(at(s))).into();
        let some = |percent| Some(percent);
        assert_eq!(steps, [some(10), some(10), some(20), some(30), some(90), None, None, None, None]);
        assert_eq!(SlowStart::new(at(1), Duration::ZERO).percent(at(1)), None);
    }

    proptest! {
        #[test]
        fn whatever_is_told_stays_in_bounds_and_settles(
            smoothing in 1..=100u32, least in 1..=100u16, more in 0..900u16, told in prop::collection::vec(0..=2000u16, 0..40), last in 1..=1000u16
        ) {
            let most = least + more;
            let mut follower = follower(smoothing, (least, most));
            let mut now = 0;
            let mut tell = |percent| {
                now += 5;
                follower.told(Share::Percent(percent), at(now));
                follower.share()
            };
            for percent in told {
                match tell(percent) {
                    Share::Percent(share) => prop_assert!(share == 0 && percent == 0 || (least..=most).contains(&share)),
                    Share::Weight(_) => prop_assert!(false),
                }
            }
            let settled = (0..5000).map(|_| tell(last)).last();
            prop_assert_eq!(settled, Some(Share::Percent(last.clamp(least, most))));
        }
    }
}
