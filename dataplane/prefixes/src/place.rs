//! A prefix as bits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The first `length` bits of an address; the others are 0. IPv4's are the upper ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) bits: u128,
    pub(crate) length: u8,
}

const V4_SHIFT: u32 = 96;

impl Place {
    pub(crate) fn of(prefix: &IpNet) -> Self {
        Self { bits: Self::bits_of(prefix.trunc().addr()), length: prefix.prefix_len() }
    }

    #[inline]
    pub(crate) const fn bits_of(address: IpAddr) -> u128 {
        match address {
            IpAddr::V4(address) => (address.to_bits() as u128) << V4_SHIFT,
            IpAddr::V6(address) => address.to_bits(),
        }
    }

    /// Back to a prefix.
    pub(crate) fn prefix(self, is_v6: bool) -> IpNet {
        if is_v6 {
            return Ipv6Net::new_assert(Ipv6Addr::from_bits(self.bits), self.length.min(128)).into();
        }
        let [a, b, c, d, ..] = self.bits.to_be_bytes();
        Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), self.length.min(32)).into()
    }

    /// Whether these bits begin with this place's.
    #[inline]
    pub(crate) const fn holds(self, bits: u128) -> bool {
        (self.bits ^ bits) & mask(self.length) == 0
    }

    /// How many bits both begin with.
    pub(crate) fn common(self, other: Self) -> u8 {
        let equal = u8::try_from((self.bits ^ other.bits).leading_zeros()).unwrap_or(128);
        equal.min(self.length).min(other.length)
    }

    /// Its first bits.
    pub(crate) const fn cut(self, length: u8) -> Self {
        Self { bits: self.bits & mask(length), length }
    }
}

/// The bit behind the first `at` ones, as an index: 0 or 1. `at` is below 128.
#[inline]
pub(crate) const fn side(bits: u128, at: u8) -> usize {
    (bits >> (127 - at) & 1) as usize
}

#[inline]
const fn mask(length: u8) -> u128 {
    if length == 0 { 0 } else { u128::MAX << (128 - length) }
}
