//! Where a flow hash leads: cache-line buckets of tagged entry numbers, lock-free.
//!
//! A bucket is one line: seven slots, and a word with a fingerprint of each and the count of slots that found no room in it
//! and went on to a later bucket of the same shard. A slot is one word, `tag:32 | number + 1:32`. One atomic operation, which
//! adds its fingerprint, claims and publishes it; its word is stored after that, and is 0 until then. Nothing is ever moved, so a
//! reader that follows the chain from the home bucket can't miss what stays in it. Fingerprint and tag are filters: the entry's
//! full key always decides.
//!
//! Two workers that insert the same flow at the same time: each publishes its slot, then looks at the chain; who sees the
//! other gives up its own slot and starts over. By the total order of `SeqCst` at least one sees the other. Who publishes in
//! the home bucket and finds there, by the same operation, no slot like its own and none gone on, is the first: whoever comes
//! later has to look at that word, too.

mod bucket;
mod home;
#[cfg(all(test, not(loom)))]
mod tests;

use crate::memory::Region;
use crate::sync::atomic::Ordering;
use crate::sync::in_total_order;

use super::entry::ConnId;

use bucket::{Bucket, OVERFLOW, SLOTS, alike, is_first, places};
pub(crate) use home::Home;
use home::{TAG, number};

/// Buckets of a shard that a flow may be away from its home.
///
/// So few that the count of overflowing slots fits a byte: `(MAX_PROBES - 1) * SLOTS`, and one for each worker at work.
const MAX_PROBES: usize = 24;
/// How often an insert starts over because another worker was at the same flow.
const MAX_RACES: usize = 16;

/// How an insert ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Inserted {
    /// The number is in the index.
    Yes,
    /// Another number with the same key is.
    Exists(ConnId),
    /// No room near the home bucket, or other workers were at the same flow too often.
    Full,
}

/// Who is in the index beside a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Others {
    /// Nobody, or not too many.
    None,
    /// More than may be; the last of them.
    Last(ConnId),
    /// As many, if those who are on the way into a slot or out of it are the same.
    Unknown,
}

/// The index of a table, in shards of a power of two of buckets.
#[derive(Debug)]
pub(crate) struct Index {
    buckets: Region<Bucket>,
    shard_mask: usize,
    /// Buckets a chain has: `MAX_PROBES`, or all of a smaller shard.
    probes: usize,
}

impl Index {
    /// An index with room for at least `slots` at three quarters occupancy.
    pub(crate) fn new(slots: usize) -> std::io::Result<Self> {
        let wanted = slots.div_ceil(SLOTS).max(1);
        let shard = wanted.next_power_of_two().min(4096);
        let buckets = Region::new(wanted.next_multiple_of(shard))?;
        Ok(Self { buckets, shard_mask: shard - 1, probes: shard.min(MAX_PROBES) })
    }

    /// Takes its memory from the kernel now.
    pub(crate) fn take(&self) {
        self.buckets.take(0..self.buckets.len());
    }

    /// Bytes of the index.
    pub(crate) fn bytes(&self) -> usize {
        self.buckets.len() * size_of::<Bucket>()
    }

    #[inline]
    pub(crate) fn home(&self, hash: u64) -> Home {
        let bucket = ((hash & 0xffff_ffff) * self.buckets.len() as u64) >> 32;
        Home(hash & TAG | bucket)
    }

    /// Whether slots of one number in both homes' chains can't be told apart: one in 2^32 connections times the chance that
    /// the homes are close. Taking out the wrong one would leave wrong overflow counts.
    #[inline]
    pub(crate) fn can_confuse(&self, a: Home, b: Home) -> bool {
        a.tag() == b.tag() && a != b && a.bucket() & !self.shard_mask == b.bucket() & !self.shard_mask
    }

    #[inline]
    pub(crate) fn prefetch(&self, home: Home) {
        crate::prefetch::prefetch_at(&self.buckets, home.bucket());
    }

    /// The `probe`-th bucket of a chain; chains stay within their shard.
    #[inline]
    fn bucket(&self, home: Home, probe: usize) -> &Bucket {
        let within = (home.bucket() + probe) & self.shard_mask;
        &self.buckets[(home.bucket() & !self.shard_mask) | within]
    }

    /// The numbers with this tag, nearest first.
    #[inline]
    pub(crate) fn find(&self, home: Home, mut is_it: impl FnMut(ConnId) -> bool) -> Option<ConnId> {
        for probe in 0..self.probes {
            let bucket = self.bucket(home, probe);
            let meta = bucket.meta.load(Ordering::SeqCst);
            for at in places(alike(meta, home)) {
                if let Some(id) = number(bucket.slots[at].load(Ordering::Acquire), home)
                    && is_it(id)
                {
                    return Some(id);
                }
            }
            if meta < OVERFLOW {
                return None;
            }
        }
        None
    }

    /// Whether there is surely no number with this tag: the home bucket alone says it of most flows that are not there.
    #[inline]
    pub(crate) fn is_absent(&self, home: Home) -> bool {
        let meta = self.buckets[home.bucket()].meta.load(Ordering::SeqCst);
        meta < OVERFLOW && alike(meta, home) == 0
    }

    /// The first number with this tag in the home bucket: a guess, to be prefetched. If there is none, one that no entry has: no table
    /// has 2^32.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the low half is the number")]
    pub(crate) fn guess(&self, home: Home) -> ConnId {
        let bucket = &self.buckets[home.bucket()];
        let mut alike = alike(bucket.meta.load(Ordering::Acquire), home);
        while alike != 0 {
            let value = bucket.slots[alike.trailing_zeros() as usize / 8].load(Ordering::Acquire);
            if home.is_tag_of(value) {
                // Of an empty slot it is 0.
                return (value as u32).wrapping_sub(1);
            }
            alike &= alike - 1;
        }
        ConnId::MAX
    }

