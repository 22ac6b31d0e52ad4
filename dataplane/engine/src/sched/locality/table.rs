//! The table itself: addresses in buckets, each with a set of destinations.

use ulvs_wire::{Address, Family, FlowHasher};

use crate::sched::least::Score;
use crate::sched::roster::View;
use crate::time::{Ticks, ticks};

use super::Member;
use super::pool::{END, Pool};
use super::sets::{Set, Sets};

/// Chains of addresses.
pub(super) const BUCKETS: usize = 1024;
/// Addresses from which on the collection looks for idle ones more often.
const MANY: usize = 16 * BUCKETS;
/// The most addresses.
pub(super) const MOST: usize = MANY / 2 * 3;
/// An address that was not asked for so long is forgotten while there are many.
const EXPIRATION_OF_MANY: u32 = ticks(360);
/// Of so many collections one looks at everything.
const FULL_COLLECTION: u32 = 30;

/// An address and its destinations.
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: Address,
    /// When it was asked for last.
    used: Ticks,
    /// When its set changed last.
    changed: Ticks,
    set: Set,
    /// The next entry of the bucket, or of those that are free.
    next: u32,
}

#[derive(Debug)]
pub(in crate::sched) struct Table {
    hasher: FlowHasher,
    buckets: Box<[u32]>,
    entries: Pool<Entry>,
    sets: Sets,
    /// The bucket that was collected last.
    rover: usize,
    collections: u32,
}

impl Table {
    pub(super) fn new(hasher: FlowHasher) -> Self {
        Self {
            hasher,
            buckets: vec![END; BUCKETS].into(),
            entries: Pool::new(MOST),
            sets: Sets::new(),
            rover: 0,
            collections: 1,
        }
    }

    /// Notes that an address was asked for. Its number, if it is known.
    pub(in crate::sched) fn find(&mut self, address: Address, now: Ticks) -> Option<u32> {
        let mut at = self.buckets[self.bucket(address)];
        while let Some(entry) = self.entries.get_mut(at) {
            if entry.address == address {
                entry.used = now;
                return Some(at);
            }
            at = entry.next;
        }
        None
    }

    /// The number of an address, if it is known, without it being asked for. Apart, for each SYN pays what `find` grows by.
    fn place(&self, address: Address) -> Option<u32> {
        let mut at = self.buckets[self.bucket(address)];
        while let Some(entry) = self.entries.get(at) {
            if entry.address == address {
                return Some(at);
            }
            at = entry.next;
        }
        None
    }

    /// When an address was asked for last and its set changed last, and the set, newest first. For the control side.
    pub(in crate::sched) fn set_of(&self, address: Address) -> Option<((Ticks, Ticks), Vec<Member>)> {
        let entry = self.entries.get(self.place(address)?)?;
        Some(((entry.used, entry.changed), self.sets.newest_first(&entry.set)))
    }

    /// Sets when an address was asked for last and its set changed last.
    pub(super) fn asked_and_changed(&mut self, address: Address, (used, changed): (Ticks, Ticks)) {
        if let Some(entry) = self.place(address).and_then(|at| self.entries.get_mut(at)) {
            (entry.used, entry.changed) = (used, changed);
        }
    }

    /// The destination an address has alone.
    #[inline]
    pub(in crate::sched) fn only(&self, entry: u32) -> Option<Member> {
        self.sets.newest(&self.entries.get(entry)?.set)
    }

    /// Where in the list the member of an address' set is that has the least load for its weight; of equals the newest.
    #[inline]
    pub(in crate::sched) fn least<S: Score>(&mut self, entry: u32, view: &View<'_>) -> Option<usize> {
        self.sets.least::<S>(&self.entries.get(entry)?.set, view)
    }

    /// Whether the set of an address has several members and has not changed for so many ticks.
    #[inline]
    pub(in crate::sched) fn is_stale(&self, entry: u32, now: Ticks, age: u32) -> bool {
        self.entries.get(entry).is_some_and(|entry| entry.set.len() > 1 && now.since(entry.changed) > age)
    }

    /// Takes the most loaded member out of an address' set.
    #[inline(never)]
    pub(in crate::sched) fn shrink(&mut self, entry: u32, view: &View<'_>, now: Ticks) {
        let Some(entry) = self.entries.get_mut(entry) else { return };
        if let Some(most) = self.sets.most(&entry.set, view) {
            self.sets.leave(&mut entry.set, most);
            entry.changed = now;
        }
    }

    /// Lets an address have this destination alone.
    pub(in crate::sched) fn set(&mut self, address: Address, member: Member, now: Ticks) {
        match self.find(address, now).and_then(|at| self.entries.get(at)) {
            Some(entry) => self.sets.replace(&entry.set, member),
            None => self.add(address, member, now),
        }
    }

    /// Adds a destination to an address' set, in front, unless it is there.
    pub(in crate::sched) fn join(&mut self, address: Address, member: Member, now: Ticks) {
        match self.find(address, now).and_then(|at| self.entries.get_mut(at)) {
            Some(entry) => {
                if self.sets.join(&mut entry.set, member) {
                    entry.changed = now;
                }
            }
            None => self.add(address, member, now),
        }
    }

    /// A new address; none while there are too many.
    fn add(&mut self, address: Address, member: Member, now: Ticks) {
        let bucket = self.bucket(address);
        let Some(set) = self.sets.alone(member) else { return };
        let entry = Entry { address, used: now, changed: now, set, next: self.buckets[bucket] };
        match self.entries.take(entry) {
            Some(at) => self.buckets[bucket] = at,
            None => self.sets.give(&set),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits choose")]
    fn bucket(&self, address: Address) -> usize {
        self.hasher.service(address, 0, 0, Family::V6) as usize % BUCKETS
    }

    /// How old addresses may be in this collection, and how many are to go at most; none if none is to go.
    pub(super) fn begin_collection(&mut self, idle: u32) -> Option<(u32, usize)> {
        if self.collections.is_multiple_of(FULL_COLLECTION) {
            self.collections = 1;
            return Some((idle, usize::MAX));
        }
        self.collections += 1;
        let spare = self.entries.used().checked_sub(MANY + 1)? + 1;
        Some((EXPIRATION_OF_MANY, (spare * 4 / 3).min(MANY / 2)))
    }

    /// Forgets the old addresses of the next bucket; how many.
    pub(super) fn collect_bucket(&mut self, now: Ticks, expiration: u32) -> usize {
        self.rover = (self.rover + 1) % BUCKETS;
        let (mut before, mut at, mut gone) = (END, self.buckets[self.rover], 0);
        while let Some(&Entry { used, set, next, .. }) = self.entries.get(at) {
            if now.since(used) < expiration {
                before = at;
            } else {
                match self.entries.get_mut(before) {
                    Some(entry) => entry.next = next,
                    None => self.buckets[self.rover] = next,
                }
                self.sets.give(&set);
                self.entries.give(at);
                gone += 1;
            }
            at = next;
        }
        gone
    }

    /// Addresses; members of lists; nodes and groups of wide sets.
    #[cfg(test)]
    pub(super) fn used(&self) -> (usize, usize, (usize, usize)) {
        let (members, wide) = self.sets.used();
        (self.entries.used(), members, wide)
    }
}
