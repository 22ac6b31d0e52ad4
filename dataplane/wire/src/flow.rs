//! What tells one flow from another, and its hash.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ulvs_model::Family;

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

    /// An IPv4 address from a word whose lowest byte is its first.
    #[inline]
    pub const fn from_v4_wire(word: u32) -> Self {
        Self::v4(word.swap_bytes())
    }

    /// The word of an IPv4 address whose lowest byte is its first.
    #[inline]
    pub const fn v4_wire(self) -> u32 {
        self.to_v4().swap_bytes()
    }

    /// An IPv6 address from words whose lowest byte is their first.
    #[inline]
    pub const fn from_v6_wire(words: [u64; 2]) -> Self {
        Self((words[0].swap_bytes() as u128) << 64 | words[1].swap_bytes() as u128)
    }

    /// The words of an IPv6 address whose lowest byte is their first.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "two halves of an address")]
    pub const fn v6_wire(self) -> [u64; 2] {
        [((self.0 >> 64) as u64).swap_bytes(), (self.0 as u64).swap_bytes()]
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
///
/// Kept as the headers have them: words whose first byte on the wire is the lowest. So nothing has to be turned round to
/// make a key out of a packet, to hash it, or to compare it.
#[derive(Clone, Copy, Default)]
pub struct FlowKey {
    /// Source and destination port, 16 bits of zero, protocol, family: see [`Ends`].
    ends: Ends,
    /// IPv6: source and destination address. IPv4: the first word is the source address in the low half and the destination in the
    /// high half, and the others have any content.
    addresses: [[u64; 2]; 2],
}

/// Ports, protocol and family in one word: `destination port:16 | source port:16 | 0:16 | protocol:8 | 0:7 | IPv6:1`, the
/// ports in wire order.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ends(pub u64);

impl Ends {
    /// The bit of IPv6.
    pub const V6: u64 = 1;

    /// Of ports as they are next to each other on the wire.
    #[inline]
    pub(crate) const fn from_wire(ports: [u8; 4], protocol: u8, family: Family) -> Self {
        let v6 = matches!(family, Family::V6) as u64;
        Self((u32::from_le_bytes(ports) as u64) << 32 | (protocol as u64) << 8 | v6)
    }

    /// Of a packet with these ports.
    #[inline]
    pub const fn new(source: u16, destination: u16, protocol: u8, family: Family) -> Self {
        let ([a, b], [c, d]) = (source.to_be_bytes(), destination.to_be_bytes());
        Self::from_wire([a, b, c, d], protocol, family)
    }

    /// Source port.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a field is cut out of the word")]
    pub const fn source_port(self) -> u16 {
        ((self.0 >> 32) as u16).swap_bytes()
    }

    /// Destination port.
    #[inline]
    pub const fn destination_port(self) -> u16 {
        ((self.0 >> 48) as u16).swap_bytes()
    }

    /// Those of a packet the other way.
    #[inline]
    const fn reversed(self) -> Self {
        Self(self.0 & 0xffff_ffff | (((self.0 >> 32) as u32).rotate_left(16) as u64) << 32)
    }

    /// IP protocol number.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a field is cut out of the word")]
    pub const fn protocol(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Address family.
    #[inline]
    pub const fn family(self) -> Family {
        if self.0 & Self::V6 != 0 { Family::V6 } else { Family::V4 }
    }
}

impl FlowKey {
    /// The key of packets from `source` to `destination`, both of this family.
    pub const fn new(protocol: u8, family: Family, source: (Address, u16), destination: (Address, u16)) -> Self {
        let ends = Ends::new(source.1, destination.1, protocol, family);
        let addresses = match family {
            Family::V4 => [[source.0.v4_wire() as u64 | (destination.0.v4_wire() as u64) << 32, 0], [0; 2]],
            Family::V6 => [source.0.v6_wire(), destination.0.v6_wire()],
        };
        Self { ends, addresses }
    }

    /// Ports, protocol and family.
    #[inline]
    pub const fn ends(&self) -> Ends {
        self.ends
    }

    /// Both addresses in IPv4: the source in the low half, wire order.
    #[inline]
    pub const fn v4(&self) -> u64 {
        self.addresses[0][0]
    }

    /// Source and destination address in IPv6, wire order.
    #[inline]
    pub const fn v6(&self) -> &[[u64; 2]; 2] {
        &self.addresses
    }

    /// Source address.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub const fn source(&self) -> Address {
        match self.family() {
            Family::V4 => Address::from_v4_wire(self.v4() as u32),
            Family::V6 => Address::from_v6_wire(self.addresses[0]),
        }
    }

    /// Destination address.
    #[inline]
    pub const fn destination(&self) -> Address {
        match self.family() {
            Family::V4 => Address::from_v4_wire((self.v4() >> 32) as u32),
            Family::V6 => Address::from_v6_wire(self.addresses[1]),
        }
    }

    /// Source port.
    #[inline]
    pub const fn source_port(&self) -> u16 {
        self.ends.source_port()
    }

    /// Destination port.
    #[inline]
    pub const fn destination_port(&self) -> u16 {
        self.ends.destination_port()
    }

    /// IP protocol number.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        self.ends.protocol()
    }

    /// Address family of both addresses.
    #[inline]
    pub const fn family(&self) -> Family {
        self.ends.family()
    }

    /// The key of a packet the other way.
    #[must_use]
    pub const fn reversed(&self) -> Self {
        let addresses = match self.family() {
            Family::V4 => [[self.v4().rotate_left(32), 0], [0; 2]],
            Family::V6 => [self.addresses[1], self.addresses[0]],
        };
        Self { ends: self.ends.reversed(), addresses }
    }

    /// The same source, protocol and family, another destination.
    #[must_use]
    pub const fn to(&self, address: Address, port: u16) -> Self {
        Self::new(self.protocol(), self.family(), (self.source(), self.source_port()), (address, port))
    }

    /// Addresses and protocol of an IPv4 packet, field by field.
    #[inline]
    pub(crate) const fn set_v4(&mut self, addresses: u64, ports: [u8; 4], protocol: u8) {
        self.ends = Ends::from_wire(ports, protocol, Family::V4);
        self.addresses[0][0] = addresses;
    }

    /// Addresses and protocol of an IPv6 packet, field by field.
    #[inline]
    pub(crate) const fn set_v6(&mut self, addresses: [[u64; 2]; 2], protocol: u8) {
        self.ends = Ends::from_wire([0; 4], protocol, Family::V6);
        self.addresses = addresses;
    }

    /// The ports, as they are next to each other on the wire.
    #[inline]
    pub const fn wire_ports(&self) -> [u8; 4] {
        ((self.ends.0 >> 32) as u32).to_le_bytes()
    }

    /// Sets the ports, as they are next to each other on the wire.
    #[inline]
    pub const fn set_ports(&mut self, ports: [u8; 4]) {
        self.ends = Ends::from_wire(ports, self.protocol(), self.family());
    }
}

