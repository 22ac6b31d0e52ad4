//! UDP (RFC 768).

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the header.
pub const HEADER_LEN: usize = 8;

/// The header.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct UdpHeader {
    /// From.
    pub source_port: U16,
    /// To.
    pub destination_port: U16,
    /// Bytes of header and data.
    pub length: U16,
    /// Checksum over pseudo-header, header and data; 0: none (IPv4 only).
    pub checksum: U16,
}

const _: () = assert!(size_of::<UdpHeader>() == HEADER_LEN);
