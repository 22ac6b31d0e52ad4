//! How far the bytes of a stream are shifted by text that became longer or shorter on its way.

/// The shift of one direction of a TCP connection: that of bytes before the last change of text, and of those behind it.
///
/// Kept as one word, so that one worker writes it while others read: `position:32 | after:24 | change:8`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Shift {
    /// Sequence number, as its sender counts, of the packet whose text was changed last.
    position: u32,
    /// What is added to sequence numbers behind it: less than 2^23.
    after: i32,
    /// What that change alone added.
    change: i8,
}

impl Shift {
    const LIMIT: i32 = 1 << 23;

    /// As it is kept.
    #[expect(clippy::cast_sign_loss, reason = "fields of a word")]
    pub(super) const fn to_bits(self) -> u64 {
        (self.position as u64) << 32 | (self.after as u64 & 0xff_ffff) << 8 | self.change as u8 as u64
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "fields are cut out of the word")]
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self { position: (bits >> 32) as u32, after: bits as u32 as i32 >> 8, change: bits as i8 }
    }

    const fn before(self) -> i32 {
        self.after - self.change as i32
    }

    /// The sender's sequence number as the receiver knows it.
    pub(crate) const fn forth(self, sequence: u32) -> u32 {
        let shift = if is_after(sequence, self.position) { self.after } else { self.before() };
        sequence.wrapping_add_signed(shift)
    }

    /// A sequence number that the receiver names, as the sender knows it.
    pub(crate) const fn back(self, sequence: u32) -> u32 {
        let earlier = sequence.wrapping_add_signed(-self.before());
        if is_after(earlier, self.position) { sequence.wrapping_add_signed(-self.after) } else { earlier }
    }

    /// After the text of the packet with this sequence number became so much longer. One that is sent again changes
    /// nothing. `None`: it is too much.
    #[must_use]
    pub(crate) fn with_change(self, sequence: u32, longer: i8) -> Option<Self> {
        let is_sent_again = self != Self::default() && !is_after(sequence, self.position);
        if longer == 0 || is_sent_again {
            return Some(self);
        }
        let after = self.after + i32::from(longer);
        (-Self::LIMIT..Self::LIMIT).contains(&after).then_some(Self { position: sequence, after, change: longer })
    }
}

/// Whether a sequence number comes behind another (RFC 9293 section 3.4).
#[expect(clippy::cast_possible_wrap, reason = "that is how they are compared")]
const fn is_after(sequence: u32, than: u32) -> bool {
    (than.wrapping_sub(sequence) as i32) < 0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_word_keeps_it(position: u32, after in -Shift::LIMIT..Shift::LIMIT, change: i8) {
            let shift = Shift { position, after, change };
            prop_assert_eq!(Shift::from_bits(shift.to_bits()), shift);
        }

        /// A stream with some packets' text changed: of everything since the packet before the last changed one, each side
        /// is told numbers it knows.
        #[test]
        fn both_sides_count_on(start: u32, packets in prop::collection::vec((1u32..1400, -8i8..9), 1..30)) {
            let (mut sender, mut receiver, mut shift) = (start, start, Shift::default());
            for (length, longer) in packets {
                let longer = longer.max(1 - i8::try_from(length.min(100)).unwrap());
                prop_assert_eq!(shift.forth(sender), receiver);
                prop_assert_eq!(shift.back(receiver), sender);
                let next = shift.with_change(sender, longer).unwrap();
                prop_assert_eq!(next.with_change(sender, longer), Some(next), "sent again");
                prop_assert_eq!(next.forth(sender), receiver, "the changed packet itself");
                let changed = (sender, receiver);
                shift = next;
                sender = sender.wrapping_add(length);
                receiver = receiver.wrapping_add(length).wrapping_add_signed(longer.into());
                prop_assert_eq!(shift.forth(sender), receiver);
                prop_assert_eq!(shift.back(receiver), sender);
                prop_assert_eq!((changed.0, shift.forth(changed.0)), changed);
            }
        }
    }

    #[test]
    fn too_much_is_refused() {
        let shift = Shift { position: 0, after: Shift::LIMIT - 4, change: 1 };
        assert_eq!(shift.with_change(5, 8), None);
        assert!(shift.with_change(5, 3).is_some());
    }
}
