//! Time as the datapath knows it: an argument, never asked for.

/// Ticks in a second: 7.8 ms, finer than any timeout of IPVS, which are in seconds.
pub const TICKS_PER_SECOND: u32 = 128;

/// A moment, in ticks since some origin; wraps after 388 days and compares right over half of that.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ticks(pub u32);

impl Ticks {
    /// The moment `seconds` after the origin.
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds.wrapping_mul(TICKS_PER_SECOND))
    }

    /// Ticks from `earlier` until now; 0 if `earlier` is really later (another worker's clock is ahead by a tick).
    #[inline]
    #[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "wrapping arithmetic over half the range")]
    pub const fn since(self, earlier: Self) -> u32 {
        let elapsed = self.0.wrapping_sub(earlier.0) as i32;
        if elapsed < 0 { 0 } else { elapsed as u32 }
    }
}

/// Ticks in `seconds`, at most half the range of [`Ticks`].
pub const fn ticks(seconds: u32) -> u32 {
    const LONGEST: u32 = i32::MAX as u32 / TICKS_PER_SECOND;
    (if seconds > LONGEST { LONGEST } else { seconds }) * TICKS_PER_SECOND
}
