//! Packets that travel together.

#![expect(unsafe_code, reason = "an array of which only the first `len` elements are initialised")]

use std::{fmt, mem::MaybeUninit, ptr, slice};

use dpdk_sys as sys;

use crate::{Mbuf, Mempool};

/// Owns up to `N` packets, in order. What is still in it when it is dropped goes back to the pools in one call.
///
/// Storage is in the value itself: making one costs nothing, and nothing here allocates.
pub struct Burst<const N: usize> {
    /// The first `len` are initialised and owned.
    slots: [MaybeUninit<Mbuf>; N],
    len: usize,
}

impl<const N: usize> Burst<N> {
    /// An empty burst.
    #[inline]
    pub const fn new() -> Self {
        const { assert!(N <= u16::MAX as usize, "DPDK counts a burst in 16 bits") }
        Self { slots: [const { MaybeUninit::uninit() }; N], len: 0 }
    }

    /// Packets in it.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there is room for no more.
    #[inline]
    pub const fn is_full(&self) -> bool {
        self.len == N
    }

    /// The packets.
    #[inline]
    pub fn as_slice(&self) -> &[Mbuf] {
        // SAFETY: the first `len` slots are initialised.
        unsafe { slice::from_raw_parts(self.slots.as_ptr().cast(), self.len) }
    }

    /// The packets, to rewrite or reorder.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [Mbuf] {
        // SAFETY: the first `len` slots are initialised.
        unsafe { slice::from_raw_parts_mut(self.slots.as_mut_ptr().cast(), self.len) }
    }

    /// Adds a packet behind the others.
    ///
    /// # Errors
    /// Gives the packet back when there is no room.
    #[inline]
    pub fn push(&mut self, mbuf: Mbuf) -> Result<(), Mbuf> {
        let Some(slot) = self.slots.get_mut(self.len) else { return Err(mbuf) };
        slot.write(mbuf);
        self.len += 1;
        Ok(())
    }

    /// Takes the last packet out.
    #[inline]
    pub fn pop(&mut self) -> Option<Mbuf> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: the slot was initialised and is no longer counted.
        Some(unsafe { self.slots[self.len].assume_init_read() })
    }

    /// Takes all packets out, first to last. What the iterator has not given when it is dropped is freed.
    #[inline]
    pub fn drain(&mut self) -> Drain<'_> {
        let end = std::mem::take(&mut self.len);
        Drain { slots: &mut self.slots[..end], next: 0 }
    }

    /// Adds `n` new empty packets; `false`, and nothing changed, when there is no room for them or the pool has fewer.
    #[inline]
    pub fn alloc(&mut self, pool: &Mempool, n: usize) -> bool {
        let Some(room) = self.slots[self.len..].get_mut(..n) else { return false };
        let (slots, count) = raw(room);
        // SAFETY: the pool exists; `slots` has space for `count` pointers, and all or none are written.
        let refused = unsafe { sys::dpdk_pktmbuf_alloc_bulk(pool.as_ptr(), slots, count.into()) };
        if refused == 0 {
            self.len += n;
        }
        refused == 0
    }

    /// Frees all packets.
    #[inline]
    pub fn clear(&mut self) {
        let len = std::mem::take(&mut self.len);
        free(&mut self.slots[..len]);
    }

    /// The free slots, for a driver to write packets to, and how many.
    #[inline]
    pub(crate) fn raw_room(&mut self) -> (*mut *mut sys::rte_mbuf, u16) {
        raw(&mut self.slots[self.len..])
    }

    /// Counts in the first `n` slots of [`raw_room`](Self::raw_room).
    ///
    /// # Safety
    /// They hold mbufs that nobody else owns.
    #[inline]
    pub(crate) unsafe fn filled(&mut self, n: usize) {
        debug_assert!(n <= N - self.len, "a driver returned more packets than it was asked for");
        self.len += n;
    }

    /// The packets as a driver takes them, and how many.
    #[inline]
    pub(crate) fn raw(&mut self) -> (*mut *mut sys::rte_mbuf, u16) {
        raw(&mut self.slots[..self.len])
    }

    /// Forgets the first `n` packets; the others move up.
    ///
    /// # Safety
    /// Somebody else owns these `n` now, and `n` is at most [`len`](Self::len).
    #[inline]
    pub(crate) unsafe fn sent(&mut self, n: usize) {
        debug_assert!(n <= self.len, "a driver took more packets than there were");
        let rest = self.len - n;
        if rest > 0 && n > 0 {
            let slots = self.slots.as_mut_ptr();
            // SAFETY: at most `len`, within the array.
            let from = unsafe { slots.add(n) };
            // SAFETY: both ranges are within the array and may overlap.
            unsafe { ptr::copy(from, slots, rest) };
        }
        self.len = rest;
    }
}

/// `Mbuf` is transparent over a non-null pointer to the C type, so slots are the array of pointers that C wants.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "`Burst::new` asserts that a burst counts in 16 bits")]
fn raw(slots: &mut [MaybeUninit<Mbuf>]) -> (*mut *mut sys::rte_mbuf, u16) {
    (slots.as_mut_ptr().cast(), slots.len() as u16)
}

/// Frees packets that are no longer counted by anyone. All of `slots` is initialised.
#[inline]
fn free(slots: &mut [MaybeUninit<Mbuf>]) {
    if !slots.is_empty() {
        let (slots, count) = raw(slots);
        // SAFETY: ownership of these packets ends here; see the callers.
        unsafe { sys::rte_pktmbuf_free_bulk(slots, count.into()) }
    }
}

impl<const N: usize> Default for Burst<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Drop for Burst<N> {
    #[inline]
    fn drop(&mut self) {
        self.clear();
    }
}

impl<const N: usize> fmt::Debug for Burst<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// Packets on their way out of a [`Burst`]; see [`Burst::drain`].
pub struct Drain<'a> {
    /// Initialised and owned from `next` on; the burst counts none of them.
    slots: &'a mut [MaybeUninit<Mbuf>],
    next: usize,
}

impl Iterator for Drain<'_> {
    type Item = Mbuf;

    #[inline]
    fn next(&mut self) -> Option<Mbuf> {
        let slot = self.slots.get(self.next)?;
        self.next += 1;
        // SAFETY: initialised, and behind `next` from now on, so given once.
        Some(unsafe { slot.assume_init_read() })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.slots.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Drain<'_> {}

impl Drop for Drain<'_> {
    #[inline]
    fn drop(&mut self) {
        free(&mut self.slots[self.next..]);
    }
}
