//! Never queue (ipvs-facts A.6): the first idle destination, whatever its weight; without one, shortest expected delay.

use crate::live::Load;

use super::least::Measure;
use super::sed::Sed;

#[derive(Debug)]
pub(super) struct Nq;

impl Measure for Nq {
    /// Nothing is less than 0 by any weight, so idle destinations are equal, and of equals the first is taken.
    #[inline]
    fn overhead(load: Load) -> i32 {
        if load.active == 0 { 0 } else { Sed::overhead(load) }
    }
}
