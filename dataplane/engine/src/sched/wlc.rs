//! Weighted least connection (ipvs-facts A.4).

use crate::live::Load;

use super::least::Measure;

#[derive(Debug)]
pub(super) struct Wlc;

impl Measure for Wlc {
    #[inline]
    fn overhead(load: Load) -> i32 {
        load.overhead()
    }
}
