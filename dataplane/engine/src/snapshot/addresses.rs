//! Sets that snapshots share, each member with how many times it is in use.

use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hashbrown::HashMap;
use ulvs_model::{Protocol, ServiceKey};
use ulvs_wire::{Address, Family, FlowKey};

use super::place::{ANY, Place};

/// What is in use.
#[derive(Clone, Debug)]
struct Uses<K>(Arc<HashMap<K, u32>>);

impl<K> Default for Uses<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Copy + Eq + Hash> Uses<K> {
    fn add(&mut self, one: K) {
        *Arc::make_mut(&mut self.0).entry(one).or_default() += 1;
    }

    /// Takes back one [`add`](Self::add).
    fn remove(&mut self, one: K) {
        let uses = Arc::make_mut(&mut self.0);
        if let Some(count) = uses.get_mut(&one) {
            *count -= 1;
            if *count == 0 {
                uses.remove(&one);
            }
        }
    }
}

/// Addresses in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Uses<(Address, Family)>);

impl Addresses {
    pub(crate) fn contains(&self, address: Address, family: Family) -> bool {
        self.0.0.contains_key(&(address, family))
    }

    pub(crate) fn add(&mut self, address: IpAddr) {
        self.0.add((address.into(), Family::of(address)));
    }

    /// Takes back one [`add`](Self::add).
    pub(crate) fn remove(&mut self, address: IpAddr) {
        self.0.remove((address.into(), Family::of(address)));
    }
}

/// Where real servers of services listen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners(Uses<Place>);

/// Where one real server listens for a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Listener(Place);

impl Listener {
    /// A service by mark is of every protocol.
    pub(crate) fn new(service: &ServiceKey, address: SocketAddr) -> Self {
        let protocol = service.protocol().map_or(ANY, Protocol::number);
        let family = Family::of(address.ip());
        Self(Place::new(address.ip().into(), address.port(), protocol, family))
    }
}

impl Listeners {
    /// Whether a packet comes from one.
    pub(crate) fn sent(&self, key: &FlowKey) -> bool {
        let at = |protocol| Place::new(key.source(), key.source_port(), protocol, key.family());
        [key.protocol(), ANY].into_iter().any(|protocol| self.0.0.contains_key(&at(protocol)))
    }

    /// Puts one in the place of another.
    pub(crate) fn replace(&mut self, was: Option<Listener>, now: Option<Listener>) {
        if was == now {
            return;
        }
        if let Some(Listener(place)) = was {
            self.0.remove(place);
        }
        if let Some(Listener(place)) = now {
            self.0.add(place);
        }
    }
}
