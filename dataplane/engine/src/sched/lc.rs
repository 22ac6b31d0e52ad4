//! Least connection (ipvs-facts A.3): weights above 0 are alike.

use crate::live::Load;

use super::least::Measure;

#[derive(Debug)]
pub(super) struct Lc;

impl Measure for Lc {
    #[inline]
    fn overhead(load: Load) -> i32 {
        load.overhead()
    }

    #[inline]
    fn share(_weight: i32) -> i32 {
        1
    }
}
