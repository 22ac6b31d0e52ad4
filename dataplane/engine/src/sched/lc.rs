//! Least connection (ipvs-facts A.3).

use crate::live::LiveConnections;

use super::Candidate;

/// The destination with a weight and the smallest load; of equals the first.
pub(super) fn pick(candidates: &[Candidate], live: &LiveConnections) -> Option<usize> {
    let eligible = candidates.iter().enumerate().filter(|(_, c)| c.weight != 0);
    eligible.min_by_key(|(_, c)| live.of(c.id).overhead()).map(|(at, _)| at)
}
