//! Weighted failover (ipvs-facts A.7).

use super::heaviest::Order;
use super::{Candidate, Request};

/// The heaviest destination that is eligible.
pub(super) fn pick(candidates: &[Candidate], order: &Order, request: &Request<'_>) -> Option<usize> {
    order.places().find(|&at| request.is_eligible(candidates[at]))
}
