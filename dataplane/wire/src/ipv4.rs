//! IPv4 (RFC 791).

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum;

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// "Don't fragment" in [`Ipv4Header::fragment`].
pub const DONT_FRAGMENT: u16 = 0x4000;
/// "More fragments" and the offset in [`Ipv4Header::fragment`]: not zero in every fragment.
pub const FRAGMENT_MASK: u16 = 0x3fff;

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
        self.ttl -= 1;
        // The TTL is the first byte of its word: one less there is one more in the first byte of the complement.
        let sum = u32::from(u16::from_le_bytes(self.checksum.to_bytes())) + 1;
        #[expect(clippy::cast_possible_truncation, reason = "the carry is folded in")]
        let sum = (sum + u32::from(sum >= 0xffff)) as u16;
        self.checksum = U16::from_bytes(sum.to_le_bytes());
    }

    /// Computes the checksum of a header without options.
    #[inline]
    pub fn set_checksum(&mut self) {
        self.checksum.set(0);
        self.checksum.set(checksum::of(self.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_decremented_ttl_keeps_the_checksum_right(mut bytes in any::<[u8; 20]>(), ttl in 1u8..) {
            bytes[0] = 0x45;
            bytes[8] = ttl;
            let header = Ipv4Header::mut_from_bytes(&mut bytes).unwrap();
            header.set_checksum();
            header.decrement_ttl();
            prop_assert_eq!(checksum::of(header.as_bytes()), 0);
            prop_assert_eq!(header.ttl, ttl - 1);
        }
    }
}
