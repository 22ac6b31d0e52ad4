//! How loads for weights are compared: exactly as the kernel's cross products do, by a multiplication less where that can be.

use std::hint::select_unpredictable;

/// A destination's load for its weight. Of equals the first of the list is less: so the least of some leasts is the least of
/// all.
pub(in crate::sched) trait Score: Copy + Eq {
    /// More than any.
    const NONE: Self;

    /// Of a load, for a weight, at a place of the list.
    fn new(overhead: i32, share: u32, place: u32) -> Self;

    /// The less of this and one that comes later in the list.
    fn or_later(self, later: Self) -> Self;

    /// The less of two.
    fn min(self, other: Self) -> Self;

    /// Where in the list it is, in a list whose places are within `mask`; `None` of [`NONE`](Self::NONE).
    fn place(self, mask: usize) -> Option<usize>;

    /// As two words.
    fn to_words(self) -> (u64, u64);

    /// Of two words.
    fn from_words(words: (u64, u64)) -> Self;
}

/// The load times what the weight is contained in the weights' least common multiple, and the place in the low bits: one
/// comparison of numbers. For weights that have a small one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sched) struct Scaled(i64);

impl Scaled {
    /// What the loads of these weights above 0 are multiplied by, if all of it fits a score: 31 bits of a load and 32 of
    /// this, beside places within `mask`.
    pub(in crate::sched) fn shares(weights: &[u32], mask: usize) -> Option<Vec<u32>> {
        let multiple = weights.iter().try_fold(1, |multiple, &weight| {
            let multiple = multiple / common_divisor(multiple, weight.into()) * u64::from(weight);
            (multiple <= u32::MAX.into()).then_some(multiple)
        })?;
        let share = |&weight: &u32| {
            let times = multiple / u64::from(weight);
            u32::try_from(times.checked_mul(mask as u64 + 1)?).ok()
        };
        weights.iter().map(share).collect()
    }
}

