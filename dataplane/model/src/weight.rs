use std::fmt;

/// A destination's share of new connections. 0 is quiescent: existing connections go on, no new one is given to it.
///
/// IPVS keeps weights as signed 32-bit numbers that are never negative (ipvs-facts A.0).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Weight(i32);

impl Weight {
    /// No new connections.
    pub const QUIESCENT: Self = Self(0);

    /// A weight, if it is in 0 ..= 2147483647.
    pub const fn new(value: i64) -> Option<Self> {
        if value >= 0 && value <= i32::MAX as i64 {
            #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
            Some(Self(value as i32))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl Default for Weight {
    /// 1, as ipvsadm's.
    fn default() -> Self {
        Self(1)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
