//! Destination hashing (ipvs-facts A.10): for caches in front of many addresses.

use super::hash32::{Slots, fold};
use super::{Candidate, Request};

/// Each destination has slots in its turn, whatever its weight.
pub(super) fn slots(candidates: &[Candidate]) -> Slots {
    Slots::fill(candidates, |_| 1)
}

/// The destination that the packet's destination address leads to; none if that can't be used.
pub(super) fn pick(candidates: &[Candidate], slots: &Slots, request: &Request<'_>) -> Option<usize> {
    let at = slots.at(fold(request.key.destination(), request.key.family()), 0)?;
    request.is_eligible(candidates[at]).then_some(at)
}