impl PartialEq for FlowKey {
    fn eq(&self, other: &Self) -> bool {
        let same = match self.family() {
            Family::V4 => self.v4() == other.v4(),
            Family::V6 => self.addresses == other.addresses,
        };
        self.ends == other.ends && same
    }
}

impl Eq for FlowKey {}

impl fmt::Debug for FlowKey {
    /// `6 10.0.0.1:1024 -> 192.0.2.1:80`: the protocol's number, and who to whom.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |address: Address, port| SocketAddr::new(address.to_ip(self.family()), port);
        let (from, to) = (end(self.source(), self.source_port()), end(self.destination(), self.destination_port()));
        write!(f, "{} {from} -> {to}", self.protocol())
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
        match key.family() {
            Family::V4 => self.flow_v4(key.ends, key.v4()),
            Family::V6 => self.between(key.ends, self.v6(key.addresses[0]), self.v6(key.addresses[1])),
        }
    }

    /// The same of an IPv4 flow with these [ends](FlowKey::ends) and [addresses](FlowKey::v4).
    #[inline]
    pub const fn flow_v4(&self, ends: Ends, addresses: u64) -> u64 {
        self.between(ends, addresses & 0xffff_ffff, addresses >> 32)
    }

    /// Of a flow between two addresses. Each is mixed with both ports in the order that it sees them in: the two words change places
    /// when the direction changes, and a product doesn't mind.
    #[inline]
    const fn between(&self, ends: Ends, from: u64, to: u64) -> u64 {
        let mixed = multiply_fold(from ^ ends.0 ^ self.secret[0], to ^ ends.reversed().0 ^ self.secret[0]);
        multiply_fold(mixed ^ self.secret[1], self.secret[2])
    }

    /// A hash and a word more: of what is longer than a flow's key.
    #[inline]
    pub const fn with(&self, hash: u64, word: u64) -> u64 {
        multiply_fold(hash ^ word ^ self.secret[1], self.secret[2])
    }

    /// The hash of what identifies a service: address, port and protocol.
    #[inline]
    pub const fn service(&self, address: Address, port: u16, protocol: u8, family: Family) -> u64 {
        let endpoint = match family {
            Family::V4 => (address.to_v4() as u64) << 16 | port as u64,
            Family::V6 => self.v6(address.v6_wire()) ^ port as u64,
        };
        // Twice: once would leave addresses that follow each other in step.
        let mixed = multiply_fold(endpoint ^ self.secret[0], self.secret[1]);
        multiply_fold(mixed ^ protocol as u64, self.secret[2])
    }

    /// An IPv6 address as 64 bits.
    #[inline]
    const fn v6(&self, words: [u64; 2]) -> u64 {
        multiply_fold(words[0] ^ self.secret[1], words[1] ^ self.secret[2])
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
        FlowKey::new(6, family, (Address(source), source_port), (Address(destination), destination_port))
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

    /// 2^14 services that differ in the address or in the port only: no shard of 2^10 gets thrice its share, whatever the secret.
    #[test]
    fn similar_services_spread() {
        let plain = FlowHasher::new([0x1234_5678_9abc_def1, 0xfedc_ba98_7654_3211, 0x0f1e_2d3c_4b5a_6979]);
        for (hasher, address, port) in [(HASHER, 1, 0), (HASHER, 0, 1), (plain, 1, 0), (plain, 0, 1)] {
            let mut shards = [0u32; 1024];
            for i in 0..1u16 << 14 {
                let to = Address(0x0ac8_0000 + u128::from(i * address));
                let hash = hasher.service(to, 1024 + i * port, 6, Family::V4);
                shards[(hash >> 32) as usize % 1024] += 1;
            }
            assert!(shards.iter().all(|&n| n < 48), "fullest shard: {:?}", shards.iter().max());
        }
    }
}
