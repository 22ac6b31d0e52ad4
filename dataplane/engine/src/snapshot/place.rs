//! What services are found by.

use ulvs_model::ServiceKey;
use ulvs_wire::{Address, Ends, Family, FlowHasher, FlowKey};

/// A service's key as packets have it. Of a mark: protocol 0 and no port, as IPVS's templates have it (ipvs-facts B.6).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Place {
    /// Those of a packet to it, without the source's port.
    ends: u64,
    /// In wire order; IPv4 in the first word.
    address: [u64; 2],
}

/// A [`Place`] in one number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mixed(pub(super) u64);

impl Place {
    const SOURCE_PORT: u64 = 0xffff << 32;

    pub(crate) const fn new(address: Address, port: u16, protocol: u8, family: Family) -> Self {
        Self::to(&FlowKey::new(protocol, family, (Address(0), 0), (address, port)))
    }

    /// Where packets with this key go.
    #[inline(always)]
    pub(crate) const fn to(key: &FlowKey) -> Self {
        let address = match key.family() {
            Family::V4 => [key.v4() >> 32, 0],
            Family::V6 => key.v6()[1],
        };
        Self { ends: key.ends().0 & !Self::SOURCE_PORT, address }
    }

    pub(super) fn of(key: &ServiceKey) -> Self {
        let family = key.family();
        match key {
            ServiceKey::Address { protocol, address } => {
                Self::new(address.ip().into(), address.port(), protocol.number(), family)
            }
            ServiceKey::Mark { mark, .. } => Self::marked(mark.get(), family),
        }
    }

    pub(super) const fn marked(mark: u32, family: Family) -> Self {
        Self::new(mark_as_address(mark, family), 0, ANY, family)
    }

    /// A number in whose upper bits places differ that are alike: all that tells them apart is multiplied from its lowest bits on.
    #[inline(always)]
    pub(crate) const fn mixed(&self) -> Mixed {
        let mixed = self.ends.rotate_left(16).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = mixed.wrapping_add(self.address[0].wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
        match self.family() {
            Family::V4 => Mixed(mixed),
            Family::V6 => Mixed(mixed.wrapping_add(self.address[1].swap_bytes().wrapping_mul(0x1656_67b1_9e37_79f9))),
        }
    }

    /// The same address by another port.
    pub(super) const fn with_port(self, port: u16) -> Self {
        Self::new(self.address(), port, self.protocol(), self.family())
    }

    #[expect(clippy::cast_possible_truncation, reason = "an IPv4 address")]
    const fn address(&self) -> Address {
        match self.family() {
            Family::V4 => Address::from_v4_wire(self.address[0] as u32),
            Family::V6 => Address::from_v6_wire(self.address),
        }
    }

    #[inline]
    pub(super) const fn port(&self) -> u16 {
        Ends(self.ends).destination_port()
    }

    #[inline]
    pub(super) const fn protocol(&self) -> u8 {
        Ends(self.ends).protocol()
    }

    const fn family(&self) -> Family {
        Ends(self.ends).family()
    }

    pub(super) const fn hash(&self, hasher: FlowHasher) -> u64 {
        hasher.service(self.address(), self.port(), self.protocol(), self.family())
    }
}

/// The protocol of what is for packets of all protocols, `IPPROTO_IP`.
pub(crate) const ANY: u8 = 0;

/// A mark in the place of an address: in its first four bytes (ipvs-facts B.6).
pub(crate) const fn mark_as_address(mark: u32, family: Family) -> Address {
    match family {
        Family::V4 => Address::v4(mark),
        Family::V6 => Address((mark as u128) << 96),
    }
}
