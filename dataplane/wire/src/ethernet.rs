//! Ethernet II (IEEE 802.3).

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of an Ethernet header without tags.
pub const HEADER_LEN: usize = 14;

/// `EtherType` of IPv4.
pub const TYPE_IPV4: u16 = 0x0800;
/// `EtherType` of ARP.
pub const TYPE_ARP: u16 = 0x0806;
/// `EtherType` of IPv6.
pub const TYPE_IPV6: u16 = 0x86dd;

/// A hardware address.
pub type Mac = [u8; 6];

/// The header in front of every frame.
#[derive(Clone, Copy, Debug, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq, Unaligned)]
#[repr(C)]
pub struct EthernetHeader {
    /// To.
    pub destination: Mac,
    /// From.
    pub source: Mac,
    /// What follows.
    pub ether_type: U16,
}

const _: () = assert!(size_of::<EthernetHeader>() == HEADER_LEN);

/// Whether frames to `mac` are for many hosts (broadcast or multicast).
pub const fn is_group(mac: Mac) -> bool {
    mac[0] & 1 != 0
}
