//! IPv6 (RFC 8200).

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 40;

/// Next header: hop-by-hop options.
pub const HOP_BY_HOP: u8 = 0;
/// Next header: routing.
pub const ROUTING: u8 = 43;
/// Next header: fragment.
pub const FRAGMENT: u8 = 44;
/// Next header: destination options.
pub const DESTINATION_OPTIONS: u8 = 60;

/// The fixed header.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Ipv6Header {
    /// Version 6, traffic class, flow label.
    pub version_class_flow: U32,
    /// Bytes after this header.
    pub payload_len: U16,
    /// What follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// From.
    pub source: [u8; 16],
    /// To.
    pub destination: [u8; 16],
}

const _: () = assert!(size_of::<Ipv6Header>() == HEADER_LEN);

impl Ipv6Header {
    /// DSCP and ECN.
    #[inline]
    pub fn traffic_class(&self) -> u8 {
        self.version_class_flow.get().to_be_bytes()[0] << 4 | self.version_class_flow.get().to_be_bytes()[1] >> 4
    }
}
