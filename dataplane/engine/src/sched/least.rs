//! The destination with the least load for its weight, without looking at all of them.
//!
//! A short list is walked. A long one is cut into groups, and each worker keeps each group's least destination: a pick looks
//! again only at groups in which a load has changed since (`live::changes`), and then compares the groups' least.

use std::marker::PhantomData;

use crate::live::{GROUP, Load};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Candidate, Request};

/// Lists up to this length are walked.
const WALKED: usize = 2 * GROUP as usize;

/// What a rule calls load and weight.
pub(super) trait Measure {
    /// The load.
    fn overhead(load: Load) -> i32;

    /// What the load is divided by.
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
    #[inline]
    fn is_less(&self, other: &Self) -> bool {
        let this = i64::from(self.overhead) * i64::from(other.share);
        let that = i64::from(other.overhead) * i64::from(self.share);
        this < that || this == that && self.place < other.place
    }
}

/// A rule's least destination of a list.
#[derive(Debug)]
pub(super) struct Least<M> {
    groups: Option<Groups>,
    _measure: PhantomData<M>,
}

/// A long list in the order of the destinations' numbers, in groups as their loads are.
#[derive(Debug)]
struct Groups {
    /// Places in the list.
    places: Box<[u32]>,
    of: Box<[Group]>,
    /// For each worker what it knows of each group.
    known: Box<[Box<[Known]>]>,
}

/// Destinations whose changes are counted together.
#[derive(Debug)]
struct Group {
    /// The number of the group.
    number: u32,
    /// Which of `places` are in it.
    begin: u32,
    end: u32,
}

/// What a worker knows of a group. Written by that worker.
#[derive(Debug)]
struct Known {
    /// Changes of the group when it was looked at; `NEVER` before.
    changes: AtomicU64,
    /// `overhead:32 | share:32` of the least destination; a share of 0: none is eligible.
    load: AtomicU64,
    /// Its place.
    place: AtomicU64,
}

const NEVER: u64 = u64::MAX;

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
            None => least::<M>(candidates, 0..u32::try_from(candidates.len()).unwrap_or(0), request),
            Some(groups) => groups.least::<M>(candidates, request),
        };
        least.map(|score| score.place as usize)
    }
}

/// The least of some places.
#[inline]
fn least<M: Measure>(
    candidates: &[Candidate],
    places: impl Iterator<Item = u32>,
    request: &Request<'_>,
) -> Option<Score> {
    let mut least: Option<Score> = None;
    for place in places {
        let Candidate { id, weight } = candidates[place as usize];
        let load = request.live.of(id);
        if weight > 0 && !load.overloaded {
            let score = Score { overhead: M::overhead(load), share: M::share(weight), place };
            if least.is_none_or(|least| score.is_less(&least)) {
                least = Some(score);
            }
        }
    }
    least
}

impl Groups {
    fn new(candidates: &[Candidate], workers: usize) -> Self {
        let number = |place: u32| candidates[place as usize].id.0;
        let group = |place: u32| number(place) / GROUP;
        let mut places: Vec<u32> = (0..).zip(candidates).map(|(place, _)| place).collect();
        places.sort_unstable_by_key(|&place| number(place));
        let mut begin = 0;
        let groups: Box<[_]> = places
            .chunk_by(|&a, &b| group(a) == group(b))
            .map(|places| {
                let end = begin + u32::try_from(places.len()).unwrap_or(0);
                let group = Group { number: group(places[0]), begin, end };
                begin = end;
                group
            })
            .collect();
        let known = (0..workers).map(|_| groups.iter().map(|_| Known::default()).collect()).collect();
        Self { places: places.into(), of: groups, known }
    }

    #[inline]
    fn least<M: Measure>(&self, candidates: &[Candidate], request: &Request<'_>) -> Option<Score> {
        let known = self.known.get(request.worker)?;
        let mut least: Option<Score> = None;
        for (group, known) in self.of.iter().zip(known) {
            let changes = request.live.changes(group.number);
            if known.changes.load(Relaxed) != changes {
                known.look_again::<M>(changes, candidates, self.places_of(group), request);
            }
            if let Some(score) = known.least()
                && least.is_none_or(|least| score.is_less(&least))
            {
                least = Some(score);
            }
        }
        least
    }

    fn places_of(&self, group: &Group) -> &[u32] {
        &self.places[group.begin as usize..group.end as usize]
    }
}

impl Default for Known {
    fn default() -> Self {
        Self { changes: AtomicU64::new(NEVER), load: AtomicU64::new(0), place: AtomicU64::new(0) }
    }
}

impl Known {
    /// Finds the group's least destination. Loads are read after `changes` were: what changes meanwhile is seen next time.
    fn look_again<M: Measure>(&self, changes: u64, candidates: &[Candidate], places: &[u32], request: &Request<'_>) {
        let none = Score { overhead: 0, share: 0, place: 0 };
        let score = least::<M>(candidates, places.iter().copied(), request).unwrap_or(none);
        self.load
            .store(u64::from(score.overhead.cast_unsigned()) << 32 | u64::from(score.share.cast_unsigned()), Relaxed);
        self.place.store(score.place.into(), Relaxed);
        self.changes.store(changes, Relaxed);
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "halves of words")]
    fn least(&self) -> Option<Score> {
        let load = self.load.load(Relaxed);
        let place = self.place.load(Relaxed) as u32;
        let score = Score { overhead: (load >> 32) as i32, share: load as i32, place };
        (score.share > 0).then_some(score)
    }
}
