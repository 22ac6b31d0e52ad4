//! How often something took how long, or was how large. A counter a step, each with one writer.

use super::Counter;

/// Steps in each doubling of a span.
const STEPS: u64 = 8;

/// Spans that are counted in steps of [`GRAIN`] units.
const SPANS: usize = 209;

/// Units of a span in its finest step, as a power of two: 6 ns.
const GRAIN: u32 = 6;

/// Spans of time in steps of an eighth of a doubling, from 6 ns to 1.6 s.
///
/// A span is a number of units of which [`UNITS`](Self::UNITS) are 100 us: so 100 us and its doublings and halves are bounds
/// of steps.
#[derive(Debug)]
pub struct Spans {
    steps: [Counter; SPANS],
    units: Counter,
    longest: Counter,
}

impl Spans {
    /// Units in 100 us.
    pub const UNITS: u64 = 1 << 20;

    /// Units in a second.
    pub const UNITS_PER_SECOND: u64 = Self::UNITS * 10_000;

    pub(super) fn new() -> Self {
        Self {
            steps: std::array::from_fn(|_| Counter::default()),
            units: Counter::default(),
            longest: Counter::default(),
        }
    }

    /// Counts a span of so many units. Only the owning worker may.
    #[inline]
    pub fn count(&self, units: u64) {
        self.steps[step(units >> GRAIN)].add(1);
        self.units.add(units);
        if units > self.longest.get() {
            self.longest.set(units);
        }
    }

    /// The longest, in seconds.
    pub fn longest(&self) -> f64 {
        Self::seconds(self.longest.get())
    }

    /// All together, in seconds.
    pub fn sum(&self) -> f64 {
        Self::seconds(self.units.get())
    }

    /// So many units in seconds.
    #[expect(clippy::cast_precision_loss, reason = "53 bits of units are ten days")]
    pub fn seconds(units: u64) -> f64 {
        units as f64 / Self::UNITS_PER_SECOND as f64
    }

    /// Each step that has counted something, the shortest spans first.
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        let counted = self.steps.iter().map(Counter::get).enumerate().filter(|(_, count)| *count > 0);
        counted.map(|(at, count)| Step { below: below(at), count })
    }
}

/// Spans of nearly the same length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// All are shorter than this, in seconds; infinite for the longest there are.
    pub below: f64,
    /// How many there were.
    pub count: u64,
}

/// Eight steps below 8, then eight to each doubling.
#[inline]
fn step(grains: u64) -> usize {
    let shift = 60 - (grains | STEPS).leading_zeros();
    let at = u64::from(shift) * STEPS + (grains >> shift);
    usize::try_from(at).unwrap_or(usize::MAX).min(SPANS - 1)
}

/// The first span beyond a step.
fn below(step: usize) -> f64 {
    if step == SPANS - 1 {
        return f64::INFINITY;
    }
    let step = step as u64;
    let grains = if step < STEPS { step + 1 } else { (step % STEPS + STEPS + 1) << (step / STEPS - 1) };
    Spans::seconds(grains << GRAIN)
}

/// Sizes up to [`BURST`](crate::BURST): 1, 2, up to 4, and each doubling.
#[derive(Debug)]
pub struct Sizes([Counter; Self::STEPS]);

impl Sizes {
    const STEPS: usize = crate::BURST.ilog2() as usize + 1;

    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }

    /// Counts a size, which is not 0. Only the owning worker may.
    #[inline]
    pub fn count(&self, size: usize) {
        let step = usize::BITS - size.saturating_sub(1).leading_zeros();
        self.0[(step as usize).min(Self::STEPS - 1)].add(1);
    }

    /// The largest size of each step, and how many there were.
    pub fn steps(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.iter().enumerate().map(|(step, counter)| (1 << step, counter.get()))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A span is counted once, by a step that ends beyond it and is no wider than an eighth of it.
        #[test]
        fn a_span_is_in_the_step_that_it_belongs_to(units in 0u64..1 << 36) {
            let spans = Spans::new();
            spans.count(units);
            let [found] = spans.steps().collect::<Vec<_>>()[..] else { panic!("not one step") };
            prop_assert_eq!(found.count, 1);
            let span = Spans::seconds(units);
            prop_assert_eq!((spans.longest(), spans.sum()), (span, span));
            prop_assert!(span < found.below);
            let finest = Spans::seconds(1 << GRAIN);
            prop_assert!(found.below.is_infinite() == (span >= 1.6384));
            prop_assert!(found.below.is_infinite() || found.below - span <= finest.max(span / 8.0) * 1.000_001);
        }
    }

    #[test]
    fn a_hundred_microseconds_are_a_bound() {
        let bounds: Vec<_> = (0..SPANS).map(below).collect();
        assert!(bounds.is_sorted_by(|a, b| a < b));
        for bound in [12.5e-6, 25e-6, 50e-6, 100e-6, 200e-6, 0.8192, 1.6384] {
            assert!(bounds.contains(&bound), "{bound}");
        }
    }

    #[test]
    fn the_longest_stays() {
        let spans = Spans::new();
        for units in [3, Spans::UNITS, 7, u64::MAX / 2] {
            spans.count(units);
        }
        assert_eq!(spans.longest.get(), u64::MAX / 2);
        assert_eq!(spans.steps().map(|step| step.count).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn sizes_are_counted_up_to_each_power_of_two() {
        let sizes = Sizes::new();
        (1..=crate::BURST).for_each(|size| sizes.count(size));
        let steps: Vec<_> = sizes.steps().collect();
        assert_eq!(steps, [(1, 1), (2, 1), (4, 2), (8, 4), (16, 8), (32, 16), (64, 32)]);
    }
}
