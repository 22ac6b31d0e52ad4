//! Sets that snapshots share, each member with how many times it is in use.

use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use ulvs_model::{Protocol, ServiceKey};
use ulvs_wire::{Address, Family, FlowKey};

use super::place::{ANY, Place};

/// Parts of a set. A change copies one of them, so that it costs little among 100,000 members.
const PARTS: usize = 256;

/// Members, each with its number of uses.
type Part<K> = Arc<HashTable<(K, u32)>>;

/// What is in use.
#[derive(Clone, Debug)]
struct Uses<K>(Arc<Set<K>>);

#[derive(Clone, Debug)]
struct Set<K> {
    members: usize,
    hasher: DefaultHashBuilder,
    /// By the hash of what is in them.
    parts: [Part<K>; PARTS],
}

impl<K> Default for Uses<K> {
    fn default() -> Self {
        let parts = std::array::from_fn(|_| Arc::default());
        Self(Arc::new(Set { members: 0, hasher: DefaultHashBuilder::default(), parts }))
    }
}

/// Other bits of the hash than those that a part goes by.
#[inline]
const fn part_of(hash: u64) -> usize {
    (hash >> 32) as usize % PARTS
}

impl<K: Copy + Eq + Hash> Uses<K> {
    /// For packets without a connection: not in the way of the others.
    #[inline(never)]
    fn contains(&self, one: &K) -> bool {
        let Set { members, hasher, parts } = &*self.0;
        if *members == 0 {
            return false;
        }
        let hash = hasher.hash_one(one);
        parts[part_of(hash)].find(hash, |(known, _)| known == one).is_some()
    }

    fn add(&mut self, one: K) {
        let Set { members, hasher, parts } = Arc::make_mut(&mut self.0);
        let hash = hasher.hash_one(one);
        let part = Arc::make_mut(&mut parts[part_of(hash)]);
        match part.entry(hash, |(known, _)| *known == one, |(known, _)| hasher.hash_one(known)) {
            Entry::Occupied(mut entry) => entry.get_mut().1 += 1,
            Entry::Vacant(entry) => {
                entry.insert((one, 1));
                *members += 1;
            }
        }
    }

    /// Takes back one [`add`](Self::add).
    fn remove(&mut self, one: K) {
        let Set { members, hasher, parts } = Arc::make_mut(&mut self.0);
        let hash = hasher.hash_one(one);
        let part = Arc::make_mut(&mut parts[part_of(hash)]);
        if let Ok(mut entry) = part.find_entry(hash, |(known, _)| *known == one) {
            entry.get_mut().1 -= 1;
            if entry.get().1 == 0 {
                entry.remove();
                *members -= 1;
            }
        }
    }
}

/// Addresses in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Uses<(Address, Family)>);

impl Addresses {
    pub(crate) fn contains(&self, address: Address, family: Family) -> bool {
        self.0.contains(&(address, family))
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
        [key.protocol(), ANY].into_iter().any(|protocol| self.0.contains(&at(protocol)))
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn each_is_in_use_as_often_as_it_was_added(steps in prop::collection::vec((any::<bool>(), 0..200_u16), 0..600)) {
            let mut uses = Uses::default();
            let mut counts: HashMap<u16, u32> = HashMap::new();
            let mut before = Vec::new();
            for (at, (adds, one)) in steps.into_iter().enumerate() {
                let count = counts.entry(one).or_default();
                if adds {
                    uses.add(one);
                    *count += 1;
                } else {
                    uses.remove(one);
                    *count = count.saturating_sub(1);
                }
                if at % 100 == 0 {
                    before.push((uses.clone(), counts.clone()));
                }
            }
            before.push((uses, counts));
            // What a snapshot had, it still has.
            for (uses, counts) in before {
                let used = |one: &u16| counts.get(one).is_some_and(|count| *count > 0);
                prop_assert_eq!(uses.0.members, (0..200).filter(used).count());
                prop_assert!((0..200).all(|one| uses.contains(&one) == used(&one)));
            }
        }
    }
}
