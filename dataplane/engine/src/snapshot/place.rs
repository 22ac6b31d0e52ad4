//! What services are found by.

use ulvs_model::ServiceKey;
use ulvs_wire::{Address, Family, FlowHasher};

/// A service's key as packets have it. Of a mark: protocol 0 and no port, as IPVS's templates have it (ipvs-facts B.6).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Place {
    pub(super) address: Address,
    pub(super) family: Family,
    pub(super) port: u16,
    pub(super) protocol: u8,
}

impl Place {
    pub(super) fn of(key: &ServiceKey) -> Self {
        let family = key.family();
        match key {
            ServiceKey::Address { protocol, address } => {
                Self { address: address.ip().into(), family, port: address.port(), protocol: protocol.number() }
            }
            ServiceKey::Mark { mark, .. } => Self::marked(mark.get(), family),
        }
    }

    pub(super) const fn marked(mark: u32, family: Family) -> Self {
        Self { address: mark_as_address(mark, family), family, port: 0, protocol: ANY }
    }

    pub(super) const fn hash(self, hasher: FlowHasher) -> u64 {
        hasher.service(self.address, self.port, self.protocol, self.family)
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
