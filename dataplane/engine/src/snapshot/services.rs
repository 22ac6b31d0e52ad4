//! Services by address, port and protocol, in shards that snapshots share.

use std::sync::Arc;

use hashbrown::HashTable;
use ulvs_model::ServiceKey;
use ulvs_wire::{Address, Family, FlowHasher};

use crate::sched::{Request, Scheduler};

use super::{Addresses, DestinationId};

const SHARDS: usize = 1024;

/// A service as a worker sees it.
#[derive(Debug)]
pub(crate) struct ServiceView {
    pub(crate) key: ServiceKey,
    /// The key's address, as packets have it.
    vip: (Address, Family),
    scheduler: Scheduler,
}

impl ServiceView {
    pub(crate) fn new(key: ServiceKey, scheduler: Scheduler) -> Self {
        Self { key, vip: vip(&key), scheduler }
    }

    /// The destination that gets the next connection.
    #[inline]
    pub(crate) fn pick(&self, request: &Request<'_>) -> Option<DestinationId> {
        self.scheduler.pick(request)
    }
}

type Shard = HashTable<Arc<ServiceView>>;

/// All services of a snapshot. One lookup, however many ports an address has.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    shards: Vec<Arc<Shard>>,
    /// Virtual addresses, once for each service.
    vips: Addresses,
    /// How many services there are of IPv4 and of IPv6.
    of_family: [u32; 2],
    hasher: FlowHasher,
}

impl Services {
    pub(crate) fn new(hasher: FlowHasher) -> Self {
        let empty = Arc::new(Shard::new());
        Self { shards: vec![empty; SHARDS], vips: Addresses::default(), of_family: [0; 2], hasher }
    }

    /// The service a packet to this address and port is for.
    #[inline]
    pub(crate) fn find(&self, to: Address, port: u16, protocol: u8, family: Family) -> Option<&ServiceView> {
        let hash = self.hasher.service(to, port, protocol, family);
        let shard = &self.shards[shard_index(hash)];
        let same = |service: &Arc<ServiceView>| {
            let key = &service.key;
            service.vip == (to, family) && key.address.port() == port && key.protocol.number() == protocol
        };
        shard.find(hash, same).map(|service| &**service)
    }

    /// Whether some service has this address.
    pub(crate) fn has_vip(&self, address: Address, family: Family) -> bool {
        self.vips.contains(address, family)
    }

    /// Whether there is any service of this family. Without one, IPVS leaves the family's packets alone (ipvs-facts B.2).
    pub(crate) const fn any_of(&self, family: Family) -> bool {
        self.of_family[family_index(family)] > 0
    }

    pub(crate) fn set(&mut self, service: Arc<ServiceView>) {
        let key = service.key;
        let hasher = self.hasher;
        let (hash, shard) = self.shard_of(&key);
        if let Some(place) = shard.find_mut(hash, |other| other.key == key) {
            *place = service;
        } else {
            shard.insert_unique(hash, service, |other| hash_of(hasher, &other.key));
            self.vips.add(key.vip());
            self.of_family[family_index(vip(&key).1)] += 1;
        }
    }

    pub(crate) fn remove(&mut self, key: &ServiceKey) {
        let (hash, shard) = self.shard_of(key);
        if let Ok(found) = shard.find_entry(hash, |other| other.key == *key) {
            found.remove();
            self.of_family[family_index(vip(key).1)] -= 1;
            self.vips.remove(key.vip());
        }
    }

    fn shard_of(&mut self, key: &ServiceKey) -> (u64, &mut Shard) {
        let hash = hash_of(self.hasher, key);
        (hash, Arc::make_mut(&mut self.shards[shard_index(hash)]))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits choose")]
const fn shard_index(hash: u64) -> usize {
    hash as usize % SHARDS
}

const fn family_index(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}

fn vip(key: &ServiceKey) -> (Address, Family) {
    (key.vip().into(), Family::of(key.vip()))
}

fn hash_of(hasher: FlowHasher, key: &ServiceKey) -> u64 {
    let (address, family) = vip(key);
    hasher.service(address, key.address.port(), key.protocol.number(), family)
}
