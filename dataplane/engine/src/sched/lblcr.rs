//! Locality-based least connection with replication (ipvs-facts A.14): an address keeps a set of destinations, which grows
//! when they are overloaded and shrinks when it has not grown for long.

use crate::live::Load;

use super::lblc::{Members, is_overloaded};
use super::least::Least;
use super::locality::{Locality, Member, Table};
use super::wlc::Wlc;
use super::{Candidate, Listed, Request};

#[derive(Debug)]
pub(super) struct Lblcr {
    least: Least<Wlc>,
    members: Members,
}

impl Lblcr {
    pub(super) fn new(listed: &[Listed], candidates: &[Candidate], workers: usize) -> Self {
        Self { least: Least::new(candidates, workers), members: Members::new(listed) }
    }

    pub(super) const fn least(&self) -> &Least<Wlc> {
        &self.least
    }

    pub(super) fn pick(&self, candidates: &[Candidate], locality: &Locality, request: &Request<'_>) -> Option<usize> {
        let address = request.key.destination();
        let expiration = locality.expiration();
        let known = locality.with(|table| {
            let entry = table.find(address, request.now)?;
            let least = self.least_of(table, entry, candidates, request);
            if table.is_stale(entry, request.now, expiration)
                && let Some(most) = self.most_of(table, entry, candidates, request)
            {
                table.leave(entry, most, request.now);
            }
            least
        });
        if let Some(place) = known.flatten().filter(|&place| !is_overloaded(place, candidates, request)) {
            return Some(place);
        }
        let place = self.least.pick(request)?;
        locality.with(|table| table.join(address, self.members.of(place), request.now));
        Some(place)
    }

    /// The member with the least load for its weight; of equals the newest.
    fn least_of(&self, table: &Table, entry: u32, candidates: &[Candidate], request: &Request<'_>) -> Option<usize> {
        let eligible = table.members(entry).filter_map(|member| self.members.place(member));
        let mut eligible = eligible.filter(|&place| request.is_eligible(candidates[place]));
        let first = eligible.next()?;
        Some(eligible.fold(
            first,
            |least, place| {
                if is_less(place, least, candidates, request) { place } else { least }
            },
        ))
    }

    /// The member with the most load for its weight; of equals the newest. What is in the service no longer goes before them.
    fn most_of(&self, table: &Table, entry: u32, candidates: &[Candidate], request: &Request<'_>) -> Option<Member> {
        let mut most: Option<usize> = None;
        for member in table.members(entry) {
            let Some(place) = self.members.place(member) else { return Some(member) };
            if candidates[place].weight > 0 && most.is_none_or(|most| is_less(most, place, candidates, request)) {
                most = Some(place);
            }
        }
        most.map(|place| self.members.of(place))
    }
}

/// Whether one destination has less load for its weight than another.
#[inline(always)]
fn is_less(this: usize, that: usize, candidates: &[Candidate], request: &Request<'_>) -> bool {
    let [this, that] = [this, that].map(|place| candidates[place]);
    let overhead = |candidate: Candidate| i64::from(Load::overhead(request.live.of(candidate.id)));
    overhead(this) * i64::from(that.weight) < overhead(that) * i64::from(this.weight)
}
