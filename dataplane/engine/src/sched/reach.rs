//! The next destination that reaches a weight, in a number of steps that grows with the logarithm of the list.

use super::Candidate;

/// A binary tree of maxima over the weights of a list: a node's is the greater of its two children's, leaves come last.
#[derive(Debug)]
pub(super) struct Reach {
    maxima: Box<[i32]>,
    leaves: usize,
}

impl Reach {
    pub(super) fn new(candidates: &[Candidate]) -> Self {
        let leaves = candidates.len().next_power_of_two();
        // Below every weight, so that the leaves beyond the list reach none.
        let mut maxima = vec![i32::MIN; 2 * leaves];
        for (leaf, candidate) in maxima[leaves..].iter_mut().zip(candidates) {
            *leaf = candidate.weight;
        }
        for node in (1..leaves).rev() {
            maxima[node] = maxima[2 * node].max(maxima[2 * node + 1]);
        }
        Self { maxima: maxima.into(), leaves }
    }

    /// The first place from `from` on with at least this weight.
    #[inline]
    pub(super) fn next(&self, from: usize, weight: i32) -> Option<usize> {
        if from >= self.leaves {
            return None;
        }
        let mut node = self.leaves + from;
        // Up, to the first subtree on the right that has one: the next to the right of a right child is its parent's next.
        while self.maxima[node] < weight {
            while node % 2 == 1 {
                node /= 2;
            }
            if node == 0 {
                return None;
            }
            node += 1;
        }
        while node < self.leaves {
            node *= 2;
            if self.maxima[node] < weight {
                node += 1;
            }
        }
        Some(node - self.leaves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::DestinationId;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_a_walk_finds(weights in prop::collection::vec(0..9, 0..70), from in 0..80_usize, weight in 0..10) {
            let candidates: Vec<_> = weights.iter().map(|&weight| Candidate { id: DestinationId(0), weight }).collect();
            let walked = (from..weights.len()).find(|&at| weights[at] >= weight);
            prop_assert_eq!(Reach::new(&candidates).next(from, weight), walked);
        }
    }
}
