//! How many connections each source begins: a token bucket for each, in memory that is fixed and shared by all workers.
//!
//! A bucket is one word: whose it is, and when it will be full again. A bucket that is full says no more than none, so that a
//! source nobody knows has a full one, and those that are full give way first. If a set has none of these, the one that is
//! nearest to being full gives way: whose it was is better off by the connections it forgets, and never worse. So no flood, from
//! whatever sources, has a connection of another source dropped (docs/design/0007-limit-of-sources.md).

use ulvs_wire::{Address, Family, FlowHasher};

use crate::memory::{Region, Zeroed};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::time::{TICKS_PER_SECOND, Ticks};

/// Sets of buckets, a cache line each: 8 MiB for 1,048,576 sources.
const SETS: usize = 1 << 17;
const WAYS: usize = 8;
/// Times are in parts of a tick, for rates that are no whole number of ticks.
const PARTS_PER_TICK: u32 = 16;
const PARTS_PER_SECOND: u64 = (TICKS_PER_SECOND as u64) << PARTS_PER_TICK;
/// Of a bucket's word, when it is full: as far as [`Ticks`] go. The rest tells sources of a set apart.
const MOMENT: u64 = (1 << (u32::BITS + PARTS_PER_TICK)) - 1;
/// No bucket takes longer to be full, so that what seems to is of long ago.
const LONGEST: u64 = PARTS_PER_SECOND * 60 * 60;
/// How often a bucket is looked for that other workers change at this very moment.
const TRIES: usize = 4;
/// Who has an address of IPv6 has the other addresses of its /64 as well.
const V6_SOURCE: u128 = !(u64::MAX as u128);

/// How many connections a source may begin: so many a second, and so many at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SourceLimit {
    /// What a connection takes of a bucket.
    step: u64,
    /// What there is in it.
    depth: u64,
}

impl SourceLimit {
    /// The highest rate. What is let through is as much, or more by a hundredth; up to 10,000 a second by a thousandth.
    pub const MOST: u32 = 100_000;

    /// `rate` connections a second, `burst` at once; `None` unless both are at least 1, the rate is at most
    /// [`MOST`](Self::MOST), and the burst is what comes in an hour at most.
    pub const fn new(rate: u32, burst: u32) -> Option<Self> {
        if rate == 0 || rate > Self::MOST || burst == 0 || burst as u64 > rate as u64 * 60 * 60 {
            return None;
        }
        let step = PARTS_PER_SECOND / rate as u64;
        Some(Self { step, depth: step * burst as u64 })
    }

    /// What is missing in a bucket after one more connection, if there is enough for it.
    fn after(self, missing: u64) -> Option<u64> {
        // More than there is was taken by another limit, before a reload.
        let missing = missing.min(self.depth) + self.step;
        (missing <= self.depth).then_some(missing)
    }
}

/// The hash of a source: of an IPv4 address, or of the /64 of an IPv6 address.
pub(crate) const fn source(hasher: FlowHasher, address: Address, family: Family) -> u64 {
    let address = match family {
        Family::V4 => address,
        Family::V6 => Address(address.0 & V6_SOURCE),
    };
    hasher.service(address, 0, 0, family)
}

/// Buckets that a source may have, in one cache line.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Set([AtomicU64; WAYS]);

#[expect(unsafe_code, reason = "a struct of atomic integers")]
// SAFETY: every field is an atomic integer.
unsafe impl Zeroed for Set {}

/// A bucket as it was when it was looked at.
#[derive(Clone, Copy)]
struct Seen<'a> {
    bucket: &'a AtomicU64,
    word: u64,
    missing: u64,
}

/// All buckets.
#[derive(Debug)]
pub struct Sources {
    sets: Region<Set>,
}

impl Sources {
    pub(crate) fn new() -> std::io::Result<Self> {
        Self::of(SETS)
    }

    /// So many sets, a power of two.
    fn of(sets: usize) -> std::io::Result<Self> {
        Ok(Self { sets: Region::new(sets)? })
    }

    /// Takes the memory, for workers not to wait for it. To be called before they are asked to limit anybody.
    pub(crate) fn prepare(&self) {
        self.sets.take(0..self.sets.len());
    }

    /// Whether the source with this hash may begin one more connection, which is then counted.
    ///
    /// A source that is refused costs no write.
    pub(crate) fn take(&self, source: u64, limit: SourceLimit, now: Ticks) -> bool {
        let set = self.set_of(source);
        let (tag, now) = (source & !MOMENT, moment(now));
        for _ in 0..TRIES {
            let seen = set.look_for(tag, now);
            let Some(missing) = limit.after(seen.missing) else { return false };
            let word = tag | now.wrapping_add(missing) & MOMENT;
            if seen.bucket.compare_exchange(seen.word, word, Relaxed, Relaxed).is_ok() {
                return true;
            }
        }
        // Others were faster each time: they are counted, and this one is not.
        true
    }

    /// Has the source be as it is with another director.
    pub(crate) fn copy(&self, other: &Self, source: u64) {
        for (bucket, other) in self.set_of(source).0.iter().zip(&other.set_of(source).0) {
            bucket.store(other.load(Relaxed), Relaxed);
        }
    }

    /// By other bits than the tag has.
    #[expect(clippy::cast_possible_truncation, reason = "bits of a hash")]
    fn set_of(&self, source: u64) -> &Set {
        &self.sets[source as usize & (self.sets.len() - 1)]
    }
}

impl Set {
    /// The source's bucket, or the one that it gets, with nothing missing: the first of those that are the fullest.
    fn look_for(&self, tag: u64, now: u64) -> Seen<'_> {
        let [first, rest @ ..] = &self.0;
        let mut fullest = see(first, now);
        if fullest.is_of(tag) {
            return fullest;
        }
        for bucket in rest {
            let seen = see(bucket, now);
            if seen.is_of(tag) {
                return seen;
            }
            if seen.missing < fullest.missing {
                fullest = seen;
            }
        }
        Seen { missing: 0, ..fullest }
    }
}

impl Seen<'_> {
    const fn is_of(self, tag: u64) -> bool {
        self.word != 0 && self.word & !MOMENT == tag
    }
}

fn see(bucket: &AtomicU64, now: u64) -> Seen<'_> {
    let word = bucket.load(Relaxed);
    let ahead = word.wrapping_sub(now) & MOMENT;
    let missing = if word == 0 || ahead > LONGEST { 0 } else { ahead };
    Seen { bucket, word, missing }
}

const fn moment(now: Ticks) -> u64 {
    (now.0 as u64) << PARTS_PER_TICK
}

#[cfg(test)]
mod tests;
