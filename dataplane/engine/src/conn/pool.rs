//! Free entries: a worker's own list first, then batches other workers gave back, then memory never used before.

use crossbeam::utils::CachePadded;

use crate::memory::Region;
use crate::prefetch::prefetch;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::entry::{ConnId, Entry};

/// Entries that change hands at a time: one, and those whose numbers it holds while it is free.
pub(super) const BATCH: usize = 1 + Entry::HELD;
/// No entry.
const NONE: u32 = u32::MAX;

/// What all workers share: a stack of batches, and how far memory was used.
#[derive(Debug)]
pub(crate) struct Pool {
    /// `change count:32 | first entry of the top batch:32`; the count keeps a stale compare-and-swap from succeeding.
    stack: CachePadded<AtomicU64>,
    /// Entries below this were used at least once.
    fresh: CachePadded<AtomicU32>,
    capacity: u32,
}

/// One worker's free entries. Its room is allocated once.
#[derive(Debug)]
pub(crate) struct FreeList {
    ids: Vec<ConnId>,
    most: usize,
}

impl Pool {
    pub(super) fn new(capacity: u32) -> Self {
        Self {
            stack: CachePadded::new(AtomicU64::new(u64::from(NONE))),
            fresh: CachePadded::new(AtomicU32::new(0)),
            capacity,
        }
    }

    /// A worker's list. Small tables keep little in each, so that one worker can use nearly all of them.
    pub(super) fn list(&self, workers: usize) -> FreeList {
        let share = self.capacity as usize / (workers.max(1) * 32);
        let most = share.min(20 * BATCH);
        FreeList { ids: Vec::with_capacity(most + BATCH + 1), most }
    }

    /// Entries below this number were used at least once.
    #[inline]
    pub(super) fn used(&self) -> u32 {
        self.fresh.load(Ordering::Acquire).min(self.capacity)
    }

    /// A free entry, if there is one.
    #[inline]
    pub(super) fn take(&self, list: &mut FreeList, entries: &Region<Entry>) -> Option<ConnId> {
        list.ids.pop().or_else(|| self.refill(list, entries))
    }

    /// Gives an entry back.
    #[inline]
    pub(super) fn give(&self, list: &mut FreeList, entries: &Region<Entry>, id: ConnId) {
        list.ids.push(id);
        if list.ids.len() > list.most {
            let at = list.ids.len().saturating_sub(BATCH);
            let mut batch = list.ids.drain(at..);
            if let Some(first) = batch.next() {
                entries[first as usize].hold(batch.chain(std::iter::repeat(NONE)));
                self.push(entries, first);
            }
        }
    }

    /// A batch, whose entries are asked for at once: what was given back by one worker after the other lies anywhere.
    #[cold]
    #[inline(never)]
    fn refill(&self, list: &mut FreeList, entries: &Region<Entry>) -> Option<ConnId> {
        if let Some(first) = self.pop(entries) {
            list.ids.extend(entries[first as usize].held().filter(|&id| id != NONE));
            list.ids.iter().for_each(|&id| prefetch(&entries[id as usize]));
            return Some(first);
        }
        let batch = u32::try_from(BATCH.min(list.most)).unwrap_or(1).max(1);
        let first = self
            .fresh
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                (used < self.capacity).then(|| used.saturating_add(batch).min(self.capacity))
            })
            .ok()?;
        list.ids.extend((first..first.saturating_add(batch).min(self.capacity)).rev());
        list.ids.iter().for_each(|&id| prefetch(&entries[id as usize]));
        list.ids.pop()
    }

    // Batches are linked by the `controls_or_next` of their first entries, which control nothing while they are free.
    pub(super) fn push(&self, entries: &Region<Entry>, first: ConnId) {
        let mut top = self.stack.load(Ordering::Acquire);
        loop {
            entries[first as usize].controls_or_next.store(top_of(top), Ordering::Relaxed);
            let next = changed(top, first);
            match self.stack.compare_exchange_weak(top, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    pub(super) fn pop(&self, entries: &Region<Entry>) -> Option<ConnId> {
        let mut top = self.stack.load(Ordering::Acquire);
        loop {
            let first = top_of(top);
            if first == NONE {
                return None;
            }
            // Stale if another worker takes the batch at this moment: then the count has changed and the swap fails.
            let below = entries[first as usize].controls_or_next.load(Ordering::Relaxed);
            match self.stack.compare_exchange_weak(top, changed(top, below), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    // The batch that whoever comes next takes.
                    if let Some(below) = entries.get(below as usize) {
                        below.prefetch();
                    }
                    return Some(first);
                }
                Err(now) => top = now,
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half")]
const fn top_of(top: u64) -> u32 {
    top as u32
}

const fn changed(top: u64, first: u32) -> u64 {
    ((top >> 32).wrapping_add(1) << 32) | first as u64
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// One worker can use every entry another gave back, and none is ever handed out twice.
    #[test]
    fn entries_change_hands() {
        let (pool, entries) = (Pool::new(1000), Region::new(1000).unwrap());
        let (mut a, mut b) = (pool.list(2), pool.list(2));
        let taken: Vec<_> = std::iter::from_fn(|| pool.take(&mut a, &entries)).collect();
        assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 1000);
        assert!(pool.take(&mut b, &entries).is_none());
        for id in taken {
            pool.give(&mut a, &entries, id);
        }
        let again: HashSet<_> = std::iter::from_fn(|| pool.take(&mut b, &entries)).collect();
        assert!(again.len() >= 1000 - a.most, "{}", again.len());
    }
}
