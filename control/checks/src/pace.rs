use std::time::Duration;

/// When probes of one check begin: an interval apart, give or take a tenth, so that checks that began together do not
/// stay together.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// When the next probe is due.
    due: Duration,
}

impl Pace {
    /// The first probe is due somewhere in the first interval, in its first second where that is earlier: `random` spreads
    /// what begins at once. Times are since any moment, the same for all of a pace.
    pub fn new(now: Duration, interval: Duration, count: usize, random: u32) -> Self {
        // 10,000 checks take the whole interval, a few begin at once.
        let spread = interval.min(Duration::from_micros(500) * u32::try_from(count).unwrap_or(u32::MAX));
        Self { due: now + fraction(spread, random) }
    }

    /// When the next probe is due.
    pub const fn due(&self) -> Duration {
        self.due
    }

    /// A probe has ended, and the next one is due an interval later, counted from when this one was due. It never is due in
    /// the past: after a pause none is made up for.
    pub fn ended(&mut self, now: Duration, interval: Duration, random: u32) {
        let tenth = interval / 10;
        let next = self.due + tenth * 9 + fraction(tenth * 2, random);
        self.due = next.max(now);
    }
}

/// The part of a duration that a random number stands for.
fn fraction(of: Duration, random: u32) -> Duration {
    let nanos = of.as_nanos() * u128::from(random) / u128::from(u32::MAX);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    proptest! {
        #[test]
        fn probes_are_an_interval_apart_give_or_take_a_tenth(first in any::<u32>(), randoms in prop::collection::vec(any::<u32>(), 1..50)) {
            let mut pace = Pace::new(Duration::ZERO, INTERVAL, 10_000, first);
            prop_assert!(pace.due() <= INTERVAL);
            for random in randoms {
                let before = pace.due();
                pace.ended(before + Duration::from_millis(3), INTERVAL, random);
                let apart = pace.due().saturating_sub(before);
                prop_assert!(apart >= INTERVAL * 9 / 10 && apart <= INTERVAL * 11 / 10);
            }
        }

        #[test]
        fn no_probe_is_made_up_for(late in 0..1000u64, random in any::<u32>()) {
            let mut pace = Pace::new(Duration::ZERO, INTERVAL, 1, 0);
            let now = Duration::from_secs(late);
            pace.ended(now, INTERVAL, random);
            prop_assert!(pace.due() >= now && pace.due() <= now + INTERVAL * 11 / 10);
        }
    }

    #[test]
    fn few_checks_begin_at_once_and_many_are_spread() {
        assert!(Pace::new(Duration::ZERO, INTERVAL, 4, u32::MAX).due() <= Duration::from_millis(2));
        assert_eq!(Pace::new(Duration::ZERO, INTERVAL, 1 << 20, u32::MAX).due(), INTERVAL);
    }

    #[test]
    fn the_mean_is_the_interval() {
        let mut pace = Pace::new(Duration::ZERO, INTERVAL, 1, 0);
        for random in [0, u32::MAX, u32::MAX / 4, u32::MAX / 4 * 3] {
            pace.ended(pace.due(), INTERVAL, random);
        }
        let off = pace.due().abs_diff(INTERVAL * 4);
        assert!(off < Duration::from_micros(1), "{off:?}");
    }
}
