//! IPv4 (RFC 791).

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum;
use crate::flow::Address;

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// "Don't fragment" in [`Ipv4Header::fragment`].
pub const DONT_FRAGMENT: u16 = 0x4000;
/// "More fragments" and the offset in [`Ipv4Header::fragment`]: not zero in every fragment.
pub const FRAGMENT_MASK: u16 = 0x3fff;
/// "More fragments" in [`Ipv4Header::fragment`].
pub const MORE_FRAGMENTS: u16 = 0x2000;
/// The offset in [`Ipv4Header::fragment`], in units of eight bytes: 0 in a first fragment.
pub const OFFSET_MASK: u16 = 0x1fff;

/// The fixed part of the header.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Ipv4Header {
    /// Version 4 and the header's length in 32-bit words.
    pub version_ihl: u8,
    /// DSCP and ECN.
    pub tos: u8,
    /// Bytes of header and data.
    pub total_len: U16,
    /// Identification, for fragments.
    pub id: U16,
    /// Flags and fragment offset.
    pub fragment: U16,
    /// Time to live.
    pub ttl: u8,
    /// What follows.
    pub protocol: u8,
    /// Header checksum.
    pub checksum: U16,
    /// From.
    pub source: U32,
    /// To.
    pub destination: U32,
}

const _: () = assert!(size_of::<Ipv4Header>() == HEADER_LEN);

impl Ipv4Header {
    /// Bytes of the header with options, as it says.
    #[inline]
    pub const fn header_len(&self) -> usize {
        ((self.version_ihl & 0xf) as usize) * 4
    }

    /// Takes one from the TTL and adds it to the checksum, as a router does. The TTL must not be 0.
    #[inline]
    pub fn decrement_ttl(&mut self) {
        // TTL, protocol and checksum in one number, the TTL lowest. One less there is one more in the first byte of the complement:
        // one addition for both, whose carry goes from the first to the second.
        let Some(word) = self.as_mut_bytes()[8..].first_chunk_mut() else { return };
        let mut now = u32::from_le_bytes(*word);
        // The checksum's own carry comes back to it.
        if now >= 0xfffe_0000 {
            now = carried(now);
        }
        *word = now.wrapping_add(0xffff).to_le_bytes();
    }
}

/// One of some 32,000 headers. A function that is never likely makes it a branch.
#[cold]
#[inline(never)]
const fn carried(word: u32) -> u32 {
    word.wrapping_add(1 << 16)
}

/// What whoever makes a header without options decides.
#[derive(Clone, Copy, Debug)]
pub struct PlainHeader {
    /// DSCP and ECN.
    pub tos: u8,
    /// Bytes of header and data.
    pub total_len: u16,
    /// Identification, for fragments.
    pub id: u16,
    /// Flags and fragment offset.
    pub fragment: u16,
    /// Time to live.
    pub ttl: u8,
    /// What follows.
    pub protocol: u8,
    /// From.
    pub source: Address,
    /// To.
    pub destination: Address,
}

impl PlainHeader {
    /// The header with its checksum. It is summed up in registers: to read words that were just written in parts would stall.
    #[inline]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let first = 0x45
            | u64::from(self.tos) << 8
            | wire(self.total_len) << 16
            | wire(self.id) << 32
            | wire(self.fragment) << 48;
        let second = u64::from(self.ttl) | u64::from(self.protocol) << 8 | u64::from(self.source.v4_wire()) << 32;
        let last = self.destination.v4_wire();
        let second = second | u64::from(!plain_sum(first, second, last)) << 16;
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&first.to_le_bytes());
        bytes[8..16].copy_from_slice(&second.to_le_bytes());
        bytes[16..].copy_from_slice(&last.to_le_bytes());
        bytes
    }
}

/// A field as it is in a word whose lowest byte is the first.
const fn wire(field: u16) -> u64 {
    field.swap_bytes() as u64
}

/// The ones' complement sum of a header without options, whose bytes are in two words and a half, the first as the lowest of
/// each; so is the sum (RFC 1071 section 2).
#[inline]
pub(crate) fn plain_sum(first: u64, second: u64, last: u32) -> u16 {
    let (sum, carry) = first.overflowing_add(second);
    let (sum, carry) = sum.overflowing_add(u64::from(last) + u64::from(carry));
    // With a carry the sum is small.
    checksum::fold(sum.wrapping_add(u64::from(carry)))
}

