//! The destination with the least load for its weight, without looking at all of them.
//!
//! A short list is walked. A long one is cut into groups, and each worker keeps each group's least destination in a tree of
//! winners: a pick looks again only at groups in which a load has changed since (`live::changes`), and plays only their games.

use std::hint::select_unpredictable;
use std::marker::PhantomData;
use std::ops::Range;

use crate::live::{GROUP, Load};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Candidate, Request};

/// Lists up to this length are walked.
const WALKED: usize = 2 * GROUP as usize;

/// What a rule calls load and weight.
pub(super) trait Measure {
    /// The load.
    fn overhead(load: Load) -> i32;

    /// What the load is divided by; of weights above 0.
    #[inline]
    fn share(weight: i32) -> i32 {
        weight
    }
}

/// A destination's load for its weight. Compared by cross products as the kernel does, and of equals the first of the list is
/// less: so the least of some leasts is the least of all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Score {
    overhead: i32,
    share: i32,
    place: u32,
}

impl Score {
    /// More than any: so comparing needs no other case.
    const NONE: Self = Self { overhead: 1, share: 0, place: u32::MAX };

    /// The less of this and a destination's; of equals this one.
    #[inline(always)]
    #[expect(clippy::needless_bitwise_bool, reason = "without branches")]
    fn or_less<M: Measure>(self, place: u32, candidate: Candidate, request: &Request<'_>) -> Self {
        let load = request.live.of(candidate.id);
        let other = Self { overhead: M::overhead(load), share: M::share(candidate.weight), place };
        let (this, that) = self.products(other);
        self.or(other, (that < this) & (candidate.weight > 0) & !load.overloaded)
    }

    /// The less of two; of equals the first of the list.
    #[inline]
    #[expect(clippy::needless_bitwise_bool, reason = "without branches")]
    fn min(self, other: Self) -> Self {
        let (this, that) = self.products(other);
        self.or(other, (that < this) | (that == this) & (other.place < self.place))
    }

    /// The other if `take`, else this one. Which of two is less can't be foretold, and a branch that was guessed wrongly takes
    /// longer than both ways.
    #[inline(always)]
    fn or(self, other: Self, take: bool) -> Self {
        Self {
            overhead: select_unpredictable(take, other.overhead, self.overhead),
            share: select_unpredictable(take, other.share, self.share),
            place: select_unpredictable(take, other.place, self.place),
        }
    }

    /// This and the other's load, each times the other's weight.
    #[inline]
    const fn products(self, other: Self) -> (i64, i64) {
        (self.overhead as i64 * other.share as i64, other.overhead as i64 * self.share as i64)
    }
}

/// A rule's least destination of a list.
#[derive(Debug)]
pub(super) struct Least<M> {
    groups: Option<Groups>,
    _measure: PhantomData<M>,
}

impl<M: Measure> Least<M> {
    pub(super) fn new(candidates: &[Candidate], workers: usize) -> Self {
        let groups = (candidates.len() > WALKED).then(|| Groups::new(candidates, workers));
        Self { groups, _measure: PhantomData }
    }

    /// Whether changes of these destinations' loads must be counted.
    pub(super) const fn is_grouped(&self) -> bool {
        self.groups.is_some()
    }

    /// The eligible destination with the least load; of equals the first.
    #[inline]
    pub(super) fn pick(&self, candidates: &[Candidate], request: &Request<'_>) -> Option<usize> {
        let least = match &self.groups {
            None => least::<M, _>(candidates, |at, &candidate| (candidate, at), request),
            Some(groups) => groups.least::<M>(request)?,
        };
        (least.share > 0).then_some(least.place as usize)
    }
}

/// The least of some destinations, of which `place` tells where in the list each is, in the order of these. Two halves side
/// by side: comparing takes longer than all the rest, and no half waits for the other.
#[inline]
fn least<M: Measure, T>(some: &[T], place: impl Fn(u32, &T) -> (Candidate, u32), request: &Request<'_>) -> Score {
    let (first, second) = some.split_at(some.len() / 2);
    let less = |least: Score, at: u32, one: &T| {
        let (candidate, place) = place(at, one);
        least.or_less::<M>(place, candidate, request)
    };
    let (mut least, mut least_of_second, mut at) = (Score::NONE, Score::NONE, 0);
    let half = u32::try_from(first.len()).unwrap_or(u32::MAX);
    for (one, other) in first.iter().zip(second) {
        least = less(least, at, one);
        least_of_second = less(least_of_second, half + at, other);
        at += 1;
    }
    if let Some(last) = second.get(first.len()) {
        least_of_second = less(least_of_second, half + at, last);
    }
    least.min(least_of_second)
}

