//! The two IPv6 addresses that packets of a destination have, on their way in and after: they are the same for all its connections,
//! and 32 bytes of them in each connection's entry would be a cache line more for a packet to wait for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ulvs_model::ServiceKey;
use ulvs_wire::{Address, Delta};

use super::DestinationId;

const PAGE: usize = 256;

/// What clients of one destination call it, and what it is; as packets have it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct AddressPair {
    pub(crate) vip: [u64; 2],
    /// Its IPv6 address. With one of IPv4 nothing is translated, and nobody asks.
    pub(crate) real_server: [u64; 2],
    /// Which use of the destination's number it is of.
    generation: u32,
    /// What it does to a sum of which they are a part that the one takes the other's place.
    pub(crate) delta: Delta,
}

impl AddressPair {
    /// The one of no destination: no use of a number has this one.
    const NONE: Self = Self { vip: [0; 2], real_server: [0; 2], generation: u32::MAX, delta: Delta::NONE };

    /// Those of a destination of a service with one IPv6 address.
    pub(crate) fn of(service: &ServiceKey, real_server: SocketAddr, generation: u32) -> Option<Self> {
        let Some(IpAddr::V6(vip)) = service.vip() else { return None };
        let (vip, real_server) = match real_server.ip() {
            IpAddr::V6(own) => (vip.octets(), own.octets()),
            IpAddr::V4(_) => (vip.octets(), [0; 16]),
        };
        let words = |address: [u8; 16]| Address(u128::from_be_bytes(address)).v6_wire();
        let delta = Delta::between(&vip, &real_server);
        Some(Self { vip: words(vip), real_server: words(real_server), generation, delta })
    }
}

/// Those of all destinations that have them, by number, in pages that snapshots share.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressPairs(Vec<Option<Arc<[AddressPair; PAGE]>>>);

impl AddressPairs {
    /// Those of this use of a number.
    #[inline]
    pub(super) fn get(&self, id: DestinationId, generation: u32) -> Option<&AddressPair> {
        let at = id.0 as usize;
        let pair = &self.0.get(at / PAGE)?.as_ref()?[at % PAGE];
        (pair.generation == generation).then_some(pair)
    }

    /// Writes a pair, if it is another one; only its page is copied, and only if a snapshot shares it.
    pub(super) fn set(&mut self, id: DestinationId, pair: AddressPair) {
        let at = id.0 as usize;
        if self.get(id, pair.generation) == Some(&pair) {
            return;
        }
        if self.0.len() <= at / PAGE {
            self.0.resize(at / PAGE + 1, None);
        }
        let page = self.0[at / PAGE].get_or_insert_with(|| Arc::new([AddressPair::NONE; PAGE]));
        Arc::make_mut(page)[at % PAGE] = pair;
    }
}
