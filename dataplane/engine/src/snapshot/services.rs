//! Services by address, port and protocol or by mark, in shards that snapshots share.

use std::sync::Arc;

use hashbrown::HashTable;
use ulvs_model::{PersistenceEngine, ServiceKey, ServiceSettings};
use ulvs_wire::{Address, Family, FlowHasher, parse};

use crate::sched::{Request, Scheduler};
use crate::time::ticks;

use super::place::{ANY, Place};
use super::{Addresses, DestinationId};

const SHARDS: usize = 1024;
/// Services whose schedulers' lines stay in a worker's cache: some ten lines each.
const FEW: u32 = 64;
/// FTP's port, its data's from the server, and the first that its clients and servers choose among.
pub(crate) const FTP: u16 = 21;
pub(crate) const FTP_DATA: u16 = 20;
const UNPRIVILEGED: u16 = 1024;

/// How long and by which part of their address clients are remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Persistence {
    /// In ticks.
    pub(crate) timeout: u32,
    /// Of an address as packets have it.
    pub(crate) mask: u128,
    /// Calls are told apart, by SIP's Call-ID.
    pub(crate) by_call: bool,
}

impl Persistence {
    fn of(model: ulvs_model::Persistence) -> Self {
        let by_call = model.engine == Some(PersistenceEngine::Sip);
        Self { timeout: ticks(model.timeout), mask: model.netmask.bits(), by_call }
    }
}

/// A service as a worker sees it. What all new connections need is on its first line, up to what the scheduler's rule is.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct ServiceView {
    /// What it is found by.
    place: Place,
    /// The scheduler alone decides about its connections: it has no persistence, is by no mark and schedules no datagram by
    /// itself.
    plain: bool,
    /// Each datagram is scheduled by itself (ipvs-facts B.7).
    pub(crate) one_packet: bool,
    scheduler: Scheduler,
    pub(crate) key: ServiceKey,
    pub(crate) persistence: Option<Persistence>,
}

const _: () = assert!(std::mem::offset_of!(ServiceView, scheduler) + Scheduler::RULE < 64);

impl ServiceView {
    pub(crate) fn new(key: ServiceKey, scheduler: Scheduler, settings: &ServiceSettings) -> Self {
        let persistence = settings.persistence.map(Persistence::of);
        let plain = persistence.is_none() && key.mark().is_none() && !settings.one_packet;
        Self { place: Place::of(&key), plain, one_packet: settings.one_packet, scheduler, key, persistence }
    }

    /// The port it serves; 0: all.
    pub(crate) const fn port(&self) -> u16 {
        self.place.port()
    }

    /// Whether it is the one of this very address and port.
    #[inline(always)]
    pub(crate) fn is_at(&self, to: &Place) -> bool {
        self.place == *to
    }

    /// The scheduler alone decides about its connections.
    #[inline]
    pub(crate) const fn is_plain(&self) -> bool {
        self.plain
    }

    /// It is one by firewall mark.
    pub(crate) const fn is_marked(&self) -> bool {
        self.place.protocol() == ANY
    }

    /// What the next pick reads can be asked for.
    pub(crate) const fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The destination that gets the next connection.
    #[inline]
    pub(crate) fn pick(&self, request: &Request<'_>) -> Option<DestinationId> {
        self.scheduler.pick(request)
    }
}

type Shard = HashTable<Arc<ServiceView>>;

/// Where a service is, until services change: whoever finds something there has to see what it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spot {
    shard: u16,
    bucket: u32,
}

/// All services of a snapshot. One lookup, however many ports an address has.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    shards: Vec<Arc<Shard>>,
    /// Virtual addresses, once for each service.
    vips: Addresses,
    /// How many services there are of IPv4 and of IPv6.
    of_family: [u32; 2],
    /// How many of them are also found by other ports than their own.
    wide: u32,
    /// How many of them are found by a mark.
    marked: u32,
    hasher: FlowHasher,
}

