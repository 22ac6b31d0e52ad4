//! One worker's part of the table: its free entries, what it retired, and how far its sweep is.

use crate::prefetch::AT_A_TIME;
use crate::sync::atomic::Ordering;
use crate::time::{TICKS_PER_SECOND, Ticks};

use super::control::{Control, Life};
use super::ending::Homes;
use super::entry::{ConnId, Entry};
use super::limbo::Limbo;
use super::pool::FreeList;
use super::table::Table;

/// Entries of one worker in a row; the next ones are the next worker's.
const STRIDE: u32 = 4096;
/// Sweeps of the whole table in a second.
const SWEEPS_PER_SECOND: u32 = 1;
/// Entries looked at in one go: about 2 us of reading in order.
const LOOKS_AT_ONCE: u32 = 256;
/// Connections ended in one go. A worker whose passes take 10 us ends three million a second.
const ENDS_AT_ONCE: usize = 32;
/// Entries freed in one go: more than a burst and a sweep end.
const FREES_AT_ONCE: usize = 256;

/// Owned by one worker; nothing in it allocates after it was made.
#[derive(Debug)]
pub(crate) struct Local {
    worker: usize,
    workers: usize,
    pub(super) free: FreeList,
    /// Dead entries, until they are free.
    retired: Limbo,
    /// Entries marked as expiring, until it is sure whether a packet came.
    expiring: Limbo,
    /// How many of this worker's entries the current sweep has seen.
    swept: u32,
    tick: Ticks,
    /// Entries still to be looked at in this tick.
    due: u32,
}

impl Local {
    pub(super) fn new(worker: usize, workers: usize, free: FreeList, capacity: usize) -> Self {
        let room = Self::room(capacity, workers);
        Self {
            worker,
            workers,
            free,
            retired: Limbo::new(room),
            expiring: Limbo::new(room),
            swept: 0,
            tick: Ticks(0),
            due: 0,
        }
    }

    /// How many entries may wait at a time: all workers' together are a thirty-second of the table.
    fn room(capacity: usize, workers: usize) -> usize {
        (capacity / (workers.max(1) * 32)).clamp(128, 16_384)
    }

    /// Bytes each worker of a table keeps for waiting entries.
    pub(super) fn bytes(capacity: usize, workers: usize) -> usize {
        2 * Limbo::bytes(Self::room(capacity, workers))
    }

    /// Whether another connection may be made or ended now. Else the other workers must begin a new burst first.
    #[inline]
    pub(crate) fn can_retire(&self) -> bool {
        self.retired.has_room()
    }

    /// Keeps a dead entry until no worker can hold its number. Only if [`can_retire`](Self::can_retire).
    pub(super) fn retire(&mut self, id: ConnId, incarnation: u32) {
        self.retired.push(id, incarnation);
    }

    /// Between two bursts: says that this worker holds no entry, and frees what nobody holds, a bounded part at each call.
    #[inline]
    pub(crate) fn quiesce(&mut self, table: &Table) {
        self.retired.date(&table.quiescence);
        self.expiring.date(&table.quiescence);
        table.quiescence.pass(self.worker);
        if !self.retired.is_empty() {
            self.free_retired(table);
        }
    }

    fn free_retired(&mut self, table: &Table) {
        let safe = table.quiescence.safe();
        for _ in 0..FREES_AT_ONCE {
            let Some((id, _)) = self.retired.next(safe) else {
                return;
            };
            let entry = &table.entries[id as usize];
            entry.control.store(entry.control().with_life(Life::Free).0, Ordering::Release);
            table.pool.give(&mut self.free, &table.entries, id);
        }
    }

    /// Ends connections whose time ran out: a bounded part of the table at each call, all of it once a second.
    ///
    /// `ended` is told each connection's number and control word before its entry can be used again.
    pub(crate) fn sweep(&mut self, table: &Table, now: Ticks, ended: &mut impl FnMut(ConnId, Control)) {
        self.sweep_those(table, now, |_, _| false, ended);
    }

