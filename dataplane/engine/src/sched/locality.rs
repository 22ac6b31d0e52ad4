//! Which destinations have served an address: what lblc and lblcr remember (ipvs-facts A.13, A.14).
//!
//! One table for all workers, because an address should have one destination and not one for each worker. It is behind a lock
//! that is only ever tried: a worker that doesn't get it picks as if the table didn't know the address. All memory is reserved
//! when the scheduler is bound, and taken as it is used.

use ulvs_wire::{Address, Family, FlowHasher};

use crate::snapshot::DestinationId;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, Ordering::Relaxed};
use crate::time::{Ticks, ticks};

/// Chains of addresses.
const BUCKETS: usize = 1024;
/// Addresses from which on the collection looks for idle ones more often.
const MANY: usize = 16 * BUCKETS;
/// The most addresses.
const MOST: usize = MANY / 2 * 3;
/// The most members of all sets together. IPVS has no such limit: there a flood of addresses takes memory.
const MOST_MEMBERS: usize = 2 * MOST;
/// An address that was not asked for so long is forgotten, unless a sysctl says otherwise.
const EXPIRATION: u32 = ticks(86_400);
/// The same while there are many.
const EXPIRATION_OF_MANY: u32 = ticks(360);
/// The longest time in seconds that clocks can tell: half of their range.
const LONGEST: u32 = u32::MAX / 2 / crate::time::TICKS_PER_SECOND;
/// Of so many collections one looks at everything.
const FULL_COLLECTION: u32 = 30;
/// How often a lock is tried before it is given up: it is held for less than a microsecond.
const TRIES: u32 = 64;

/// The end of a list.
const END: u32 = u32::MAX;

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
}

impl Locality {
    /// Without addresses. Whoever chooses addresses does not know the secret of `hasher`, and so not who shares a bucket.
    pub(super) fn new(hasher: FlowHasher) -> Self {
        Self { table: Mutex::new(Table::new(hasher)), expiration: AtomicU32::new(EXPIRATION) }
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
        let known = self.with(|table| {
            let at = table.place(address)?;
            let entry = table.entries.places[at as usize];
            Some((entry.used, entry.changed, table.members(at).collect::<Vec<_>>()))
        });
        if let Some((used, changed, members)) = known.flatten() {
            // The newest comes last, and so is in front again.
            members.iter().rev().for_each(|&member| copied.join(address, member, now));
            if let Some(entry) = copied.entries.places.first_mut() {
                (entry.used, entry.changed) = (used, changed);
            }
        }
        Self { table: Mutex::new(copied), expiration: AtomicU32::new(self.expiration()) }
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

/// An address and its destinations.
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: Address,
    /// When it was asked for last.
    used: Ticks,
    /// When its set changed last.
    changed: Ticks,
    /// The first member, newest first.
    first: u32,
    members: u32,
    /// The next entry of the bucket, or of those that are free.
    next: u32,
}

#[derive(Debug)]
pub(super) struct Table {
    hasher: FlowHasher,
    buckets: Box<[u32]>,
    entries: Pool<Entry>,
    members: Pool<(Member, u32)>,
    /// The bucket that was collected last.
    rover: usize,
    collections: u32,
}

/// Places of a fixed number.
#[derive(Debug)]
struct Pool<T> {
    places: Vec<T>,
    free: Vec<u32>,
    most: usize,
}

impl<T> Pool<T> {
    fn new(most: usize) -> Self {
        Self { places: Vec::with_capacity(most), free: Vec::with_capacity(most), most }
    }

    const fn used(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Takes a place, if there is one. Allocates nothing.
    fn take(&mut self, value: T) -> Option<u32> {
        if let Some(at) = self.free.pop() {
            self.places[at as usize] = value;
            return Some(at);
        }
        if self.places.len() == self.most {
            return None;
        }
        self.places.push(value);
        u32::try_from(self.places.len() - 1).ok()
    }

    fn give(&mut self, at: u32) {
        self.free.push(at);
    }
}

impl Table {
    fn new(hasher: FlowHasher) -> Self {
        Self {
            hasher,
            buckets: vec![END; BUCKETS].into(),
            entries: Pool::new(MOST),
            members: Pool::new(MOST_MEMBERS),
            rover: 0,
            collections: 1,
        }
    }
}

impl Table {
    /// Notes that an address was asked for. Its number, if it is known.
    pub(super) fn find(&mut self, address: Address, now: Ticks) -> Option<u32> {
        let mut at = self.buckets[self.bucket(address)];
        while let Some(entry) = self.entries.places.get_mut(at as usize) {
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
        while let Some(entry) = self.entries.places.get(at as usize) {
            if entry.address == address {
                return Some(at);
            }
            at = entry.next;
        }
        None
    }

    /// The members of an address' set, newest first.
    pub(super) fn members(&self, entry: u32) -> impl Iterator<Item = Member> + '_ {
        let mut at = self.entries.places[entry as usize].first;
        std::iter::from_fn(move || {
            let &(member, next) = self.members.places.get(at as usize)?;
            at = next;
            Some(member)
        })
    }

