//! Weighted overflow (ipvs-facts A.8).

use super::heaviest::Order;
use super::{Candidate, Request};

/// The heaviest destination with no more active connections than its weight.
pub(super) fn pick(candidates: &[Candidate], order: &Order, request: &Request<'_>) -> Option<usize> {
    order.places().find(|&at| {
        let Candidate { id, weight } = candidates[at];
        let load = request.live.of(id);
        !load.overloaded && i64::from(load.active) <= i64::from(weight)
    })
}
