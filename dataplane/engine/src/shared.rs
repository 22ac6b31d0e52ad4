//! What all workers of a director and its control side share.

use std::io;

use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;
use std::net::IpAddr;
use ulvs_wire::FlowHasher;

use crate::conn::Table;
use crate::counters::{Totals, WorkerCounters};
use crate::datagrams::Datagrams;
use crate::live::{LiveConnections, Load};
use crate::snapshot::{DestinationId, PortId};
use crate::sources::Sources;
use crate::sync::atomic::{AtomicU32, Ordering::Relaxed};
use crate::templates::Templates;
use crate::verdict::{DropReason, PuntReason};

/// A neighbour some packet waits for: the kernel should be asked to resolve it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Unresolved {
    /// On which port.
    pub port: PortId,
    /// Its IP address.
    pub address: IpAddr,
}

/// What a router on the way to a tunnel's far end said: packets to it must be shorter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LearnedMtu {
    /// The destination.
    pub destination: DestinationId,
    /// Which use of its number.
    pub generation: u32,
    /// The longest IP packet, outer headers included.
    pub mtu: u16,
}

/// Sizes that are fixed for a director's life.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Connections at a time.
    pub connections: u32,
    /// Destinations of all services together.
    pub destinations: u32,
    /// Workers.
    pub workers: usize,
}

/// Connection table and counters.
#[derive(Debug)]
pub struct Shared {
    /// The connections.
    pub table: Table,
    /// How many each destination has.
    pub live: LiveConnections,
    /// How many templates there are.
    pub templates: Templates,
    /// What came in fragments.
    pub datagrams: Datagrams,
    /// Who begins how many connections.
    pub sources: Sources,
    workers: Box<[WorkerCounters]>,
    /// Connections in the table whose client's port is not known yet. Changed by any worker.
    announced: CachePadded<AtomicU32>,
    requests: ArrayQueue<Unresolved>,
    learned: ArrayQueue<LearnedMtu>,
    hasher: FlowHasher,
    capacity: Capacity,
}

impl Shared {
    /// Empty, with the secret `seed` for all hashing of flows.
    ///
    /// # Errors
    /// What the kernel says when it has no room for the mappings.
    pub fn new(capacity: Capacity, seed: [u64; 3]) -> io::Result<Self> {
        Self::with_hasher(capacity, FlowHasher::new(seed))
    }

    fn with_hasher(capacity: Capacity, hasher: FlowHasher) -> io::Result<Self> {
        let destinations = capacity.destinations as usize;
        Ok(Self {
            table: Table::new(capacity.connections, capacity.workers, hasher)?,
            live: LiveConnections::new(destinations)?,
            templates: Templates::new(destinations, capacity.connections)?,
            datagrams: Datagrams::new()?,
            sources: Sources::new()?,
            workers: (0..capacity.workers).map(|_| WorkerCounters::new(destinations)).collect::<io::Result<_>>()?,
            announced: CachePadded::default(),
            requests: ArrayQueue::new(1024),
            learned: ArrayQueue::new(256),
            hasher,
            capacity,
        })
    }

    /// The same, whose entries know when connections began, for [records](crate::flows) of them.
    #[must_use]
    pub const fn with_beginnings(mut self) -> Self {
        self.table.keep_beginnings();
        self
    }

    /// Another one for one worker, empty but for what is full in this one, in which the same flows have the same hashes.
    ///
    /// # Errors
    /// What the kernel says when it has no room for the mappings.
    pub(crate) fn alike(&self) -> io::Result<Self> {
        const CONNECTIONS: u32 = 1024;
        let capacity = Capacity { connections: CONNECTIONS, workers: 1, ..self.capacity };
        let other = Self::with_hasher(capacity, self.hasher)?;
        if self.templates.is_full() {
            other.templates.fill();
        }
        Ok(other)
    }

    /// Takes the memory of what is counted for a destination, and for the numbers behind its own, which are next: a worker
    /// would wait for the kernel to clear it. For the control side, before workers hear of the number.
    pub(crate) fn prepare_for(&self, id: DestinationId) {
        const STEP: usize = 1024;
        let first = id.0 as usize;
        if first.is_multiple_of(STEP) {
            let ids = first..first + STEP;
            self.workers.iter().for_each(|worker| worker.take(ids.clone()));
            self.templates.take(ids.clone());
            self.live.take(ids);
        }
    }

    /// Whether there is no room for another connection, up to what workers are doing at this moment.
    pub(crate) fn is_full(&self) -> bool {
        self.connections() + self.templates.all() >= self.table.capacity() as u64
    }

    /// The sizes it was made with.
    pub const fn capacity(&self) -> Capacity {
        self.capacity
    }

    pub(crate) const fn hasher(&self) -> FlowHasher {
        self.hasher
    }

    /// Each worker's counters.
    pub fn workers(&self) -> &[WorkerCounters] {
        &self.workers
    }

    /// Connections there are now, without templates, up to what workers are doing at this moment.
    pub fn connections(&self) -> u64 {
        let made = self.workers.iter().map(|w| w.connections_made.get()).sum::<u64>();
        made.saturating_sub(self.workers.iter().map(|w| w.connections_ended.get()).sum())
    }

    /// Whether a new client port may be of a connection that was [announced](crate::conn::Helper::Announced).
    #[inline]
    pub(crate) fn any_announced(&self) -> bool {
        self.announced.load(Relaxed) != 0
    }

    pub(crate) fn announce(&self) {
        self.announced.fetch_add(1, Relaxed);
    }

    pub(crate) fn announced_ended(&self) {
        self.announced.fetch_sub(1, Relaxed);
    }

    /// Packets all workers dropped for this reason.
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.workers.iter().map(|w| w.drops(reason)).sum()
    }

    /// Packets all workers handed to the kernel for this reason.
    pub fn punts(&self, reason: PuntReason) -> u64 {
        self.workers.iter().map(|w| w.punts(reason)).sum()
    }

    /// The connections of a destination.
    pub fn load(&self, id: DestinationId) -> Load {
        self.live.of(id)
    }

    /// What all workers counted for a destination's number, over all uses of it.
    pub(crate) fn destination_totals(&self, id: DestinationId) -> Totals {
        self.workers.iter().map(|w| w.destination_totals(id)).fold(Totals::default(), Totals::plus)
    }

    /// What each worker counted for the destinations with the first `used` numbers, over all uses of them.
    pub fn totals_of_workers(&self, used: u32) -> Vec<Totals> {
        let ids = 0..used.min(self.capacity.destinations);
        let of = |worker: &WorkerCounters| {
            ids.clone().map(|id| worker.destination_totals(DestinationId(id))).fold(Totals::default(), Totals::plus)
        };
        self.workers.iter().map(of).collect()
    }

    /// Says that packets wait for a neighbour. Forgotten if too many were said already: the packets are asked again.
    pub(crate) fn ask_for(&self, neighbour: Unresolved) {
        let _ = self.requests.push(neighbour);
    }

    /// A neighbour that packets wait for, if there is one that was not taken yet.
    pub fn next_unresolved(&self) -> Option<Unresolved> {
        self.requests.pop()
    }

    /// Passes on what a router said of a way. Forgotten if too much was said already: it will be said again.
    pub(crate) fn learned(&self, mtu: LearnedMtu) {
        let _ = self.learned.push(mtu);
    }

    /// Something that was learned of a way, if there is any that was not taken yet.
    pub fn next_learned(&self) -> Option<LearnedMtu> {
        self.learned.pop()
    }
}
