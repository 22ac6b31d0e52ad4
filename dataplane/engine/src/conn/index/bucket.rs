//! One cache line of the index: slots, and a word that says what is in them.

use crate::conn::entry::ConnId;
use crate::memory::Zeroed;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{in_total_order, spin};

use super::home::Home;

/// Models are small.
pub(crate) const SLOTS: usize = if cfg!(loom) { 2 } else { 7 };
/// One in the count of overflowing slots.
pub(super) const OVERFLOW: u64 = 1 << 56;
/// A one in each fingerprint.
const ONES: u64 = ((1 << (8 * SLOTS)) - 1) / 0xff;
/// How often a published slot is looked at again that has no word yet, or no more.
const LOOKS: usize = if cfg!(loom) { 1 } else { 16 };

/// One cache line.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Bucket {
    pub(super) slots: [AtomicU64; SLOTS],
    /// In the highest byte, how many slots in later buckets belong to flows whose search began here or passed through. In
    /// the others, a fingerprint of each slot in use, 0 of the others. Written by inserters and removers.
    pub(super) meta: AtomicU64,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Bucket>() == 64);

#[expect(unsafe_code, reason = "a struct of atomic integers")]
// SAFETY: every field is an atomic integer.
unsafe impl Zeroed for Bucket {}

impl Bucket {
    /// Claims and publishes the first free slot; the slot, and the fingerprints as they were before.
    #[inline]
    pub(super) fn claim(&self, home: Home, id: ConnId) -> Option<(usize, u64)> {
        let mut before = self.meta.load(Ordering::Relaxed);
        loop {
            let slot = places(zeros(before)).next()?;
            // Only whoever holds the slot changes its fingerprint, so the bytes never run into each other.
            let after = before + (home.fingerprint() << (8 * slot));
            match self.meta.compare_exchange_weak(before, after, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => {
                    in_total_order();
                    // It is 0: whoever had it stored that before taking the fingerprint away.
                    self.slots[slot].store(home.tag() | (u64::from(id) + 1), Ordering::Release);
                    return Some((slot, before));
                }
                Err(now) => before = now,
            }
        }
    }

    /// The word of a slot that had a flow's fingerprint, unless it has it no more. `Some(0)`: another worker has it and is about to
    /// store the word, or has cleared it, and does not get on.
    pub(super) fn word(&self, home: Home, slot: usize) -> Option<u64> {
        for _ in 0..LOOKS {
            match self.slots[slot].load(Ordering::Acquire) {
                0 if self.meta.load(Ordering::SeqCst) >> (8 * slot) & 0xff != home.fingerprint() => return None,
                0 => spin(),
                word => return Some(word),
            }
        }
        Some(0)
    }
}

/// Whether no other number can be of the same flow, as the home bucket was before.
#[inline]
pub(super) const fn is_first(before: u64, home: Home) -> bool {
    before < OVERFLOW && alike(before, home) == 0
}

/// A bit for each slot whose fingerprint is that of the flow, and perhaps for some others: the tag decides.
#[inline]
pub(super) const fn alike(meta: u64, home: Home) -> u64 {
    zeros(meta ^ (home.fingerprint() * ONES))
}

/// A bit for each slot's byte that is 0. Behind the first one, bytes that are 1 may be among them.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// The places of bytes that have a bit, lowest first.
#[inline]
pub(super) fn places(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if bits == 0 {
            return None;
        }
        let at = bits.trailing_zeros() as usize / 8;
        bits &= bits - 1;
        Some(at)
    })
}
