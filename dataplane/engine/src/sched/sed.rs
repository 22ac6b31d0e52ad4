//! Shortest expected delay (ipvs-facts A.5): the load with the new connection, of active ones alone.

use crate::live::Load;

use super::least::Measure;

#[derive(Debug)]
pub(super) struct Sed;

impl Measure for Sed {
    #[inline]
    #[expect(clippy::cast_possible_wrap, reason = "active connections have 29 bits")]
    fn overhead(load: Load) -> i32 {
        load.active as i32 + 1
    }
}
