//! Maglev hashing (ipvs-facts A.12).

use ulvs_model::SchedulerFlags;

use super::maglev::{self, Places};
use super::sh::client;
use super::{Candidate, Request};

/// The destination that the client's address leads to. If that can't be used: none, or with the flag the first one that can
/// be of those that the client leads to by other tries.
pub(super) fn pick(
    candidates: &[Candidate],
    places: &Places,
    flags: SchedulerFlags,
    request: &Request<'_>,
) -> Option<usize> {
    let key = client(flags, request);
    let can = |&at: &usize| request.is_eligible(candidates[at]);
    let first = places.at(key, 0)?;
    if can(&first) {
        return Some(first);
    }
    // Thousands of tries are made in vain only if they must.
    if !flags.fallback || !candidates.iter().any(|&candidate| request.is_eligible(candidate)) {
        return None;
    }
    // As with source hashing, the kernel takes the first slot for the first offset.
    let begin = maglev::slot(key, 0);
    (0..maglev::SLOTS).filter_map(|step| places.at(key, (begin + step) % maglev::SLOTS)).find(can)
}