/// A long list cut into groups, as the loads are by the destinations' numbers.
#[derive(Debug)]
struct Groups {
    /// Destinations with their places.
    destinations: Box<[(Candidate, u32)]>,
    /// Which of `destinations` are in each group.
    members: Box<[Range<u32>]>,
    runs: Box<[Run]>,
    /// What each worker knows of the groups.
    known: Box<[Known]>,
}

/// Groups whose numbers follow each other: most lists are one run, and are compared as two rows of numbers.
#[derive(Debug)]
struct Run {
    numbers: Range<u32>,
    /// Where the first of them is among the groups of the list.
    begin: usize,
}

impl Groups {
    fn new(candidates: &[Candidate], workers: usize) -> Self {
        let mut destinations: Box<[_]> = candidates.iter().copied().zip(0..).collect();
        let group = |(candidate, _): &(Candidate, u32)| candidate.id.0 / GROUP;
        // Stable: those of a group stay in the list's order.
        destinations.sort_by_key(group);
        let (mut members, mut runs): (Vec<Range<u32>>, Vec<Run>) = (Vec::new(), Vec::new());
        for chunk in destinations.chunk_by(|a, b| group(a) == group(b)) {
            let (begin, number) = (members.last().map_or(0, |before| before.end), group(&chunk[0]));
            match runs.last_mut().filter(|run| run.numbers.end == number) {
                Some(run) => run.numbers.end += 1,
                None => runs.push(Run { numbers: number..number + 1, begin: members.len() }),
            }
            members.push(begin..begin + u32::try_from(chunk.len()).unwrap_or(0));
        }
        let known = (0..workers).map(|_| Known::new(members.len())).collect();
        Self { destinations, members: members.into(), runs: runs.into(), known }
    }

    #[inline]
    fn least<M: Measure>(&self, request: &Request<'_>) -> Option<Score> {
        let known = self.known.get(request.worker)?;
        for run in &self.runs {
            let changes = request.live.changes(run.numbers.clone());
            for (at, (changes, seen)) in changes.zip(&known.changes[run.begin..]).enumerate() {
                if seen.load(Relaxed) != changes {
                    // Loads are read after `changes` were: what changes meanwhile is seen next time.
                    known.set(run.begin + at, self.least_of::<M>(run.begin + at, request));
                    seen.store(changes, Relaxed);
                }
            }
        }
        Some(known.winner())
    }

    #[inline(never)]
    fn least_of<M: Measure>(&self, group: usize, request: &Request<'_>) -> Score {
        let Range { start, end } = self.members[group];
        least::<M, _>(&self.destinations[start as usize..end as usize], |_, &one| one, request)
    }
}

/// What a worker knows of groups. Written by that worker.
#[derive(Debug)]
struct Known {
    /// Changes of each group when it was looked at; `NEVER` before.
    changes: Box<[AtomicU64]>,
    /// Winners, the less of two children in each node, and each group's least in the leaves, which come last.
    winners: Box<[Winner]>,
}

/// A score: `overhead:32 | share:32`, and the place.
#[derive(Debug)]
struct Winner(AtomicU64, AtomicU64);

const NEVER: u64 = u64::MAX;

impl Known {
    fn new(groups: usize) -> Self {
        let winner = || {
            let winner = Winner(AtomicU64::new(0), AtomicU64::new(0));
            winner.set(Score::NONE);
            winner
        };
        Self {
            changes: (0..groups).map(|_| AtomicU64::new(NEVER)).collect(),
            winners: (0..2 * groups.next_power_of_two()).map(|_| winner()).collect(),
        }
    }

    /// Sets a group's least, and plays its games up to the root.
    fn set(&self, group: usize, least: Score) {
        let mut node = self.winners.len() / 2 + group;
        self.winners[node].set(least);
        let mut winner = least;
        while node > 1 {
            winner = winner.min(self.winners[node ^ 1].get());
            node /= 2;
            self.winners[node].set(winner);
        }
    }

    #[inline]
    fn winner(&self) -> Score {
        self.winners[1].get()
    }
}

