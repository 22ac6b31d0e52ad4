/// How many connections a destination takes: `ipvsadm -x`, `-y` (ipvs-facts B.9).
///
/// At the upper one it is overloaded and gets no new connections, until it has fewer than the lower one.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Thresholds {
    upper: u32,
    lower: u32,
}

impl Thresholds {
    /// Thresholds, if the lower isn't above the upper; 0 for none. IPVS keeps them as signed 32-bit numbers.
    pub const fn new(upper: u32, lower: u32) -> Option<Self> {
        if lower <= upper && upper <= i32::MAX.cast_unsigned() { Some(Self { upper, lower }) } else { None }
    }

    /// Connections from which on the destination is overloaded; 0: never.
    pub const fn upper(self) -> u32 {
        self.upper
    }

    /// What was given as connections below which it no longer is; 0: three quarters of the upper.
    pub const fn lower(self) -> u32 {
        self.lower
    }

    /// Whether the destination can be overloaded at all.
    pub const fn are_set(self) -> bool {
        self.upper > 0
    }

    /// Whether a destination with so many connections is overloaded, if it was or was not so far.
    pub const fn overloaded(self, connections: u32, so_far: bool) -> bool {
        let lower = if self.lower == 0 { self.upper - self.upper / 4 } else { self.lower };
        self.upper > 0 && (connections >= self.upper || so_far && connections >= lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_ends_lower_than_it_begins() {
        let both = Thresholds::new(4, 2).unwrap();
        let upper = Thresholds::new(4, 0).unwrap();
        for (thresholds, ends_below) in [(both, 2), (upper, 3)] {
            for connections in 0..6 {
                assert_eq!(thresholds.overloaded(connections, false), connections >= 4);
                assert_eq!(thresholds.overloaded(connections, true), connections >= ends_below, "{connections}");
            }
        }
        assert!(!Thresholds::default().overloaded(u32::MAX, true));
        assert_eq!(Thresholds::new(1, 2), None);
        assert_eq!(Thresholds::new(1 << 31, 0), None);
    }
}
