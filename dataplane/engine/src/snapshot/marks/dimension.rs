use std::ops::RangeInclusive;

/// One property of packets, and for each value which rules take it: a bit each, the first rule's the lowest of the first word.
#[derive(Debug)]
pub(super) struct Dimension<V> {
    /// Where other rules begin to take values, ascending.
    bounds: Box<[V]>,
    /// The sets of rules, one after the other: below the first bound, from it to the next, and so on.
    sets: Box<[u64]>,
    /// How long a set is.
    words: usize,
}

/// Values that can be counted up.
pub(super) trait Value: Copy + Ord {
    /// The one above; `None`: it is the greatest.
    fn above(self) -> Option<Self>;
}

impl Value for u16 {
    fn above(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Value for u128 {
    fn above(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Values of which a rule takes any.
pub(super) type Taken<V> = Vec<RangeInclusive<V>>;

impl<V: Value> Dimension<V> {
    /// What each rule takes; one that says nothing takes every value. `None`: all rules say nothing.
    pub(super) fn new(rules: &[Option<Taken<V>>]) -> Option<Self> {
        if rules.iter().all(Option::is_none) {
            return None;
        }
        let words = rules.len().div_ceil(64);
        let mut taking = Taking { set: vec![0; words], times: vec![0; rules.len()] };
        let mut turns = Vec::new();
        for (rule, taken) in rules.iter().enumerate() {
            let Some(taken) = taken else {
                taking.begins(rule);
                continue;
            };
            for range in taken {
                turns.push((*range.start(), true, rule));
                turns.extend(range.end().above().map(|above| (above, false, rule)));
            }
        }
        turns.sort_unstable();
        let (mut bounds, mut sets) = (Vec::new(), taking.set.clone());
        for turns in turns.chunk_by(|one, other| one.0 == other.0) {
            for &(_, begins, rule) in turns {
                if begins { taking.begins(rule) } else { taking.ends(rule) }
            }
            bounds.extend(turns.first().map(|turn| turn.0));
            sets.extend_from_slice(&taking.set);
        }
        Some(Self { bounds: bounds.into(), sets: sets.into(), words })
    }

    /// The rules that take a value.
    pub(super) fn of(&self, value: V) -> &[u64] {
        let first = self.bounds.partition_point(|bound| *bound <= value) * self.words;
        self.sets.get(first..first + self.words).unwrap_or_default()
    }
}

/// The rules that take a value, as values go up. Ranges of one rule may overlap.
struct Taking {
    set: Vec<u64>,
    times: Vec<u32>,
}

impl Taking {
    fn begins(&mut self, rule: usize) {
        self.times[rule] += 1;
        self.set[rule / 64] |= 1 << (rule % 64);
    }

    fn ends(&mut self, rule: usize) {
        self.times[rule] -= 1;
        if self.times[rule] == 0 {
            self.set[rule / 64] &= !(1 << (rule % 64));
        }
    }
}
