//! What tells one flow from another, and its hash.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Address family.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Family {
    /// IPv4.
    #[default]
    V4 = 4,
    /// IPv6.
    V6 = 6,
}

impl Family {
    /// The family of `ip`.
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// An IP address as a number: IPv4 in the low 32 bits. The family stands beside it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address(pub u128);

impl Address {
    /// An IPv4 address from its number.
    #[inline]
    pub const fn v4(bits: u32) -> Self {
        Self(bits as u128)
    }

    /// The number of an IPv4 address.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "IPv4 addresses are in the low 32 bits")]
    pub const fn to_v4(self) -> u32 {
        self.0 as u32
    }

    /// The address as the standard library has it.
    pub const fn to_ip(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(self.to_v4())),
            Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(self.0)),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::v4(v4.to_bits()),
            IpAddr::V6(v6) => Self(v6.to_bits()),
        }
    }
}

/// Addresses, ports and protocol of a packet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FlowKey {
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Address family of both.
    pub family: Family,
}

impl FlowKey {
    /// The key of a packet the other way.
    #[must_use]
    pub const fn reversed(&self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
            ..*self
        }
    }
}

/// Hashes flows with a secret, so that nobody outside can choose flows that collide.
///
/// Both directions of a flow have one hash: a reply finds its connection by the same bucket as the request. The core is
/// a folded 64 x 64 -> 128 bit multiplication, two for IPv4.
#[derive(Clone, Copy, Debug)]
pub struct FlowHasher {
    secret: [u64; 3],
}

impl FlowHasher {
    /// A hasher with the secret `seed`, to be drawn at random at start.
    pub const fn new(seed: [u64; 3]) -> Self {
        // An even multiplicand would throw away bits of the other.
        Self { secret: [seed[0] | 1, seed[1] | 1, seed[2] | 1] }
    }

    /// The hash of `key`, and of `key.reversed()`.
    #[inline]
    pub const fn flow(&self, key: &FlowKey) -> u64 {
        let a = self.endpoint(key.source, key.source_port, key.family);
        let b = self.endpoint(key.destination, key.destination_port, key.family);
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        let mixed = multiply_fold(low ^ self.secret[0], high ^ self.secret[1]);
        multiply_fold(mixed ^ key.protocol as u64, self.secret[2])
    }

    /// The hash of what identifies a service: address, port and protocol.
    #[inline]
    pub const fn service(&self, address: Address, port: u16, protocol: u8, family: Family) -> u64 {
        let endpoint = self.endpoint(address, port, family);
        multiply_fold(endpoint ^ self.secret[0], self.secret[1] ^ protocol as u64)
    }

    /// One endpoint as 64 bits; injective for IPv4.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    const fn endpoint(&self, address: Address, port: u16, family: Family) -> u64 {
        match family {
            Family::V4 => (address.to_v4() as u64) << 16 | port as u64,
            Family::V6 => {
                let (high, low) = ((address.0 >> 64) as u64, address.0 as u64);
                multiply_fold(high ^ self.secret[1], low ^ self.secret[2]) ^ port as u64
            }
        }
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "folding is what it does")]
const fn multiply_fold(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASHER: FlowHasher = FlowHasher::new([0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8ebc_6af0_9c88_c6e3]);

    fn key(source: u128, destination: u128, source_port: u16, destination_port: u16, family: Family) -> FlowKey {
        let (source, destination) = (Address(source), Address(destination));
        FlowKey { source, destination, source_port, destination_port, protocol: 6, family }
    }

    proptest! {
        #[test]
        fn both_directions_hash_alike(a: u128, b: u128, p: u16, q: u16) {
            let v6 = key(a, b, p, q, Family::V6);
            prop_assert_eq!(HASHER.flow(&v6), HASHER.flow(&v6.reversed()));
            let v4 = key(a & 0xffff_ffff, b & 0xffff_ffff, p, q, Family::V4);
            prop_assert_eq!(HASHER.flow(&v4), HASHER.flow(&v4.reversed()));
        }
    }

    /// 2^16 flows that differ in the client only, as a director sees them: no bucket of 2^10 gets twice its share.
    #[test]
    fn similar_flows_spread() {
        let mut buckets = [0u32; 1024];
        for i in 0..65_536u32 {
            let flow = key(u128::from(0x0a00_0000 + (i >> 4)), 0xc000_0264, (i & 15) as u16 + 1024, 80, Family::V4);
            buckets[(HASHER.flow(&flow) >> 54) as usize] += 1;
        }
        assert!(buckets.iter().all(|&n| n < 128), "fullest bucket: {:?}", buckets.iter().max());
    }
}
