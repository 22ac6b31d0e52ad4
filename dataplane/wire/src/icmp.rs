//! ICMP (RFC 792) and ICMPv6 (RFC 4443): the errors a director sends.

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the header of an error message.
pub const HEADER_LEN: usize = 8;
/// IP protocol number of ICMP.
pub const PROTOCOL: u8 = 1;
/// IP protocol number of ICMPv6.
pub const PROTOCOL_V6: u8 = 58;

/// The header of an error message; the start of the offending packet follows.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IcmpHeader {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Checksum.
    pub checksum: U16,
    /// Next-hop MTU of "fragmentation needed" (low 16 bits) and "packet too big", else 0.
    pub rest: U32,
}

const _: () = assert!(size_of::<IcmpHeader>() == HEADER_LEN);
