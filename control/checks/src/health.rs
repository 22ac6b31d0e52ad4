/// Whether a real server is up, by one check: it takes several probes in a row to change that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Health {
    rise: u32,
    fall: u32,
    is_up: bool,
    /// Probes in a row that speak against `is_up`.
    streak: u32,
    /// Nothing is known yet: the first probe decides.
    is_fresh: bool,
}

impl Health {
    /// Up until the first probe says otherwise: a director that is started anew interrupts nobody, and a real server that
    /// is down at its start gets no more than one interval's connections.
    pub const fn new(rise: u32, fall: u32) -> Self {
        Self { rise, fall, is_up: true, streak: 0, is_fresh: true }
    }

    /// Whether it is up.
    pub const fn is_up(&self) -> bool {
        self.is_up
    }

    /// Probes in a row that spoke against what [`is_up`](Self::is_up) says, and how many it takes.
    pub const fn doubts(&self) -> (u32, u32) {
        (self.streak, if self.is_up { self.fall } else { self.rise })
    }

    /// Takes a probe's outcome; whether `is_up` is another now.
    pub const fn told(&mut self, passed: bool) -> bool {
        let is_first = core::mem::replace(&mut self.is_fresh, false);
        if passed == self.is_up {
            self.streak = 0;
            return false;
        }
        self.streak += 1;
        let (streak, needed) = self.doubts();
        if streak < needed && !is_first {
            return false;
        }
        self.is_up = passed;
        self.streak = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(health: &mut Health, outcomes: &[bool]) -> Vec<bool> {
        outcomes.iter().map(|&passed| health.told(passed)).collect()
    }

    #[test]
    fn it_falls_after_failures_in_a_row_and_rises_after_passes_in_a_row() {
        let mut health = Health::new(2, 3);
        assert_eq!(
            told(&mut health, &[true, false, false, true, false, false, false]),
            [false, false, false, false, false, false, true]
        );
        assert!(!health.is_up());
        assert_eq!(told(&mut health, &[true, false, true, true]), [false, false, false, true]);
        assert!(health.is_up());
    }

    #[test]
    fn the_first_probe_decides_at_once() {
        let mut health = Health::new(5, 5);
        assert!(health.told(false));
        assert!(!health.is_up());
        assert!(!health.told(true));
    }

    proptest! {
        #[test]
        fn it_changes_exactly_when_the_last_outcomes_agree(
            rise in 1..5u32, fall in 1..5u32, outcomes in prop::collection::vec(any::<bool>(), 1..60)
        ) {
            let mut health = Health::new(rise, fall);
            for at in 0..outcomes.len() {
                let was_up = health.is_up();
                let changed = health.told(outcomes[at]);
                let row = outcomes[..=at].iter().rev().take_while(|&&passed| passed != was_up).count();
                let needed = if was_up { fall } else { rise };
                prop_assert_eq!(changed, row >= needed as usize || at == 0 && row == 1);
                prop_assert_eq!(health.is_up(), was_up != changed);
            }
        }
    }
}
