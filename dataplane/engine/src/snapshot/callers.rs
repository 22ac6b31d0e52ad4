//! Real servers of services with the persistence engine sip, which may begin calls themselves (ipvs-facts B.6, C.2).

use std::hash::BuildHasher as _;
use std::net::SocketAddr;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use ulvs_model::ServiceKey;
use ulvs_wire::{FlowKey, parse};

use super::DestinationId;

/// Parts of the set. A change copies one of them, so that thousands of services are loaded in a time by their number.
const PARTS: usize = 64;

/// A real server as a caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Caller {
    /// Where it sends from.
    pub(crate) address: SocketAddr,
    pub(crate) id: DestinationId,
    pub(crate) service: ServiceKey,
    /// When it was added to the service: of several with one address the last counts, as it is in front in the kernel's table.
    pub(crate) added: u64,
}

/// By the address and port that they send from; empty where no service has the engine.
#[derive(Clone, Debug)]
pub(crate) struct Callers {
    count: usize,
    hasher: DefaultHashBuilder,
    parts: [Arc<HashTable<Caller>>; PARTS],
}

impl Default for Callers {
    fn default() -> Self {
        let parts = std::array::from_fn(|_| Arc::default());
        Self { count: 0, hasher: DefaultHashBuilder::default(), parts }
    }
}

impl Callers {
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The real server that sent this packet, and its service.
    pub(crate) fn find(&self, key: &FlowKey) -> Option<(DestinationId, ServiceKey)> {
        if key.protocol() != parse::UDP {
            return None;
        }
        let address = SocketAddr::new(key.source().to_ip(key.family()), key.source_port());
        let hash = self.hasher.hash_one(address);
        let those = self.parts[part_of(hash)].iter_hash(hash).filter(|caller| caller.address == address);
        those.max_by_key(|caller| caller.added).map(|caller| (caller.id, caller.service))
    }

    /// Puts a real server in the place of what was known of it.
    pub(super) fn replace(this: &mut Arc<Self>, was: Option<Caller>, now: Option<Caller>) {
        if was == now {
            return;
        }
        let Self { count, hasher, parts } = Arc::make_mut(this);
        if let Some(was) = was {
            let hash = hasher.hash_one(was.address);
            let part = Arc::make_mut(&mut parts[part_of(hash)]);
            if let Ok(entry) = part.find_entry(hash, |caller| *caller == was) {
                entry.remove();
                *count -= 1;
            }
        }
        if let Some(now) = now {
            let hash = hasher.hash_one(now.address);
            let part = Arc::make_mut(&mut parts[part_of(hash)]);
            part.insert_unique(hash, now, |caller| hasher.hash_one(caller.address));
            *count += 1;
        }
    }
}

/// Other bits of the hash than those that a part goes by.
#[inline]
const fn part_of(hash: u64) -> usize {
    (hash >> 32) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use ulvs_model::Protocol;
    use ulvs_wire::Family;

    use super::*;

    #[test]
    fn the_last_that_was_added_counts_and_the_one_before_when_it_is_gone() {
        let address: SocketAddr = "10.0.0.1:5060".parse().unwrap();
        let caller = |id, added| {
            let service = ServiceKey::new(Protocol::Udp, SocketAddr::from(([192, 0, 2, 1], id)));
            Caller { address, id: DestinationId(id.into()), service, added }
        };
        let (older, newer, again) = (caller(1, 5), caller(2, 8), caller(1, 9));
        let from = (address.ip().into(), address.port());
        let key = |protocol| FlowKey::new(protocol, Family::V4, from, (address.ip().into(), 1));
        let found = |callers: &Arc<Callers>| callers.find(&key(parse::UDP)).map(|(id, _)| id.0);
        let mut callers = Arc::<Callers>::default();
        assert!(callers.is_empty());
        for (was, now, expected) in [
            (None, Some(newer), Some(2)),
            (None, Some(older), Some(2)),
            (Some(older), Some(again), Some(1)),
            (Some(again), None, Some(2)),
        ] {
            let before = (Arc::clone(&callers), found(&callers));
            Callers::replace(&mut callers, was, now);
            assert_eq!((found(&callers), found(&before.0)), (expected, before.1));
        }
        assert_eq!(callers.find(&key(parse::TCP)), None);
        Callers::replace(&mut callers, Some(newer), None);
        assert!(callers.is_empty() && found(&callers).is_none());
    }
}