/// Of numbers above 0, by Euclid.
const fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Score for Scaled {
    const NONE: Self = Self(i64::MAX);

    #[inline(always)]
    fn new(overhead: i32, share: u32, place: u32) -> Self {
        Self(i64::from(overhead) * i64::from(share) + i64::from(place))
    }

    #[inline(always)]
    fn or_later(self, later: Self) -> Self {
        self.min(later)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(select_unpredictable(other.0 < self.0, other.0, self.0))
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the low bits")]
    fn place(self, mask: usize) -> Option<usize> {
        (self != Self::NONE).then_some(self.0.cast_unsigned() as usize & mask)
    }

    #[inline]
    fn to_words(self) -> (u64, u64) {
        (self.0.cast_unsigned(), 0)
    }

    #[inline]
    fn from_words((word, _): (u64, u64)) -> Self {
        Self(word.cast_signed())
    }
}

/// As [`Scaled`], with shares for places within 0, and the place in the low half: for places that are any number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sched) struct Aged(i128);

impl Aged {
    #[inline(always)]
    const fn scaled(self) -> i64 {
        (self.0 >> 64) as i64
    }
}

impl Score for Aged {
    const NONE: Self = Self(i128::MAX);

    #[inline(always)]
    fn new(overhead: i32, share: u32, place: u32) -> Self {
        Self(i128::from(i64::from(overhead) * i64::from(share)) << 64 | i128::from(place))
    }

    #[inline(always)]
    fn or_later(self, later: Self) -> Self {
        Self(select_unpredictable(later.scaled() < self.scaled(), later.0, self.0))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(select_unpredictable(other.0 < self.0, other.0, self.0))
    }

    #[inline(always)]
    fn place(self, mask: usize) -> Option<usize> {
        (self != Self::NONE).then_some(self.0.cast_unsigned() as usize & mask)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    fn to_words(self) -> (u64, u64) {
        (self.scaled().cast_unsigned(), self.0.cast_unsigned() as u64)
    }

    #[inline]
    fn from_words((high, low): (u64, u64)) -> Self {
        Self(i128::from(high.cast_signed()) << 64 | i128::from(low))
    }
}

/// Load and weight, compared by cross products: for all weights.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sched) struct Ratio {
    overhead: i32,
    share: u32,
    place: u32,
}

impl Ratio {
    /// The other if `take`, else this one. Which of two is less can't be foretold, and a branch that was guessed wrongly takes
    /// longer than both ways.
    #[inline(always)]
    fn or(self, other: Self, take: bool) -> Self {
        Self {
            overhead: select_unpredictable(take, other.overhead, self.overhead),
            share: select_unpredictable(take, other.share, self.share),
            place: select_unpredictable(take, other.place, self.place),
        }
    }

    /// This and the other's load, each times the other's weight.
    #[inline]
    const fn products(self, other: Self) -> (i64, i64) {
        (self.overhead as i64 * other.share as i64, other.overhead as i64 * self.share as i64)
    }
}

impl Score for Ratio {
    /// So that comparing needs no other case.
    const NONE: Self = Self { overhead: 1, share: 0, place: u32::MAX };

    #[inline(always)]
    fn new(overhead: i32, share: u32, place: u32) -> Self {
        Self { overhead, share, place }
    }

    #[inline(always)]
    fn or_later(self, later: Self) -> Self {
        let (this, that) = self.products(later);
        self.or(later, that < this)
    }

    #[inline]
    #[expect(clippy::needless_bitwise_bool, reason = "without branches")]
    fn min(self, other: Self) -> Self {
        let (this, that) = self.products(other);
        self.or(other, (that < this) | (that == this) & (other.place < self.place))
    }

    #[inline]
    fn place(self, _: usize) -> Option<usize> {
        (self.share > 0).then_some(self.place as usize)
    }

    #[inline]
    fn to_words(self) -> (u64, u64) {
        let load = u64::from(self.overhead.cast_unsigned()) << 32 | u64::from(self.share);
        (load, self.place.into())
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "halves of words")]
    fn from_words((load, place): (u64, u64)) -> Self {
        Self { overhead: (load >> 32) as i32, share: load as u32, place: place as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the loads, negative ones of the kernel's arithmetic among them, and however wide a scale that just fits.
        #[test]
        fn scaled_scores_are_ratios(
            weights in prop::collection::vec(prop_oneof![1..6_u32, Just(7919), Just(65_535), Just(0x7fff_ffff)], 2..5),
            loads in prop::collection::vec(prop_oneof![-3..8_i32, any::<i32>(), Just(i32::MIN), Just(i32::MAX)], 5),
        ) {
            let mask = weights.len().next_power_of_two() - 1;
            let Some(shares) = Scaled::shares(&weights, mask) else { return Ok(()) };
            let (mut scaled, mut ratio, mut aged, mut least) = (Scaled::NONE, Ratio::NONE, Aged::NONE, Aged::NONE);
            let aged_shares = Scaled::shares(&weights, 0).unwrap();
            let shares = shares.into_iter().zip(aged_shares);
            for (place, ((&weight, (share, aged_share)), &load)) in (0..).zip(weights.iter().zip(shares).zip(&loads)) {
                scaled = scaled.or_later(Scaled::new(load, share, place));
                ratio = ratio.or_later(Ratio::new(load, weight, place));
                prop_assert_eq!(scaled.place(mask), ratio.place(mask));
                prop_assert_eq!(Scaled::from_words(scaled.to_words()), scaled);
                prop_assert_eq!(Ratio::from_words(ratio.to_words()), ratio);
                let next = Aged::new(load, aged_share, place);
                (aged, least) = (aged.or_later(next), next.min(least));
                prop_assert_eq!((aged, aged.place(mask)), (least, ratio.place(mask)));
                prop_assert_eq!(Aged::from_words(aged.to_words()), aged);
            }
        }
    }

    #[test]
    fn weights_without_a_small_multiple_are_not_scaled() {
        const MOST: u32 = i32::MAX.cast_unsigned();
        assert_eq!(Scaled::shares(&[1; 10], 15), Some(vec![16; 10]));
        assert_eq!(Scaled::shares(&[2, 3, 6], 3), Some(vec![3 * 4, 2 * 4, 4]));
        assert_eq!(Scaled::shares(&[MOST; 2], 1), Some(vec![2; 2]));
        assert_eq!(Scaled::shares(&[1, MOST], 1), Some(vec![2 * MOST, 2]));
        assert_eq!(Scaled::shares(&[1, MOST], 3), None);
        assert_eq!(Scaled::shares(&[MOST, MOST - 1], 1), None);
        assert_eq!(Scaled::shares(&[], 0), Some(vec![]));
    }
}
