//! Source hashing (ipvs-facts A.11).

use ulvs_model::SchedulerFlags;

use super::hash32::{SLOT_BITS, Slots, fold, hash32};
use super::{Candidate, Request};

/// Each destination has as many slots as its weight, and at least one.
pub(super) fn slots(candidates: &[Candidate]) -> Slots {
    Slots::fill(candidates, |candidate| usize::try_from(candidate.weight).unwrap_or(0))
}

/// The destination that the client's address leads to. If that can't be used: none, or with the flag the first of the
/// following slots whose destination can.
pub(super) fn pick(
    candidates: &[Candidate],
    slots: &Slots,
    flags: SchedulerFlags,
    request: &Request<'_>,
) -> Option<usize> {
    let key = client(flags, request);
    let can = |&at: &usize| request.is_eligible(candidates[at]);
    let first = slots.at(key, 0)?;
    if can(&first) {
        return Some(first);
    }
    if !flags.fallback {
        return None;
    }
    // The kernel takes the first slot for the offset to begin with, so the walk begins at twice the hash.
    let begin = hash32(key, SLOT_BITS);
    (0..1 << SLOT_BITS).filter_map(|step| slots.at(key, begin + step)).find(can)
}

/// What tells clients apart: the address, with the flag the port too.
#[inline]
pub(super) fn client(flags: SchedulerFlags, request: &Request<'_>) -> u32 {
    let port = if flags.port { request.key.source_port() } else { 0 };
    u32::from(port).wrapping_add(fold(request.key.source(), request.key.family()))
}