    /// Puts `id` into the index, unless more than `most` others there are the same as it.
    #[inline(always)]
    pub(crate) fn insert(&self, home: Home, id: ConnId, most: usize, same: impl Fn(ConnId) -> bool) -> Inserted {
        // Whoever inserts has just looked in vain: so the slot first.
        let claimed = self.buckets[home.bucket()].claim(home, id);
        match claimed {
            Some((_, before)) if is_first(before, home) => Inserted::Yes,
            _ => self.insert_beside(home, id, (claimed, most), same),
        }
    }

    /// The rest of an insert that may not be the first of its flow, of which the home bucket said what is `claimed`.
    #[cold]
    #[inline(never)]
    fn insert_beside(
        &self,
        home: Home,
        id: ConnId,
        (claimed, most): (Option<(usize, u64)>, usize),
        same: impl Fn(ConnId) -> bool,
    ) -> Inserted {
        let others = || self.others(home, id, most, &same);
        let mut claimed = claimed.map(|(slot, before)| Claim::at_home(slot, before, home));
        if claimed.is_none() {
            claimed = self.claim_further_on(home, id);
        }
        for _ in 0..MAX_RACES {
            if let Some(claim) = claimed {
                if claim.is_first || others() == Others::None {
                    return Inserted::Yes;
                }
                self.release(home, claim.probe, claim.slot);
            }
            if let Others::Last(other) = others() {
                return Inserted::Exists(other);
            }
            if claimed.is_none() {
                return Inserted::Full;
            }
            claimed = self.claim(home, id);
        }
        if let Some(claim) = claimed {
            self.release(home, claim.probe, claim.slot);
        }
        Inserted::Full
    }

    /// Takes `id` out of the index; false if it is not there. Only by who has seen that it was put there.
    pub(crate) fn remove(&self, home: Home, id: ConnId) -> bool {
        let wanted = home.tag() | (u64::from(id) + 1);
        for probe in 0..self.probes {
            let bucket = self.bucket(home, probe);
            let is_it = |&slot: &usize| bucket.slots[slot].load(Ordering::Acquire) == wanted;
            if let Some(slot) = places(alike(bucket.meta.load(Ordering::SeqCst), home)).find(is_it) {
                self.release(home, probe, slot);
                return true;
            }
        }
        false
    }

    /// Whether more than `most` numbers besides `id` are the same as it. A slot whose number can't be told yet counts as one.
    fn others(&self, home: Home, id: ConnId, most: usize, same: &impl Fn(ConnId) -> bool) -> Others {
        let mut seen = 0;
        for probe in 0..self.probes {
            let bucket = self.bucket(home, probe);
            let meta = bucket.meta.load(Ordering::SeqCst);
            for at in places(alike(meta, home)) {
                let Some(word) = bucket.word(home, at) else { continue };
                let other = number(word, home).filter(|&other| other != id && same(other));
                seen += usize::from(word == 0 || other.is_some());
                if seen > most {
                    return other.map_or(Others::Unknown, Others::Last);
                }
            }
            if meta < OVERFLOW {
                break;
            }
        }
        Others::None
    }

    /// Claims and publishes the first free slot of the chain, after telling the buckets before it.
    fn claim(&self, home: Home, id: ConnId) -> Option<Claim> {
        match self.bucket(home, 0).claim(home, id) {
            Some((slot, before)) => Some(Claim::at_home(slot, before, home)),
            None => self.claim_further_on(home, id),
        }
    }

    fn claim_further_on(&self, home: Home, id: ConnId) -> Option<Claim> {
        for probe in 1..self.probes {
            // Told before the slot is claimed further on, so that no search that could find it stops here.
            self.bucket(home, probe - 1).meta.fetch_add(OVERFLOW, Ordering::SeqCst);
            if let Some((slot, _)) = self.bucket(home, probe).claim(home, id) {
                return Some(Claim { probe, slot, is_first: false });
            }
        }
        for probe in 1..self.probes {
            self.bucket(home, probe - 1).meta.fetch_sub(OVERFLOW, Ordering::SeqCst);
        }
        None
    }

    fn release(&self, home: Home, probe: usize, slot: usize) {
        let bucket = self.bucket(home, probe);
        // Before the fingerprint is taken away: from then on the slot is another's.
        bucket.slots[slot].store(0, Ordering::Relaxed);
        bucket.meta.fetch_sub(home.fingerprint() << (8 * slot), Ordering::SeqCst);
        in_total_order();
        for before in 0..probe {
            self.bucket(home, before).meta.fetch_sub(OVERFLOW, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
impl Index {
    pub(super) fn has_no_overflow(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.meta.load(Ordering::SeqCst) < OVERFLOW)
    }

    pub(super) fn is_empty(&self) -> bool {
        let empty = |bucket: &Bucket| bucket.slots.iter().all(|slot| slot.load(Ordering::SeqCst) == 0);
        self.buckets.iter().all(empty) && self.has_no_overflow()
    }
}

/// A slot that was claimed and published.
#[derive(Clone, Copy, Debug)]
struct Claim {
    probe: usize,
    slot: usize,
    /// No other number can be of the same flow.
    is_first: bool,
}

impl Claim {
    const fn at_home(slot: usize, before: u64, home: Home) -> Self {
        Self { probe: 0, slot, is_first: is_first(before, home) }
    }
}