impl Winner {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "halves of words")]
    fn get(&self) -> Score {
        let load = self.0.load(Relaxed);
        Score { overhead: (load >> 32) as i32, share: load as i32, place: self.1.load(Relaxed) as u32 }
    }

    #[inline]
    fn set(&self, score: Score) {
        self.0.store(u64::from(score.overhead.cast_unsigned()) << 32 | u64::from(score.share.cast_unsigned()), Relaxed);
        self.1.store(score.place.into(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::LiveConnections;
    use crate::sched::{lc::Lc, nq::Nq, sed::Sed, wlc::Wlc};
    use crate::snapshot::DestinationId;
    use crate::time::Ticks;
    use proptest::prelude::*;
    use ulvs_model::Thresholds;
    use ulvs_wire::FlowKey;

    /// The kernel's walks, as ipvs-facts A.3 to A.6 tell them.
    fn walks(list: &[Candidate], live: &LiveConnections) -> [Option<usize>; 4] {
        let loads: Vec<_> = list.iter().map(|one| live.of(one.id)).collect();
        let eligible: Vec<_> = (0..list.len()).filter(|&at| list[at].weight > 0 && !loads[at].overloaded).collect();
        let by_weight = |overhead: &dyn Fn(Load) -> i64| {
            let mut walk = eligible.iter().copied();
            let first = walk.next()?;
            Some(walk.fold(first, |least, at| {
                let [least_weight, weight] = [least, at].map(|at| i64::from(list[at].weight));
                if overhead(loads[least]) * weight > overhead(loads[at]) * least_weight { at } else { least }
            }))
        };
        let overhead = |load: Load| 256 * i64::from(load.active) + i64::from(load.total);
        let lc = eligible.iter().copied().min_by_key(|&at| overhead(loads[at]));
        let sed = by_weight(&|load| i64::from(load.active) + 1);
        let idle = eligible.iter().copied().find(|&at| loads[at].active == 0);
        [lc, by_weight(&overhead), sed, idle.or(sed)]
    }

    struct Leasts(Least<Lc>, Least<Wlc>, Least<Sed>, Least<Nq>);

    impl Leasts {
        fn new(list: &[Candidate]) -> Self {
            Self(Least::new(list, 2), Least::new(list, 2), Least::new(list, 2), Least::new(list, 2))
        }

        fn pick(&self, list: &[Candidate], live: &LiveConnections, worker: usize) -> [Option<usize>; 4] {
            let request = Request { key: &FlowKey::default(), worker, live, now: Ticks(0) };
            let Self(lc, wlc, sed, nq) = self;
            [lc.pick(list, &request), wlc.pick(list, &request), sed.pick(list, &request), nq.pick(list, &request)]
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Open(usize, bool),
        End(usize),
        Become(usize),
        Limit(usize, u32),
        Weigh(usize, i32),
        Add(i32),
        Remove(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let one = 0..90_usize;
        prop_oneof![
            8 => (one.clone(), any::<bool>()).prop_map(|(at, active)| Step::Open(at, active)),
            4 => one.clone().prop_map(Step::End),
            4 => one.clone().prop_map(Step::Become),
            2 => (one.clone(), 0..4_u32).prop_map(|(at, upper)| Step::Limit(at, upper)),
            1 => (one.clone(), 0..5).prop_map(|(at, weight)| Step::Weigh(at, weight)),
            1 => (0..5).prop_map(Step::Add),
            1 => one.prop_map(Step::Remove),
        ]
    }

    /// Changes a load as it can change.
    fn change(live: &LiveConnections, id: DestinationId, step: Step) {
        let load = live.of(id);
        match step {
            Step::Open(_, active) => live.opened(id, active),
            Step::End(_) if load.inactive() > 0 => live.ended(id, false),
            Step::End(_) if load.active > 0 => live.ended(id, true),
            Step::Become(_) if load.inactive() > 0 => live.became(id, true),
            Step::Become(_) if load.active > 0 => live.became(id, false),
            Step::Limit(_, upper) => live.limit(id, Thresholds::new(upper, 0).unwrap()),
            _ => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Whatever changes between two picks, by whichever of two workers: each pick is the walk's.
        #[test]
        fn it_picks_as_a_walk_does(
            weights in prop::collection::vec(prop_oneof![Just(0), Just(1), 1..5], 1..90),
            numbers in Just((0..128).collect::<Vec<u32>>()).prop_shuffle(),
            steps in prop::collection::vec((step(), any::<bool>()), 1..200),
        ) {
            let live = LiveConnections::new(128).unwrap();
            let mut numbers = numbers.into_iter().map(DestinationId);
            let new = |id, weight| {
                live.watch(id, true);
                Candidate { id, weight }
            };
            let mut list: Vec<_> = numbers.by_ref().zip(weights).map(|(id, weight)| new(id, weight)).collect();
            let mut leasts = Leasts::new(&list);
            for (step, worker) in steps {
                match step {
                    Step::Add(weight) => list.splice(..0, numbers.next().map(|id| new(id, weight))).for_each(drop),
                    Step::Weigh(at, weight) if !list.is_empty() => {
                        let at = at % list.len();
                        list[at].weight = weight;
                    }
                    Step::Remove(at) if !list.is_empty() => drop(list.remove(at % list.len())),
                    Step::Open(at, _) | Step::End(at) | Step::Become(at) | Step::Limit(at, _) if !list.is_empty() => {
                        change(&live, list[at % list.len()].id, step);
                    }
                    _ => {}
                }
                if matches!(step, Step::Add(_) | Step::Weigh(..) | Step::Remove(_)) {
                    leasts = Leasts::new(&list);
                }
                prop_assert_eq!(leasts.pick(&list, &live, worker.into()), walks(&list, &live));
            }
        }
    }
}
