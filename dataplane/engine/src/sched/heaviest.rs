//! Destinations by their weight.

use super::Candidate;

/// Places of the destinations with a weight: the heaviest first, of equals the first of the list.
#[derive(Debug)]
pub(super) struct Order(Box<[u32]>);

impl Order {
    pub(super) fn new(candidates: &[Candidate]) -> Self {
        let mut order: Vec<u32> = (0..).zip(candidates).filter(|(_, c)| c.weight > 0).map(|(at, _)| at).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(candidates[at as usize].weight));
        Self(order.into())
    }

    /// The places in order.
    #[inline]
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|&at| at as usize)
    }
}
