//! The destination with the least load for its weight, without looking at all of them.
//!
//! A short list is walked. A long one is cut into groups, and each worker keeps each group's least destination in a tree of
//! winners: a pick looks again only at groups in which a load has changed since (`live::changes`), and plays only their games.

mod groups;
mod score;
#[cfg(test)]
mod tests;

use std::hint::select_unpredictable;
use std::marker::PhantomData;

use crate::live::{GROUP, LiveConnections, Load};
use crate::prefetch::prefetch;
use crate::snapshot::DestinationId;

use super::{Candidate, Request};
use groups::Groups;
pub(super) use score::{Aged, Ratio, Scaled, Score};

/// Lists up to this length are walked.
pub(super) const WALKED: usize = 2 * GROUP as usize;

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

/// A rule's least destination of a list.
#[derive(Debug)]
pub(super) struct Least<M> {
    members: Members,
    _measure: PhantomData<M>,
}

/// Those of a list that have a weight, by how they are compared.
#[derive(Debug)]
enum Members {
    Scaled(List<Scaled>),
    Ratios(List<Ratio>),
}

#[derive(Debug)]
struct List<S> {
    /// In the list's order, or by groups.
    members: Box<[Member]>,
    groups: Option<Groups>,
    /// All places of the list are within it.
    mask: usize,
    _score: PhantomData<S>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    id: DestinationId,
    /// What its scores are made with.
    share: u32,
    /// Where in the list it is.
    place: u32,
}

impl<M: Measure> Least<M> {
    pub(super) fn new(candidates: &[Candidate], workers: usize) -> Self {
        let weighed = || candidates.iter().zip(0..).filter(|(candidate, _)| candidate.weight > 0);
        let shares: Vec<_> = weighed().map(|(candidate, _)| M::share(candidate.weight).unsigned_abs()).collect();
        let members = |shares: Vec<u32>| {
            let member = |((one, place), share): ((&Candidate, _), _)| Member { id: one.id, share, place };
            weighed().zip(shares).map(member).collect()
        };
        let mask = candidates.len().next_power_of_two() - 1;
        let members = match Scaled::shares(&shares, mask) {
            Some(shares) => Members::Scaled(List::new(members(shares), mask, workers)),
            None => Members::Ratios(List::new(members(shares), mask, workers)),
        };
        Self { members, _measure: PhantomData }
    }

    /// Whether changes of these destinations' loads must be counted.
    pub(super) const fn is_grouped(&self) -> bool {
        match &self.members {
            Members::Scaled(list) => list.groups.is_some(),
            Members::Ratios(list) => list.groups.is_some(),
        }
    }

    /// Asks for the list's first lines.
    pub(super) fn prefetch(&self) {
        match &self.members {
            Members::Scaled(list) => list.prefetch(),
            Members::Ratios(list) => list.prefetch(),
        }
    }

    /// As [`pick`](Self::pick) of a list that is walked; of longer ones nothing is known.
    #[inline(always)]
    pub(super) fn expected(&self, live: &LiveConnections) -> Option<usize> {
        match &self.members {
            Members::Scaled(list) if list.groups.is_none() => list.pick_by_walk::<M>(live),
            Members::Ratios(list) if list.groups.is_none() => list.pick_by_walk::<M>(live),
            _ => None,
        }
    }

    /// The eligible destination with the least load; of equals the first.
    #[inline(never)]
    pub(super) fn pick(&self, request: &Request<'_>) -> Option<usize> {
        match &self.members {
            Members::Scaled(list) if list.groups.is_none() => list.pick_by_walk::<M>(request.live),
            Members::Scaled(list) => list.pick::<M>(request),
            Members::Ratios(list) => list.pick::<M>(request),
        }
    }
}

impl<S: Score> List<S> {
    fn new(mut members: Box<[Member]>, mask: usize, workers: usize) -> Self {
        let groups = (members.len() > WALKED).then(|| Groups::new::<S>(&mut members, workers));
        Self { members, groups, mask, _score: PhantomData }
    }

    fn prefetch(&self) {
        self.members.first().map(prefetch);
        self.members.last().map(prefetch);
    }

    #[inline(never)]
    fn pick<M: Measure>(&self, request: &Request<'_>) -> Option<usize> {
        match &self.groups {
            None => self.pick_by_walk::<M>(request.live),
            Some(groups) => groups.least::<M, S>(&self.members, request).place(self.mask),
        }
    }

    #[inline(always)]
    fn pick_by_walk<M: Measure>(&self, live: &LiveConnections) -> Option<usize> {
        least::<M, S>(&self.members, live).place(self.mask)
    }
}

/// The least of some members that are in the list's order. Two rows side by side, each second member in one: comparing takes
/// longer than all the rest, and no row waits for the other.
#[inline(always)]
fn least<M: Measure, S: Score>(members: &[Member], live: &LiveConnections) -> S {
    let loads = live.all();
    let score = |member: &Member| {
        let load = loads.of(member.id);
        let score = S::new(M::overhead(load), member.share, member.place);
        select_unpredictable(load.overloaded, S::NONE, score)
    };
    let (pairs, rest) = members.as_chunks::<2>();
    let (one, other) = pairs.iter().fold((S::NONE, S::NONE), |(one, other), [first, second]| {
        (one.or_later(score(first)), other.or_later(score(second)))
    });
    rest.iter().fold(one.min(other), |least, last| least.or_later(score(last)))
}
