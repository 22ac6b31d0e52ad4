/// Whether enough of a service's real servers are up, by their weights, as keepalived counts them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quorum {
    needed: u64,
    hysteresis: u64,
    is_met: bool,
}

impl Quorum {
    /// Met until it is not.
    pub fn new(needed: u32, hysteresis: u32) -> Self {
        Self { needed: needed.into(), hysteresis: hysteresis.into(), is_met: true }
    }

    /// Whether it is met.
    pub const fn is_met(&self) -> bool {
        self.is_met
    }

    /// What is needed, from now on.
    pub fn set(&mut self, needed: u32, hysteresis: u32) {
        (self.needed, self.hysteresis) = (needed.into(), hysteresis.into());
    }

    /// Takes the sum of weights of real servers that are up; whether it is met has changed.
    ///
    /// It is lost below the quorum less the hysteresis, and is met again from the quorum plus the hysteresis on. Without
    /// any weight it is lost.
    pub const fn told(&mut self, weights: u64) -> bool {
        let is_met = if self.is_met {
            weights > 0 && weights >= self.needed.saturating_sub(self.hysteresis)
        } else {
            weights >= self.needed + self.hysteresis
        };
        let changed = is_met != self.is_met;
        self.is_met = is_met;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(needed: u32, hysteresis: u32, weights: &[u64]) -> Vec<bool> {
        let mut quorum = Quorum::new(needed, hysteresis);
        weights
            .iter()
            .map(|&weights| {
                quorum.told(weights);
                quorum.is_met()
            })
            .collect()
    }

    #[test]
    fn the_hysteresis_keeps_it_from_flapping() {
        assert_eq!(met(4, 2, &[6, 3, 2, 1, 2, 4, 5, 6, 5]), [true, true, true, false, false, false, false, true, true]);
        assert_eq!(met(1, 0, &[1, 0, 1]), [true, false, true]);
    }

    #[test]
    fn nothing_is_never_enough() {
        assert_eq!(met(2, 1, &[1, 0, 2, 3]), [true, false, false, true]);
    }
}
