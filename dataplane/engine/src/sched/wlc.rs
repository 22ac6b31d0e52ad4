//! Weighted least connection (ipvs-facts A.4).

use crate::live::LiveConnections;

use super::Candidate;

/// The destination with the smallest load per weight; of equals the first. Compared by cross products, as the kernel does.
pub(super) fn pick(candidates: &[Candidate], live: &LiveConnections) -> Option<usize> {
    let mut walk = candidates.iter().enumerate().filter(|(_, c)| c.weight > 0);
    let (mut least, first) = walk.next()?;
    let (mut load, mut weight) = (live.of(first.id).overhead(), i64::from(first.weight));
    for (at, candidate) in walk {
        let other = live.of(candidate.id).overhead();
        if load * i64::from(candidate.weight) > other * weight {
            (least, load, weight) = (at, other, i64::from(candidate.weight));
        }
    }
    Some(least)
}