impl Services {
    pub(crate) fn new(hasher: FlowHasher) -> Self {
        let empty = Arc::new(Shard::new());
        Self { shards: vec![empty; SHARDS], vips: Addresses::default(), of_family: [0; 2], wide: 0, marked: 0, hasher }
    }

    /// The service a packet to this address and port is for (ipvs-facts B.5.2): one of this port, or one of FTP if the port
    /// may be of its data, or one of all ports.
    #[inline]
    pub(crate) fn find(&self, to: Place) -> Option<(Spot, &ServiceView)> {
        let exact = self.at(to);
        if exact.is_none() && self.wide > 0 { self.find_wide(to) } else { exact }
    }

    #[cold]
    fn find_wide(&self, to: Place) -> Option<(Spot, &ServiceView)> {
        let port = to.port();
        let may_be_ftp = to.protocol() == parse::TCP && (port == FTP_DATA || port >= UNPRIVILEGED);
        let ftp = if may_be_ftp { self.at(to.with_port(FTP)) } else { None };
        ftp.or_else(|| self.at(to.with_port(0)))
    }

    /// What is in a spot now, if there is anything.
    #[inline(always)]
    pub(crate) fn at_spot(&self, spot: Spot) -> Option<&ServiceView> {
        let shard = &self.shards[usize::from(spot.shard) % SHARDS];
        shard.get_bucket(spot.bucket as usize).map(|service| &**service)
    }

    #[inline]
    fn at(&self, place: Place) -> Option<(Spot, &ServiceView)> {
        let hash = place.hash(self.hasher);
        let shard = shard_index(hash);
        let bucket = self.shards[shard].find_bucket_index(hash, |service| service.place == place)?;
        let service = self.shards[shard].get_bucket(bucket)?;
        let spot = Spot { shard: u16::try_from(shard).ok()?, bucket: u32::try_from(bucket).ok()? };
        Some((spot, &**service))
    }

    /// Whether there is any service by mark, and so a reason to ask for a packet's.
    #[inline]
    pub(crate) const fn are_marked(&self) -> bool {
        self.marked > 0
    }

    /// The service of packets with this mark; 0: they have none.
    pub(crate) fn of_mark(&self, mark: u32, family: Family) -> Option<(Spot, &ServiceView)> {
        if mark == 0 { None } else { self.at(Place::marked(mark, family)) }
    }

    /// Whether there are so many that a worker's cache may not hold what their schedulers use.
    pub(crate) const fn are_many(&self) -> bool {
        self.of_family[0] + self.of_family[1] > FEW
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
        let (hash, shard) = self.shard_of(service.place);
        if let Some(place) = shard.find_mut(hash, |other| other.key == key) {
            *place = service;
        } else {
            shard.insert_unique(hash, service, |other| other.place.hash(hasher));
            if let Some(vip) = key.vip() {
                self.vips.add(vip);
            }
            self.of_family[family_index(key.family())] += 1;
            self.wide += u32::from(is_wide(&key));
            self.marked += u32::from(key.mark().is_some());
        }
    }

    pub(crate) fn remove(&mut self, key: &ServiceKey) {
        let (hash, shard) = self.shard_of(Place::of(key));
        if let Ok(found) = shard.find_entry(hash, |other| other.key == *key) {
            found.remove();
            self.of_family[family_index(key.family())] -= 1;
            self.wide -= u32::from(is_wide(key));
            self.marked -= u32::from(key.mark().is_some());
            if let Some(vip) = key.vip() {
                self.vips.remove(vip);
            }
        }
    }

    fn shard_of(&mut self, place: Place) -> (u64, &mut Shard) {
        let hash = place.hash(self.hasher);
        (hash, Arc::make_mut(&mut self.shards[shard_index(hash)]))
    }
}

/// By other bits than a shard's table uses, which are the lowest and the highest.
const fn shard_index(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}

const fn is_wide(key: &ServiceKey) -> bool {
    key.mark().is_none() && matches!(key.port(), 0 | FTP)
}

const fn family_index(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}
