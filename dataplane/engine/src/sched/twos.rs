//! Power of two choices (ipvs-facts A.9): of two destinations drawn by weight, the one with less load for it.

use super::memory::Cell;
use super::{Candidate, Listed, Request};

/// The weights of a list added up.
#[derive(Debug)]
pub(super) struct Shares {
    /// For each place the weights up to it. A destination is drawn by its search in this, as long as none is overloaded.
    sums: Box<[u64]>,
    /// Whether a destination has thresholds: else none is ever overloaded.
    limited: bool,
}

impl Shares {
    pub(super) fn new(listed: &[Listed]) -> Self {
        let weights = listed.iter().map(|one| weight(one.candidate));
        let sums = weights.scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { sums: sums.collect(), limited: listed.iter().any(|one| one.limited) }
    }

    /// The destination that a number from 0 to the sum of the weights falls on: the first whose own sum reaches it.
    fn at(&self, number: u64) -> usize {
        // 0 falls on the first that has a weight, as 1 does.
        self.sums.partition_point(|&sum| sum < number.max(1))
    }
}

/// Where a worker's numbers begin. Nobody gains by knowing them: they decide between servers of one service.
pub(super) fn seed(worker: usize) -> u64 {
    worker as u64 + 1
}

pub(super) fn pick(candidates: &[Candidate], shares: &Shares, cell: &Cell, request: &Request<'_>) -> Option<usize> {
    let mut random = Random(cell.word());
    let drawn = if shares.limited {
        among_eligible(candidates, &mut random, request)
    } else {
        let all = shares.sums.last().copied().filter(|&all| all > 0);
        all.map(|all| [shares.at(random.up_to(all)), shares.at(random.up_to(all))])
    };
    cell.set_word(random.0);
    let [first, second] = drawn?;
    Some(if is_less(candidates[second], candidates[first], request) { second } else { first })
}

/// Draws two by walking, as the kernel does: what is overloaded has no share.
fn among_eligible(candidates: &[Candidate], random: &mut Random, request: &Request<'_>) -> Option<[usize; 2]> {
    let eligible = || candidates.iter().enumerate().filter(|(_, candidate)| request.is_eligible(**candidate));
    let all = eligible().map(|(_, candidate)| weight(*candidate)).sum::<u64>();
    let mut draw = || {
        let mut left = random.up_to(all);
        let mut walk = eligible().map(|(at, candidate)| (at, weight(*candidate)));
        walk.find(|(_, weight)| {
            let reached = left <= *weight;
            left = left.saturating_sub(*weight);
            reached
        })
    };
    Some([draw()?.0, draw()?.0])
}

/// Whether `this` has less load for its weight than `that`, in 32 bits as the kernel computes it.
fn is_less(this: Candidate, that: Candidate, request: &Request<'_>) -> bool {
    let [this_load, that_load] = [this, that].map(|candidate| request.live.of(candidate.id).overhead());
    this.weight.wrapping_mul(that_load) > that.weight.wrapping_mul(this_load)
}

fn weight(candidate: Candidate) -> u64 {
    u64::try_from(candidate.weight).unwrap_or(0)
}

/// `SplitMix64`: every state leads to another one, so a worker's word is all it needs.
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number from 0 to `most`, each as likely up to 2^-32.
    const fn up_to(&mut self, most: u64) -> u64 {
        ((self.next() as u128 * (most as u128 + 1)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::LiveConnections;
    use crate::sched::{Cells, Memory};
    use crate::snapshot::DestinationId;
    use crate::time::Ticks;
    use ulvs_model::{SchedulerKind, Thresholds};
    use ulvs_wire::FlowKey;

    /// How often each of four destinations is picked when no connection ever ends or begins.
    fn picked(weights: [i32; 4], live: &LiveConnections, limited: bool) -> [u32; 4] {
        let candidates = [0, 1, 2, 3].map(|at| Candidate { id: DestinationId(at), weight: weights[at as usize] });
        let listed = candidates.map(|candidate| Listed {
            candidate,
            generation: 0,
            last_weight: candidate.weight,
            limited,
            address: ([10, 0, 0, 1], 80).into(),
        });
        let shares = Shares::new(&listed);
        let memory =
            Memory::bind(SchedulerKind::Twos, &mut Cells::new(1), ulvs_wire::FlowHasher::new([1, 2, 3]), &candidates);
        let request = Request { key: &FlowKey::default(), worker: 0, live, now: Ticks(0) };
        let mut counts = [0; 4];
        for _ in 0..40_000 {
            if let Some(at) = pick(&candidates, &shares, memory.cell(0).unwrap(), &request) {
                counts[at] += 1;
            }
        }
        counts
    }

    fn is_near(counts: [u32; 4], expected: [u32; 4]) -> bool {
        counts.iter().zip(expected).all(|(count, expected)| count.abs_diff(expected) < 700)
    }

    /// Without load the first choice counts, so shares are those of the weights; with load on one, it is taken only if both
    /// choices fall on it. The search and the walk draw alike.
    #[test]
    fn of_two_drawn_by_weight_the_one_with_less_load_is_taken() {
        for limited in [false, true] {
            let live = LiveConnections::new(4).unwrap();
            let counts = picked([1000, 2000, 0, 1000], &live, limited);
            assert!(is_near(counts, [10_000, 20_000, 0, 10_000]), "{counts:?}");
            live.opened(DestinationId(1), true);
            let counts = picked([1000, 2000, 0, 1000], &live, limited);
            assert!(is_near(counts, [15_000, 10_000, 0, 15_000]), "{counts:?}");
            assert_eq!(picked([0; 4], &live, limited), [0; 4]);
        }
    }

    #[test]
    fn what_is_overloaded_is_not_drawn() {
        let live = LiveConnections::new(4).unwrap();
        live.opened(DestinationId(1), false);
        live.limit(DestinationId(1), Thresholds::new(1, 0).unwrap());
        let counts = picked([1000, 2000, 1000, 0], &live, true);
        assert!(is_near(counts, [20_000, 0, 20_000, 0]), "{counts:?}");
    }
}
