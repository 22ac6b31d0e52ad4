//! Locality-based least connection (ipvs-facts A.13): an address keeps its destination until that is overloaded.

use super::least::Least;
use super::locality::{Locality, Member};
use super::wlc::Wlc;
use super::{Candidate, Listed, Request};

/// A list prepared for both locality-based rules.
#[derive(Debug)]
pub(super) struct Lblc {
    least: Least<Wlc>,
    members: Members,
}

impl Lblc {
    pub(super) fn new(listed: &[Listed], candidates: &[Candidate], workers: usize) -> Self {
        Self { least: Least::new(candidates, workers), members: Members::new(listed) }
    }

    pub(super) const fn least(&self) -> &Least<Wlc> {
        &self.least
    }

    pub(super) fn pick(&self, candidates: &[Candidate], locality: &Locality, request: &Request<'_>) -> Option<usize> {
        let address = request.key.destination();
        let known = locality.with(|table| {
            let entry = table.find(address, request.now)?;
            table.members(entry).next()
        });
        let known = known.flatten().and_then(|member| self.members.place(member));
        // Thresholds are not looked at here.
        let is_good = |&place: &usize| candidates[place].weight > 0 && !is_overloaded(place, candidates, request);
        if let Some(place) = known.filter(is_good) {
            return Some(place);
        }
        let place = self.least.pick(request)?;
        locality.with(|table| table.set(address, self.members.of(place), request.now));
        Some(place)
    }
}

/// Whether a destination has more active connections than its weight while another has less than half as many as its own.
pub(super) fn is_overloaded(place: usize, candidates: &[Candidate], request: &Request<'_>) -> bool {
    let active = |candidate: &Candidate| i64::from(request.live.of(candidate.id).active);
    let this = &candidates[place];
    active(this) > i64::from(this.weight) && candidates.iter().any(|other| 2 * active(other) < i64::from(other.weight))
}

/// The destinations of a list by what the table knows of them.
#[derive(Debug)]
pub(super) struct Members {
    /// In the list's order.
    members: Box<[Member]>,
    /// Places, in the order of the destinations' numbers.
    by_id: Box<[u32]>,
}

impl Members {
    pub(super) fn new(listed: &[Listed]) -> Self {
        let members: Box<[_]> =
            listed.iter().map(|one| Member { id: one.candidate.id, generation: one.generation }).collect();
        let mut by_id: Box<[u32]> = (0..).zip(&members).map(|(place, _)| place).collect();
        by_id.sort_unstable_by_key(|&place| members[place as usize].id);
        Self { members, by_id }
    }

    /// The destination at a place.
    pub(super) fn of(&self, place: usize) -> Member {
        self.members[place]
    }

    /// Where a destination is, if it is in the list.
    pub(super) fn place(&self, member: Member) -> Option<usize> {
        let at = self.by_id.binary_search_by_key(&member.id, |&place| self.members[place as usize].id).ok()?;
        let place = self.by_id[at] as usize;
        (self.members[place] == member).then_some(place)
    }
}