/// Whether that sum is 0xffff: of a header whose checksum verifies. The topmost byte of `first` must be 0, as it is of all but
/// fragments.
///
/// A sum of words modulo 65,535 is the whole number modulo 65,535, because 2^16 is 1 there; so the question is whether it
/// divides the number, and that a multiplication answers: by its inverse modulo 2^64, which takes multiples, and only them, to
/// their quotients.
#[inline]
pub(crate) fn is_sum_right(first: u64, second: u64, last: u32) -> bool {
    const INVERSE: u64 = 0xfffe_fffe_fffe_ffff;
    const { assert!(INVERSE.wrapping_mul(0xffff) == 1) };
    debug_assert!(first >> 56 == 0, "a fragment");
    // Only the second of these carries, and what it leaves then is small. It is never 0: a header begins with its version.
    let (sum, carry) = (first.wrapping_add(last.into())).overflowing_add(second);
    sum.wrapping_add(carry.into()).wrapping_mul(INVERSE) <= u64::MAX / 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(tos: u8, ttl: u8, words: (u16, u16, u16), addresses: (u32, u32)) -> [u8; HEADER_LEN] {
        PlainHeader {
            tos,
            total_len: words.0,
            id: words.1,
            fragment: words.2,
            ttl,
            protocol: 4,
            source: Address::v4(addresses.0),
            destination: Address::v4(addresses.1),
        }
        .to_bytes()
    }

    proptest! {
        /// A product says of a header's sum what folding it says.
        #[test]
        fn a_sum_is_right_if_it_folds_to_ones(first: u64, second: u64, last: u32) {
            let first = first & 0x00ff_ffff_ffff_ff00 | 0x45;
            prop_assert_eq!(is_sum_right(first, second, last), plain_sum(first, second, last) == 0xffff);
            // And so of one that is made right.
            let second = second & !0xffff_0000;
            let second = second | u64::from(!plain_sum(first, second, last)) << 16;
            prop_assert!(is_sum_right(first, second, last));
        }
    }

    /// Of each checksum that there is, with the carries, and of the TTLs at both ends.
    #[test]
    fn what_a_ttl_has_less_its_checksum_has_more() {
        for ttl in [1, 2, 64, u8::MAX] {
            for sum in 0..=u16::MAX {
                let mut bytes = header(0, ttl, (40, 7, 0), (1, 2));
                let header = Ipv4Header::mut_from_bytes(&mut bytes).unwrap();
                header.checksum = sum.into();
                let before = *header;
                header.decrement_ttl();
                // RFC 1141, as IPVS has it.
                let more = u32::from(sum) + 0x100;
                let wanted = u16::try_from((more + u32::from(more >= 0xffff)) & 0xffff).unwrap();
                let wanted = Ipv4Header { ttl: ttl - 1, checksum: wanted.into(), ..before };
                assert_eq!(header.as_bytes(), wanted.as_bytes(), "{ttl} {sum:#x}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_made_header_says_what_it_was_made_of(
            tos: u8, ttl: u8, words: (u16, u16, u16), addresses: (u32, u32),
        ) {
            let bytes = header(tos, ttl, words, addresses);
            let header = Ipv4Header::ref_from_bytes(&bytes).unwrap();
            prop_assert_eq!((header.version_ihl, header.tos, header.ttl, header.protocol), (0x45, tos, ttl, 4));
            prop_assert_eq!((header.total_len.get(), header.id.get(), header.fragment.get()), words);
            prop_assert_eq!((header.source.get(), header.destination.get()), addresses);
            prop_assert_eq!(checksum::of(&bytes), 0);
        }

        #[test]
        fn a_decremented_ttl_keeps_the_checksum_right(
            tos: u8, ttl in 1u8.., words: (u16, u16, u16), addresses: (u32, u32),
        ) {
            let mut bytes = header(tos, ttl, words, addresses);
            let header = Ipv4Header::mut_from_bytes(&mut bytes).unwrap();
            header.decrement_ttl();
            prop_assert_eq!(header.ttl, ttl - 1);
            prop_assert_eq!(checksum::of(&bytes), 0);
        }
    }
}
