//! Locality-based least connection (ipvs-facts A.13): an address keeps its destination until that is overloaded.

use super::least::{Least, WALKED};
use super::locality::Locality;
use super::roster::{Roster, View};
use super::spare::Spare;
use super::wlc::Wlc;
use super::{Candidate, Listed, Request};

/// A list prepared for both locality-based rules.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) roster: Roster,
    least: Least<Wlc>,
    spare: Spare,
    edition: u64,
}

impl Prepared {
    pub(super) fn new(
        listed: &[Listed],
        candidates: &[Candidate],
        locality: Option<&Locality>,
        workers: usize,
    ) -> Self {
        let roster = Roster::new(listed);
        Self {
            least: Least::new(candidates, workers),
            spare: Spare::new(&roster, workers),
            roster,
            edition: locality.map_or(0, Locality::next_edition),
        }
    }

    /// Whether changes of these destinations' loads must be counted.
    pub(super) const fn is_watching(&self) -> bool {
        self.roster.len() > WALKED
    }

    /// The list and its loads.
    pub(super) const fn view<'a>(&'a self, request: &Request<'a>) -> View<'a> {
        View { roster: &self.roster, live: request.live, edition: self.edition, is_watched: self.is_watching() }
    }

    /// Where the destination with the least load of all is.
    pub(super) fn least(&self, request: &Request<'_>) -> Option<usize> {
        self.least.pick(request)
    }

    /// Whether a destination has more active connections than its weight while another has less than half as many as its own.
    #[inline]
    pub(super) fn is_overloaded(&self, place: usize, candidates: &[Candidate], request: &Request<'_>) -> bool {
        let this = candidates[place];
        i64::from(request.live.of(this.id).active) > i64::from(this.weight)
            && self.spare.is_any(&self.roster, candidates, request)
    }
}

pub(super) fn pick(
    prepared: &Prepared,
    candidates: &[Candidate],
    locality: &Locality,
    request: &Request<'_>,
) -> Option<usize> {
    let address = request.key.destination();
    let known = locality.with(|table| {
        let entry = table.find(address, request.now)?;
        table.only(entry)
    });
    let known = known.flatten().and_then(|member| prepared.roster.place(member));
    // Thresholds are not looked at here.
    let is_good = |&place: &usize| candidates[place].weight > 0 && !prepared.is_overloaded(place, candidates, request);
    if let Some(place) = known.filter(is_good) {
        return Some(place);
    }
    let place = prepared.least(request)?;
    locality.with(|table| table.set(address, prepared.roster.member(place), request.now));
    Some(place)
}
