//! Locality-based least connection with replication (ipvs-facts A.14): an address keeps a set of destinations, which grows
//! when they are overloaded and shrinks when it has not grown for long.

use super::lblc::Prepared;
use super::least::{Aged, Ratio};
use super::locality::Locality;
use super::{Candidate, Request};

#[cfg(test)]
mod tests;

pub(super) fn pick(
    prepared: &Prepared,
    candidates: &[Candidate],
    locality: &Locality,
    request: &Request<'_>,
) -> Option<usize> {
    let address = request.key.destination();
    let expiration = locality.expiration();
    let view = prepared.view(request);
    let known = locality.with(|table| {
        let entry = table.find(address, request.now)?;
        let least = if prepared.roster.is_scaled() {
            table.least::<Aged>(entry, &view)
        } else {
            table.least::<Ratio>(entry, &view)
        };
        if table.is_stale(entry, request.now, expiration) {
            table.shrink(entry, &view, request.now);
        }
        least
    });
    let is_good = |&place: &usize| !prepared.is_overloaded(place, candidates, request);
    if let Some(place) = known.flatten().filter(is_good) {
        return Some(place);
    }
    let place = prepared.least(request)?;
    locality.with(|table| table.join(address, prepared.roster.member(place), request.now));
    Some(place)
}
