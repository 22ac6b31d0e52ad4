//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).

use zerocopy::byteorder::network_endian::U16;

/// Ones' complement sum of `bytes` added to `sum`, not yet folded. Words are big-endian; an odd last byte is padded.
#[inline]
pub fn add(mut sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        sum += u64::from(u32::from_be_bytes(*word));
    }
    let mut tail = [0; 4];
    tail[..rest.len()].copy_from_slice(rest);
    sum + u64::from(u32::from_be_bytes(tail))
}

/// Folds a sum of [`add`] to 16 bits.
#[inline]
pub const fn fold(sum: u64) -> u16 {
    // A number and itself with its halves swapped: the upper half becomes the sum of both halves and its carry.
    let sum = (sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32;
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}

/// The checksum of `bytes`, as it is stored in a header whose checksum field was zero.
#[inline]
pub fn of(bytes: &[u8]) -> u16 {
    !fold(add(0, bytes))
}

/// The unfolded sum of a TCP, UDP or ICMPv6 pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1).
///
/// `source` and `destination` are the addresses' bytes (4 or 16 each), `length` that of the transport header and data.
#[inline]
pub fn pseudo(source: &[u8], destination: &[u8], protocol: u8, length: usize) -> u64 {
    add(add(0, source), destination) + u64::from(protocol) + length as u64
}

/// What replacing some 16-bit words by others does to a checksum, computed once and applied to many packets.
///
/// RFC 1624, equation 3: `HC' = ~(~HC + ~m + m')`; the delta is the folded `~m + m'`. Words are taken with their first byte
/// as the lowest, as is the checksum: the sum does not mind (RFC 1071 section 2), and nothing has to be turned round.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Delta(u16);

impl Delta {
    /// Nothing changes.
    pub const NONE: Self = Self(0);

    /// The delta of replacing `old` by `new`, both of one even length and at an even offset in what is summed.
    pub fn between(old: &[u8], new: &[u8]) -> Self {
        debug_assert!(old.len() == new.len() && old.len().is_multiple_of(2));
        let removed = old.as_chunks::<2>().0.iter().map(|w| u64::from(!u16::from_le_bytes(*w))).sum::<u64>();
        Self(fold(removed + new.as_chunks::<2>().0.iter().map(|w| u64::from(u16::from_le_bytes(*w))).sum::<u64>()))
    }

    /// Both changes together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(fold(self.0 as u64 + other.0 as u64))
    }

    /// The change back.
    #[must_use]
    pub const fn inverse(self) -> Self {
        Self(!self.0)
    }

    /// The checksum after the change.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the carry is folded in")]
    pub const fn apply(self, checksum: U16) -> U16 {
        let sum = !u16::from_le_bytes(checksum.to_bytes()) as u32 + self.0 as u32;
        U16::from_bytes((!((sum + (sum >> 16)) as u16)).to_le_bytes())
    }

    /// The delta as a number, to be kept in a connection.
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// The delta that [`to_bits`](Self::to_bits) gave.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071 section 4.1, word by word.
    fn naive(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap()
    }

    proptest! {
        #[test]
        fn equals_the_naive_sum(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(of(&bytes), naive(&bytes));
        }

        #[test]
        fn a_delta_equals_summing_again(
            mut bytes in prop::collection::vec(any::<u8>(), 40..=40), new in any::<[u8; 6]>(), at in 0usize..17,
        ) {
            let before = of(&bytes);
            let delta = Delta::between(&bytes[at * 2..at * 2 + 6], &new);
            bytes[at * 2..at * 2 + 6].copy_from_slice(&new);
            let (got, want) = (delta.apply(U16::new(before)).get(), of(&bytes));
            // The two zeros of ones' complement are one value.
            prop_assert!(got == want || (got ^ want) == 0xffff && (got == 0 || want == 0), "{got:#x} {want:#x}");
        }

        #[test]
        fn there_and_back_is_the_identity(old in any::<[u8; 6]>(), new in any::<[u8; 6]>(), checksum in 0u16..0xffff) {
            let delta = Delta::between(&old, &new);
            let back = delta.inverse().apply(delta.apply(U16::new(checksum))).get();
            prop_assert!(back == checksum || (checksum == 0 && back == 0xffff) || (checksum == 0xffff && back == 0));
        }
    }
}
