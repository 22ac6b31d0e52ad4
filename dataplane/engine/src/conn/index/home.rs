//! Where in the index a flow is looked for, and what is found there.

use crate::conn::entry::ConnId;

/// The half of a word that is a tag.
pub(super) const TAG: u64 = !0xffff_ffff;

/// A place in the index, in one word: what the flow's slots look like, and the home bucket. `tag:32 | bucket:32`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Home(pub(super) u64);

impl Home {
    /// Eight bits of the tag; 0 is no slot's.
    #[inline]
    pub(super) const fn fingerprint(self) -> u64 {
        let bits = self.0 >> 56;
        if bits == 0 { 1 } else { bits }
    }

    /// Whether a slot's value has the tag.
    #[inline(always)]
    pub(super) const fn is_tag_of(self, value: u64) -> bool {
        (value ^ self.0) >> 32 == 0
    }

    /// In the half where a slot has it.
    #[inline]
    pub(super) const fn tag(self) -> u64 {
        self.0 & TAG
    }

    #[inline]
    pub(super) const fn bucket(self) -> usize {
        (self.0 & !TAG) as usize
    }
}

/// The number that a slot says, if it has the tag.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half is the number")]
pub(super) fn number(value: u64, home: Home) -> Option<ConnId> {
    // Of an empty slot it is 0.
    if home.is_tag_of(value) { (value as u32).checked_sub(1) } else { None }
}
