//! Which destinations have served an address: what lblc and lblcr remember (ipvs-facts A.13, A.14).
//!
//! One table for all workers, because an address should have one destination and not one for each worker. It is behind a lock
//! that is only ever tried: a worker that doesn't get it picks as if the table didn't know the address. All memory is reserved
//! when the scheduler is bound, and taken as it is used.

mod node;
mod pool;
mod sets;
mod table;
#[cfg(test)]
mod tests;
mod wide;

use ulvs_wire::{Address, FlowHasher};

use crate::snapshot::DestinationId;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use crate::time::{Ticks, ticks};

use table::BUCKETS;
pub(super) use table::Table;

/// An address that was not asked for so long is forgotten, unless a sysctl says otherwise.
const EXPIRATION: u32 = ticks(86_400);
/// The longest time in seconds that clocks can tell: half of their range.
const LONGEST: u32 = u32::MAX / 2 / crate::time::TICKS_PER_SECOND;
/// How often a lock is tried before it is given up: mostly it is held for less than a microsecond.
const TRIES: u32 = 64;

/// A destination as the table knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Member {
    pub(super) id: DestinationId,
    pub(super) generation: u32,
}

/// The table of a service.
#[derive(Debug)]
pub(crate) struct Locality {
    table: Mutex<Table>,
    /// `lblc_expiration` or `lblcr_expiration` in ticks. Written by the control side.
    expiration: AtomicU32,
    /// How many lists there have been. Written by the control side.
    editions: AtomicU64,
}

impl Locality {
    /// Without addresses. Whoever chooses addresses does not know the secret of `hasher`, and so not who shares a bucket.
    pub(super) fn new(hasher: FlowHasher) -> Self {
        Self::over(Table::new(hasher), EXPIRATION)
    }

    fn over(table: Table, expiration: u32) -> Self {
        Self { table: Mutex::new(table), expiration: AtomicU32::new(expiration), editions: AtomicU64::new(0) }
    }

    /// The number of the next list of the service's destinations. For the control side.
    pub(super) fn next_edition(&self) -> u64 {
        self.editions.fetch_add(1, Relaxed) + 1
    }

    /// Changes how long addresses are remembered that nobody asks for, and how long lblcr's sets last.
    pub(crate) fn expire_after(&self, seconds: i32) {
        let seconds = u32::try_from(seconds).unwrap_or(0).min(LONGEST);
        self.expiration.store(ticks(seconds), Relaxed);
    }

    pub(super) fn expiration(&self) -> u32 {
        self.expiration.load(Relaxed)
    }

    /// A table of its own with what this one knows of an address, which is not taken for asked for.
    pub(super) fn copy(&self, address: Address, hasher: FlowHasher, now: Ticks) -> Self {
        let mut copied = Table::new(hasher);
        if let Some((times, members)) = self.with(|table| table.set_of(address)).flatten() {
            // The newest comes last, and so is in front again.
            members.iter().rev().for_each(|&member| copied.join(address, member, now));
            copied.asked_and_changed(address, times);
        }
        Self::over(copied, self.expiration())
    }

    /// Works with the table, unless another thread has it for long.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Table) -> R) -> Option<R> {
        for _ in 0..TRIES {
            if let Ok(mut table) = self.table.try_lock() {
                return Some(work(&mut table));
            }
            std::hint::spin_loop();
        }
        None
    }

    /// Forgets addresses nobody asks for, as IPVS does once a minute. For the control side; workers are held up for a bucket.
    pub(crate) fn collect(&self, now: Ticks) {
        let idle = self.expiration();
        let Some(Some((expiration, mut goal))) = self.with(|table| table.begin_collection(idle)) else { return };
        for _ in 0..BUCKETS {
            if goal == 0 {
                return;
            }
            let gone = self.with(|table| table.collect_bucket(now, expiration));
            goal = goal.saturating_sub(gone.unwrap_or(0));
        }
    }
}
