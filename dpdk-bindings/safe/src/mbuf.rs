//! One packet.
//!
//! The only file that knows where an mbuf's fields are. Offsets and widths come from the C headers at build time, so
//! that reading a field is a load, not a call, with every release of DPDK.

#![expect(unsafe_code, reason = "mbufs are C objects, read in place")]

use std::{fmt, marker::PhantomData, ptr::NonNull, slice};

use dpdk_sys as sys;

use crate::Mempool;

/// A field of `rte_mbuf`. The C shim asserts that each field has the width used here.
#[derive(Clone, Copy)]
struct Field<T> {
    offset: usize,
    of: PhantomData<T>,
}

impl<T: Copy> Field<T> {
    const fn at(offset: usize) -> Self {
        assert!(offset.is_multiple_of(align_of::<T>()) && offset + size_of::<T>() <= size_of::<sys::rte_mbuf>());
        Self { offset, of: PhantomData }
    }
}

const BUF_ADDR: Field<*mut u8> = Field::at(sys::DPDK_MBUF_BUF_ADDR);
const DATA_OFF: Field<u16> = Field::at(sys::DPDK_MBUF_DATA_OFF);
const REFCNT: Field<u16> = Field::at(sys::DPDK_MBUF_REFCNT);
const NB_SEGS: Field<u16> = Field::at(sys::DPDK_MBUF_NB_SEGS);
const PORT: Field<u16> = Field::at(sys::DPDK_MBUF_PORT);
const OL_FLAGS: Field<u64> = Field::at(sys::DPDK_MBUF_OL_FLAGS);
const PKT_LEN: Field<u32> = Field::at(sys::DPDK_MBUF_PKT_LEN);
const DATA_LEN: Field<u16> = Field::at(sys::DPDK_MBUF_DATA_LEN);
const BUF_LEN: Field<u16> = Field::at(sys::DPDK_MBUF_BUF_LEN);
const HASH_RSS: Field<u32> = Field::at(sys::DPDK_MBUF_HASH_RSS);

/// What the NIC found out about a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxChecksum {
    /// Nothing: not looked at, or not looked at fully.
    Unknown,
    /// It is right.
    Good,
    /// It is wrong.
    Bad,
}

/// An owned packet: freed into its pool when dropped.
///
/// All data methods work on the first segment, which is the whole packet unless scattered receive was asked for; see
/// [`is_contiguous`](Self::is_contiguous).
///
/// Nothing in this crate shares a packet's data between two mbufs, and drivers hand out mbufs of one reference. That is
/// why [`data_mut`](Self::data_mut) may give `&mut [u8]`.
#[repr(transparent)]
pub struct Mbuf(NonNull<sys::rte_mbuf>);

// SAFETY: an mbuf belongs to one owner at a time and may be freed by any thread.
unsafe impl Send for Mbuf {}
// SAFETY: `&Mbuf` only reads.
unsafe impl Sync for Mbuf {}

impl Mbuf {
    /// An empty packet with [`HEADROOM`](crate::mempool::HEADROOM) in front; `None` when the pool has none free.
    #[inline]
    pub fn alloc(pool: &Mempool) -> Option<Self> {
        // SAFETY: the pool exists and was made for packets.
        NonNull::new(unsafe { sys::dpdk_pktmbuf_alloc(pool.as_ptr()) }).map(Self)
    }

    /// A packet with these bytes; `None` when the pool has none free or one mbuf does not hold them.
    #[inline]
    pub fn copy_from(pool: &Mempool, bytes: &[u8]) -> Option<Self> {
        let mut mbuf = Self::alloc(pool)?;
        mbuf.append(u16::try_from(bytes.len()).ok()?)?.copy_from_slice(bytes);
        Some(mbuf)
    }

    /// The bytes, from the Ethernet header on.
    #[inline]
    pub fn data(&self) -> &[u8] {
        // SAFETY: `data_len` bytes from `data_off` are within the buffer; memory of a pool is initialised, being mapped.
        unsafe { slice::from_raw_parts(self.start(), usize::from(self.get(DATA_LEN))) }
    }

