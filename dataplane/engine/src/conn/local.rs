//! One worker's part of the table: its free entries, what it retired, and how far its sweep is.

use std::collections::VecDeque;

use crate::sync::atomic::Ordering;
use crate::time::Ticks;

use super::control::{Control, Life};
use super::entry::ConnId;
use super::pool::FreeList;
use super::table::Table;

/// Entries of one worker in a row; the next ones are the next worker's.
const STRIDE: u32 = 4096;

/// Owned by one worker; nothing in it allocates after it was made.
#[derive(Debug)]
pub(crate) struct Local {
    worker: usize,
    workers: usize,
    pub(super) free: FreeList,
    /// Dead entries, with the token after which they are free.
    retired: VecDeque<(u64, ConnId)>,
    /// Entries marked as expiring, with the token after which it is sure whether a packet came.
    expiring: VecDeque<(u64, ConnId)>,
    room: usize,
    /// How many of this worker's entries the current sweep has seen.
    swept: u32,
    tick: Ticks,
    /// Entries still to be looked at in this tick.
    due: u32,
}

/// Sweeps of the whole table in a second.
const SWEEPS_PER_SECOND: u32 = 1;
/// Entries looked at in one go: about 2 us of reading in order.
const MOST_AT_ONCE: u32 = 256;

impl Local {
    pub(super) fn new(worker: usize, workers: usize, free: FreeList, capacity: usize) -> Self {
        let room = (capacity / workers.max(1)).clamp(64, 16_384);
        Self {
            worker,
            workers,
            free,
            retired: VecDeque::with_capacity(room),
            expiring: VecDeque::with_capacity(room),
            room,
            swept: 0,
            tick: Ticks(0),
            due: 0,
        }
    }

    /// Whether another connection may be ended now. Else the other workers must begin a new burst first.
    #[inline]
    pub(crate) fn can_retire(&self) -> bool {
        self.retired.len() < self.room - 1
    }

    pub(super) fn retire(&mut self, table: &Table, id: ConnId) {
        let token = table.quiescence.draw();
        // `can_retire` keeps one place for an insert that failed; past that the entry is lost rather than memory allocated.
        if self.retired.len() < self.room {
            self.retired.push_back((token, id));
        }
    }

    /// Between two bursts: says that this worker holds no entry, and frees what nobody holds.
    #[inline]
    pub(crate) fn quiesce(&mut self, table: &Table) {
        table.quiescence.pass(self.worker);
        if !self.retired.is_empty() || !self.expiring.is_empty() {
            self.free_retired(table);
        }
    }

    fn free_retired(&mut self, table: &Table) {
        let safe = table.quiescence.safe();
        while let Some(&(token, id)) = self.retired.front()
            && token <= safe
        {
            self.retired.pop_front();
            let entry = &table.entries[id as usize];
            entry.control.store(entry.control().with_life(Life::Free).0, Ordering::Release);
            table.pool.give(&mut self.free, &table.entries, id);
        }
    }

    /// Ends connections whose time ran out: a bounded part of the table at each call, all of it once a second.
    ///
    /// `ended` is told each connection's number and control word before its entry can be used again.
    pub(crate) fn sweep(&mut self, table: &Table, now: Ticks, ended: &mut impl FnMut(ConnId, Control)) {
        self.end_expiring(table, now, ended);
        let used = table.pool.used();
        if used == 0 {
            return;
        }
        let elapsed = now.since(self.tick);
        if elapsed > 0 {
            self.tick = now;
            let per_tick = self.own(used).div_ceil(crate::time::TICKS_PER_SECOND / SWEEPS_PER_SECOND);
            self.due = self.due.saturating_add(per_tick.saturating_mul(elapsed)).min(self.own(used));
        }
        let count = self.due.min(MOST_AT_ONCE);
        self.due -= count;
        for _ in 0..count {
            let id = self.next(used);
            if id < used {
                self.look_at(table, id, now);
            }
        }
    }

    /// About as many of the first `used` entries as are this worker's: whole strides, so none is missed.
    #[expect(clippy::cast_possible_truncation, reason = "workers are few")]
    fn own(&self, used: u32) -> u32 {
        used.div_ceil(STRIDE).div_ceil(self.workers as u32) * STRIDE.min(used.max(1))
    }

    #[expect(clippy::cast_possible_truncation, reason = "workers are few")]
    fn next(&mut self, used: u32) -> ConnId {
        let (stride, within) = (self.swept / STRIDE, self.swept % STRIDE);
        let id = (stride * self.workers as u32 + self.worker as u32) * STRIDE + within;
        self.swept = if id >= used { 0 } else { self.swept + 1 };
        id
    }

    fn look_at(&mut self, table: &Table, id: ConnId, now: Ticks) {
        let entry = &table.entries[id as usize];
        if entry.control().life() != Life::Live || entry.expires_in(now).is_some() || self.expiring.len() >= self.room {
            return;
        }
        if table.swap_life(entry, |c| c.life() == Life::Live, Life::Expiring).is_some() {
            self.expiring.push_back((table.quiescence.draw(), id));
        }
    }

    /// A worker may have stored a packet's time without seeing the mark: so look again when all have begun a new burst.
    fn end_expiring(&mut self, table: &Table, now: Ticks, ended: &mut impl FnMut(ConnId, Control)) {
        if self.expiring.is_empty() {
            return;
        }
        let safe = table.quiescence.safe();
        while let Some(&(token, id)) = self.expiring.front()
            && token <= safe
            && self.can_retire()
        {
            self.expiring.pop_front();
            let entry = &table.entries[id as usize];
            let expiring = |c: Control| c.life() == Life::Expiring;
            if entry.expires_in(now).is_some() {
                table.swap_life(entry, expiring, Life::Live);
            } else if let Some(was) = table.swap_life(entry, expiring, Life::Dead) {
                table.take_out(entry, id, was);
                ended(id, was);
                self.retire(table, id);
            }
        }
    }
}
