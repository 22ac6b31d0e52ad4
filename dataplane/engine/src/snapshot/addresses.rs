//! A set of addresses that snapshots share, each with how many times it is in use.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;
use ulvs_wire::{Address, Family};

/// Addresses in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Arc<HashMap<(Address, Family), u32>>);

impl Addresses {
    pub(crate) fn contains(&self, address: Address, family: Family) -> bool {
        self.0.contains_key(&(address, family))
    }

    pub(crate) fn add(&mut self, address: IpAddr) {
        *Arc::make_mut(&mut self.0).entry(key(address)).or_default() += 1;
    }

    /// Takes back one [`add`](Self::add).
    pub(crate) fn remove(&mut self, address: IpAddr) {
        let uses = Arc::make_mut(&mut self.0);
        if let Some(count) = uses.get_mut(&key(address)) {
            *count -= 1;
            if *count == 0 {
                uses.remove(&key(address));
            }
        }
    }
}

fn key(address: IpAddr) -> (Address, Family) {
    (address.into(), Family::of(address))
}