    /// The same; connections that are `done` end before their time has run out.
    pub(crate) fn sweep_those(
        &mut self,
        table: &Table,
        now: Ticks,
        done: impl Fn(ConnId, &Entry) -> bool,
        ended: &mut impl FnMut(ConnId, Control),
    ) {
        let is_over = |id, entry: &Entry| entry.expires_in(now).is_none() || done(id, entry);
        self.end_expiring(table, now, &is_over, ended);
        let used = table.pool.used();
        if used == 0 {
            return;
        }
        // Not `since`: this worker's clock never goes back, and the first call may be at any moment.
        let elapsed = now.0.wrapping_sub(self.tick.0);
        if elapsed > 0 {
            self.tick = now;
            let own = self.own(used);
            let per_tick = own.div_ceil(TICKS_PER_SECOND / SWEEPS_PER_SECOND);
            self.due = self.due.saturating_add(per_tick.saturating_mul(elapsed)).min(own);
        }
        for _ in 0..self.due.min(LOOKS_AT_ONCE) {
            // No entry is marked twice for one decision: all marks of a sweep are decided before the next sweep begins.
            if self.swept == 0 && !self.expiring.is_empty() {
                return;
            }
            self.due -= 1;
            if let Some(id) = self.next(used) {
                self.look_at(table, id, &is_over);
            }
        }
    }

    /// At least as many steps as a sweep of the first `used` entries takes this worker, the one back to the start included.
    #[expect(clippy::cast_possible_truncation, reason = "workers are few")]
    fn own(&self, used: u32) -> u32 {
        let strides = used.div_ceil(STRIDE).div_ceil(self.workers as u32);
        strides.saturating_mul(STRIDE.min(used)).saturating_add(1)
    }

    /// The next of this worker's entries, or back to the first.
    fn next(&mut self, used: u32) -> Option<ConnId> {
        let (stride, within) = (u64::from(self.swept / STRIDE), u64::from(self.swept % STRIDE));
        let id = (stride * self.workers as u64 + self.worker as u64) * u64::from(STRIDE) + within;
        let id = u32::try_from(id).ok().filter(|id| *id < used);
        self.swept = if id.is_some() { self.swept + 1 } else { 0 };
        id
    }

    fn look_at(&mut self, table: &Table, id: ConnId, is_over: &impl Fn(ConnId, &Entry) -> bool) {
        let entry = &table.entries[id as usize];
        if entry.control().life() != Life::Live || !is_over(id, entry) || !self.expiring.has_room() {
            return;
        }
        if let Some(was) = Table::swap_life(entry, |c| c.life() == Life::Live, Life::Expiring) {
            self.expiring.push(id, was.incarnation());
        }
    }

    /// A worker may have stored a packet's time without seeing the mark: so look again when all have begun a new burst.
    /// From then on whoever has a packet of it sees the mark and takes it off before it goes on ([`Table::search`]).
    fn end_expiring(
        &mut self,
        table: &Table,
        now: Ticks,
        is_over: &impl Fn(ConnId, &Entry) -> bool,
        ended: &mut impl FnMut(ConnId, Control),
    ) {
        if self.expiring.is_empty() {
            return;
        }
        let safe = table.quiescence.safe();
        let mut homes = [Homes::default(); AT_A_TIME];
        for at in 0..ENDS_AT_ONCE {
            if at.is_multiple_of(AT_A_TIME) && self.can_retire() {
                table.prefetch_homes(self.expiring.ready(safe), &mut homes);
            }
            if !self.can_retire() {
                return;
            }
            let Some((id, incarnation)) = self.expiring.next(safe) else {
                return;
            };
            let entry = &table.entries[id as usize];
            // Another worker may have ended it for a packet, and the entry may be another connection's by now.
            let is_it = |c: Control| c.life() == Life::Expiring && c.incarnation() == incarnation;
            if !is_over(id, entry) {
                Table::swap_life(entry, is_it, Life::Live);
            } else if is_it(entry.control()) && entry.controls() > 0 {
                if entry.expires_in(now).is_none() {
                    entry.expire_later(now);
                }
                Table::swap_life(entry, is_it, Life::Live);
            } else if let Some(was) = Table::swap_life(entry, is_it, Life::Dead) {
                // Of the same incarnation as when they were looked up.
                table.take_out(id, was, homes[at % AT_A_TIME]);
                ended(id, was);
                self.retire(id, incarnation);
            }
        }
    }
}
