use super::Destination;

/// What keeps a destination from its configured share of new connections. Its settings stay what they are: they hold again
/// when nothing keeps it any more, and whoever edits it meanwhile edits them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Hold {
    /// What health checks have found.
    pub checked: Checked,
    /// What an operator wants.
    pub drain: Drain,
}

/// What a destination's health checks have found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Checked {
    /// Nothing that speaks against it.
    #[default]
    Well,
    /// It is to have so many percent of its weight.
    Percent(u16),
    /// It is to have so many percent of this weight instead of its own.
    Weight(i32, u16),
    /// It is down, and keeps its connections.
    Inhibited,
    /// It is down, and is not forwarded to.
    Removed,
}

/// Whether a destination is being emptied.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Drain {
    /// It is not.
    #[default]
    No,
    /// It keeps its connections and gets no new ones; until then at the latest, if there is a time, and then it is
    /// [`Removed`](Self::Removed).
    Quiescent(Option<Deadline>),
    /// It was emptied, and is not forwarded to.
    Removed,
}

/// A time in seconds since 1970: it means the same after a restart.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Deadline(pub u64);

impl Destination {
    /// The weight it is forwarded to with; none: it is not. What is not forwarded to is not listed by netlink, as on a kernel
    /// from which a health checker has removed it.
    pub fn weight(&self) -> Option<i32> {
        let Hold { checked, drain } = self.hold;
        match (checked, drain) {
            (Checked::Removed, _) | (_, Drain::Removed) => None,
            (Checked::Inhibited, _) | (_, Drain::Quiescent(_)) => Some(0),
            (Checked::Well, Drain::No) => Some(self.settings.weight),
            (Checked::Percent(percent), Drain::No) => Some(part(self.settings.weight, percent)),
            (Checked::Weight(weight, percent), Drain::No) => Some(part(weight, percent)),
        }
    }
}

/// Some percent of a weight: none only of nothing, and by 0 percent.
fn part(weight: i32, percent: u16) -> i32 {
    let exact = i64::from(weight) * i64::from(percent);
    i32::try_from((exact + 50) / 100).unwrap_or(i32::MAX).max(i32::from(exact > 0))
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_part_of_a_weight_is_rounded_but_never_away() {
        let cases =
            [(1, 100, 1), (1, 10, 1), (1, 0, 0), (0, 50, 0), (10, 25, 3), (10, 24, 2), (i32::MAX, 1000, i32::MAX)];
        for (weight, percent, expected) in cases {
            assert_eq!(part(weight, percent), expected, "{percent} % of {weight}");
        }
    }
}
