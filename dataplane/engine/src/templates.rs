//! How many templates there are, and when there are too many (ipvs-facts B.6).

use crossbeam::utils::CachePadded;

use crate::memory::Region;
use crate::snapshot::DestinationId;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts of templates: shared by all workers, changed when one is made or ends.
///
/// A template is made for each client address, and a client that never completes a handshake costs nothing to pretend. So the
/// table has a policy, where IPVS has none but `drop_entry`: while templates take more than a quarter of it, those that
/// no connection was established by end with their last connection; and at half of it no more are made: clients are
/// served, but not remembered.
#[derive(Debug)]
pub struct Templates {
    of: Region<AtomicU64>,
    all: CachePadded<AtomicU64>,
    capacity: u64,
}

impl Templates {
    /// None, for this many destinations and a table for `capacity` connections.
    pub(crate) fn new(destinations: usize, capacity: u32) -> std::io::Result<Self> {
        let all = CachePadded::new(AtomicU64::new(0));
        Ok(Self { of: Region::new(destinations)?, all, capacity: capacity.into() })
    }

    /// Takes the memory of these destinations' counts.
    pub(crate) fn take(&self, ids: std::ops::Range<usize>) {
        self.of.take(ids);
    }

    /// Templates that lead to a destination: IPVS's `persist`.
    pub fn of(&self, id: DestinationId) -> u64 {
        self.of[id.0 as usize].load(Relaxed)
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.all.load(Relaxed)
    }

    /// No more may be made.
    pub(crate) fn is_full(&self) -> bool {
        self.all() >= self.capacity / 2
    }

    /// So many that those without an established connection don't outlive their connections.
    pub(crate) fn are_many(&self) -> bool {
        self.all() > self.capacity / 4
    }

    /// No more may be made from now on.
    pub(crate) fn fill(&self) {
        self.all.store(self.capacity, Relaxed);
    }

    pub(crate) fn made(&self, id: DestinationId) {
        self.of[id.0 as usize].fetch_add(1, Relaxed);
        self.all.fetch_add(1, Relaxed);
    }

    pub(crate) fn ended(&self, id: DestinationId) {
        self.of[id.0 as usize].fetch_sub(1, Relaxed);
        self.all.fetch_sub(1, Relaxed);
    }
}