    /// Whether the set of an address has several members and has not changed for so many ticks.
    pub(super) fn is_stale(&self, entry: u32, now: Ticks, age: u32) -> bool {
        let entry = &self.entries.places[entry as usize];
        entry.members > 1 && now.since(entry.changed) > age
    }

    /// Lets an address have this destination alone.
    pub(super) fn set(&mut self, address: Address, member: Member, now: Ticks) {
        match self.find(address, now) {
            Some(entry) => {
                let first = self.entries.places[entry as usize].first;
                if let Some(place) = self.members.places.get_mut(first as usize) {
                    place.0 = member;
                }
            }
            None => self.add(address, member, now),
        }
    }

    /// Adds a destination to an address' set, in front, unless it is there.
    pub(super) fn join(&mut self, address: Address, member: Member, now: Ticks) {
        let Some(at) = self.find(address, now) else {
            self.add(address, member, now);
            return;
        };
        if self.members(at).any(|known| known == member) {
            return;
        }
        let entry = &mut self.entries.places[at as usize];
        if let Some(place) = self.members.take((member, entry.first)) {
            (entry.first, entry.changed) = (place, now);
            entry.members += 1;
        }
    }

    /// Takes a destination out of an address' set.
    pub(super) fn leave(&mut self, entry: u32, member: Member, now: Ticks) {
        let entry = &mut self.entries.places[entry as usize];
        let (mut before, mut at) = (END, entry.first);
        while let Some(&(known, next)) = self.members.places.get(at as usize) {
            if known == member {
                match self.members.places.get_mut(before as usize) {
                    Some(place) => place.1 = next,
                    None => entry.first = next,
                }
                self.members.give(at);
                entry.members -= 1;
                entry.changed = now;
                return;
            }
            (before, at) = (at, next);
        }
    }

    /// A new address; none while there are too many.
    fn add(&mut self, address: Address, member: Member, now: Ticks) {
        let bucket = self.bucket(address);
        let Some(first) = self.members.take((member, END)) else { return };
        let entry = Entry { address, used: now, changed: now, first, members: 1, next: self.buckets[bucket] };
        match self.entries.take(entry) {
            Some(at) => self.buckets[bucket] = at,
            None => self.members.give(first),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits choose")]
    fn bucket(&self, address: Address) -> usize {
        self.hasher.service(address, 0, 0, Family::V6) as usize % BUCKETS
    }

    /// How old addresses may be in this collection, and how many are to go at most; none if none is to go.
    fn begin_collection(&mut self, idle: u32) -> Option<(u32, usize)> {
        if self.collections.is_multiple_of(FULL_COLLECTION) {
            self.collections = 1;
            return Some((idle, usize::MAX));
        }
        self.collections += 1;
        let spare = self.entries.used().checked_sub(MANY + 1)? + 1;
        Some((EXPIRATION_OF_MANY, (spare * 4 / 3).min(MANY / 2)))
    }

    /// Forgets the old addresses of the next bucket; how many.
    fn collect_bucket(&mut self, now: Ticks, expiration: u32) -> usize {
        self.rover = (self.rover + 1) % BUCKETS;
        let (mut before, mut at, mut gone) = (END, self.buckets[self.rover], 0);
        while let Some(&Entry { used, first, next, .. }) = self.entries.places.get(at as usize) {
            if now.since(used) < expiration {
                before = at;
            } else {
                match self.entries.places.get_mut(before as usize) {
                    Some(entry) => entry.next = next,
                    None => self.buckets[self.rover] = next,
                }
                self.give_members(first);
                self.entries.give(at);
                gone += 1;
            }
            at = next;
        }
        gone
    }

    fn give_members(&mut self, first: u32) {
        let mut at = first;
        while let Some(&(_, next)) = self.members.places.get(at as usize) {
            self.members.give(at);
            at = next;
        }
    }
}

#[cfg(test)]
mod tests;