    /// The bytes, to rewrite in place.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        debug_assert_eq!(self.get(REFCNT), 1, "a shared mbuf must not be written");
        // SAFETY: as for `data`; `&mut self` and the single reference make the access exclusive.
        unsafe { slice::from_raw_parts_mut(self.start(), usize::from(self.get(DATA_LEN))) }
    }

    /// Length of the whole packet in bytes, all segments.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "an empty packet is of no interest")]
    pub fn len(&self) -> usize {
        self.get(PKT_LEN) as usize
    }

    /// Whether the packet is in one segment, so that [`data`](Self::data) is all of it.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.get(NB_SEGS) == 1
    }

    /// Copies a packet of several segments into its first; `false`, and nothing changed, when that has no room.
    pub fn linearize(&mut self) -> bool {
        // SAFETY: a well-formed chain of mbufs, exclusively held.
        unsafe { sys::dpdk_pktmbuf_linearize(self.0.as_ptr()) == 0 }
    }

    /// Room in front of the data, in bytes.
    #[inline]
    pub fn headroom(&self) -> u16 {
        self.get(DATA_OFF)
    }

    /// Room behind the data of the first segment, in bytes.
    #[inline]
    pub fn tailroom(&self) -> u16 {
        self.get(BUF_LEN).saturating_sub(self.get(DATA_OFF)).saturating_sub(self.get(DATA_LEN))
    }

    /// Adds `n` bytes in front and returns them, with whatever they held; `None`, and nothing changed, when the headroom
    /// is smaller.
    #[inline]
    pub fn prepend(&mut self, n: u16) -> Option<&mut [u8]> {
        let data_off = self.get(DATA_OFF).checked_sub(n)?;
        let data_len = self.get(DATA_LEN).checked_add(n)?;
        self.set(DATA_OFF, data_off);
        self.set(DATA_LEN, data_len);
        self.set(PKT_LEN, self.get(PKT_LEN) + u32::from(n));
        Some(&mut self.data_mut()[..usize::from(n)])
    }

    /// Adds `n` bytes behind and returns them, with whatever they held; `None`, and nothing changed, when the tailroom is
    /// smaller or the packet is not contiguous.
    #[inline]
    pub fn append(&mut self, n: u16) -> Option<&mut [u8]> {
        if n > self.tailroom() || !self.is_contiguous() {
            return None;
        }
        let before = self.get(DATA_LEN);
        self.set(DATA_LEN, before + n);
        self.set(PKT_LEN, u32::from(before + n));
        Some(&mut self.data_mut()[usize::from(before)..])
    }

    /// Takes `n` bytes off the front; `false`, and nothing changed, when the first segment is shorter.
    #[inline]
    pub fn trim_front(&mut self, n: u16) -> bool {
        let Some(data_len) = self.get(DATA_LEN).checked_sub(n) else { return false };
        self.set(DATA_LEN, data_len);
        self.set(DATA_OFF, self.get(DATA_OFF) + n);
        self.set(PKT_LEN, self.get(PKT_LEN) - u32::from(n));
        true
    }

    /// Cuts the packet to `len` bytes; `false`, and nothing changed, when it is shorter or not contiguous.
    #[inline]
    pub fn truncate(&mut self, len: u16) -> bool {
        if len > self.get(DATA_LEN) || !self.is_contiguous() {
            return false;
        }
        self.set(DATA_LEN, len);
        self.set(PKT_LEN, u32::from(len));
        true
    }

    /// The NIC's RSS hash, if it gave one.
    #[inline]
    pub fn rss_hash(&self) -> Option<u32> {
        (self.get(OL_FLAGS) & sys::DPDK_MBUF_F_RX_RSS_HASH != 0).then(|| self.get(HASH_RSS))
    }

    /// What the NIC says of the IPv4 header's checksum; unknown unless the offload was asked for.
    #[inline]
    pub fn ip_checksum(&self) -> RxChecksum {
        match self.get(OL_FLAGS) & sys::DPDK_MBUF_F_RX_IP_CKSUM_MASK {
            sys::DPDK_MBUF_F_RX_IP_CKSUM_GOOD => RxChecksum::Good,
            sys::DPDK_MBUF_F_RX_IP_CKSUM_BAD => RxChecksum::Bad,
            _ => RxChecksum::Unknown,
        }
    }

    /// What the NIC says of the TCP or UDP checksum; unknown unless the offload was asked for.
    #[inline]
    pub fn l4_checksum(&self) -> RxChecksum {
        match self.get(OL_FLAGS) & sys::DPDK_MBUF_F_RX_L4_CKSUM_MASK {
            sys::DPDK_MBUF_F_RX_L4_CKSUM_GOOD => RxChecksum::Good,
            sys::DPDK_MBUF_F_RX_L4_CKSUM_BAD => RxChecksum::Bad,
            _ => RxChecksum::Unknown,
        }
    }

    /// Number of the port the packet came in by; meaningless for one made by [`alloc`](Self::alloc).
    #[inline]
    pub fn port(&self) -> u16 {
        self.get(PORT)
    }

    /// Asks the CPU to have the first line of the data at hand soon.
    #[inline]
    pub fn prefetch(&self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch changes nothing and faults for no address.
        unsafe {
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(self.start().cast());
        }
    }

    /// First byte of the data.
    #[inline]
    fn start(&self) -> *mut u8 {
        // Not `add`: the pointer is formed for a prefetch as well, before anything is known of the data.
        self.get(BUF_ADDR).wrapping_add(usize::from(self.get(DATA_OFF)))
    }

    #[inline]
    fn get<T: Copy>(&self, field: Field<T>) -> T {
        // SAFETY: the field is aligned and of the width asserted in C.
        unsafe { self.place(field).read() }
    }

    #[inline]
    fn set<T: Copy>(&mut self, field: Field<T>, value: T) {
        // SAFETY: as for `get`; `&mut self` makes it exclusive.
        unsafe { self.place(field).write(value) }
    }

    #[inline]
    fn place<T: Copy>(&self, field: Field<T>) -> NonNull<T> {
        // SAFETY: `Field::at` asserts that it is within the mbuf.
        unsafe { self.0.byte_add(field.offset) }.cast()
    }
}

impl Drop for Mbuf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this was the only owner.
        unsafe { sys::dpdk_pktmbuf_free(self.0.as_ptr()) }
    }
}

impl fmt::Debug for Mbuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mbuf").field("len", &self.len()).field("port", &self.port()).finish_non_exhaustive()
    }
}
