//! ICMP (RFC 792) and ICMPv6 (RFC 4443): errors.

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Family;

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

/// Type of "destination unreachable".
pub const UNREACHABLE: u8 = 3;
/// Code of "fragmentation needed" in [`UNREACHABLE`].
pub const FRAGMENTATION_NEEDED: u8 = 4;
/// Type of "source quench".
pub const SOURCE_QUENCH: u8 = 4;
/// Type of "time exceeded".
pub const TIME_EXCEEDED: u8 = 11;
/// Type of ICMPv6's "packet too big".
pub const PACKET_TOO_BIG: u8 = 2;
/// The first type of ICMPv6 that is no error.
const INFORMATIONAL: u8 = 128;

/// Whether a message of this type is an error that IPVS looks into (ipvs-facts C.6).
pub const fn is_error(kind: u8, family: Family) -> bool {
    match family {
        Family::V4 => matches!(kind, UNREACHABLE | SOURCE_QUENCH | TIME_EXCEEDED),
        Family::V6 => kind < INFORMATIONAL,
    }
}
