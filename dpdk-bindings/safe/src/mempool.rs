//! Pools of mbufs.
//!
//! A [`Mempool`] is a handle; clones share the pool, and ports keep the pools of their receive queues. Packets do not hold
//! their pool, because counting references per packet is what a forwarder cannot afford. So the last handle frees the
//! pool only when every mbuf is home and no other thread can still be in the middle of returning one; otherwise the
//! pool stays, unreachable, until the process ends. That is a deliberate leak: it happens at most once per pool, and the
//! alternative is a packet in freed memory. Drop packets and queues, then ports, then pools, and nothing leaks.

#![expect(unsafe_code, reason = "pools are C objects")]

use std::{
    ffi::{CString, NulError},
    fmt,
    ptr::NonNull,
    sync::{Arc, atomic::Ordering},
};

use dpdk_sys as sys;

use crate::{Eal, Errno};

/// Room in front of a received packet's data, in bytes; what [`Mbuf::prepend`](crate::Mbuf::prepend) can use.
pub const HEADROOM: u16 = sys::DPDK_MBUF_HEADROOM;

/// What a [`Mempool`] is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MempoolConfig {
    /// Number of mbufs; 2^n - 1 wastes no memory.
    pub count: u32,
    /// Mbufs that each registered thread keeps at hand, at most 512 and at most `count / 1.5`; 0 for none.
    pub cache: u32,
    /// Bytes of a packet that fit in one mbuf, not counting [`HEADROOM`].
    pub data_room: u16,
    /// NUMA socket to take the memory from; any when `None`.
    pub socket: Option<u32>,
}

impl Default for MempoolConfig {
    /// 8191 mbufs for frames of 2 KiB, 256 of them at hand per thread: about 20 MiB.
    fn default() -> Self {
        Self { count: 8191, cache: 256, data_room: 2048, socket: None }
    }
}

/// Why a pool was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MempoolError {
    /// The name is taken, too long (more than 25 bytes) or holds a zero byte.
    #[error("mempool name {name:?} cannot be used: it must be new, 1 to 25 bytes long and without zero bytes")]
    Name {
        /// The name asked for.
        name: String,
    },
    /// The EAL's memory does not hold it.
    #[error(
        "mempool {name} of {count} mbufs needs about {mib} MiB, which is not free in the memory the EAL was given: \
         give it more, or make the pool smaller"
    )]
    Memory {
        /// The pool's name.
        name: String,
        /// Mbufs asked for.
        count: u32,
        /// Memory they need, in MiB.
        mib: u64,
    },
    /// The sizes make no pool.
    #[error("mempool {name}: {errno}; the cache must not exceed 512 nor two thirds of the count")]
    Refused {
        /// The pool's name.
        name: String,
        /// What DPDK says.
        errno: Errno,
    },
}

/// A pool of mbufs; clones share it.
#[derive(Clone)]
pub struct Mempool(Arc<Pool>);

struct Pool {
    raw: NonNull<sys::rte_mempool>,
    name: String,
    data_room: u16,
    eal: Eal,
}

// SAFETY: a DPDK mempool of the default kind may be used from any number of threads; its per-thread caches belong to
// registered threads and are found by thread-local id.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Mempool {
    /// Makes a pool.
    ///
    /// # Errors
    /// [`MempoolError`]: a name that is taken, not enough memory, or sizes that make no sense.
    pub fn new(eal: &Eal, name: &str, config: &MempoolConfig) -> Result<Self, MempoolError> {
        let bad_name = || MempoolError::Name { name: name.to_owned() };
        let c_name = CString::new(name).map_err(|_: NulError| bad_name())?;
        let refused = |errno| MempoolError::Refused { name: name.to_owned(), errno };
        let room = config.data_room.checked_add(HEADROOM).ok_or_else(|| refused(Errno::EINVAL))?;
        let socket = match config.socket {
            Some(socket) => i32::try_from(socket).map_err(|_| refused(Errno::EINVAL))?,
            None => sys::DPDK_ANY_SOCKET,
        };
        if config.count == 0 {
            return Err(refused(Errno::EINVAL));
        }
        // SAFETY: the EAL is initialised; the name is a terminated string, which is copied.
        let raw = unsafe { sys::rte_pktmbuf_pool_create(c_name.as_ptr(), config.count, config.cache, 0, room, socket) };
        let Some(raw) = NonNull::new(raw) else {
            return Err(match Errno::last() {
                // ENOBUFS (105): there is memory, but not in pieces that objects fit in.
                errno if errno == Errno::ENOMEM || errno.number() == 105 => MempoolError::Memory {
                    name: name.to_owned(),
                    count: config.count,
                    mib: config.memory_bytes().div_ceil(1 << 20),
                },
                // EEXIST and ENAMETOOLONG.
                errno if matches!(errno.number(), 17 | 36) || name.is_empty() => bad_name(),
                errno => refused(errno),
            });
        };
        Ok(Self(Arc::new(Pool { raw, name: name.to_owned(), data_room: config.data_room, eal: eal.clone() })))
    }

    /// The name it was made with.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Mbufs it was made with.
    pub fn capacity(&self) -> u32 {
        // SAFETY: the pool lives as long as `self`; its size never changes.
        unsafe { sys::dpdk_mempool_size(self.as_ptr()) }
    }

    /// Mbufs that are free, the ones in threads' caches included. A snapshot: other threads may be taking some.
    pub fn available(&self) -> u32 {
        // SAFETY: the pool lives as long as `self`; counting may run beside other threads' gets and puts.
        unsafe { sys::rte_mempool_avail_count(self.as_ptr()) }
    }

    /// Mbufs that are out: in bursts, in drivers' rings, in [`Mbuf`](crate::Mbuf)s.
    pub fn in_use(&self) -> u32 {
        self.capacity().saturating_sub(self.available())
    }

    /// Bytes of a packet that fit in one mbuf, not counting [`HEADROOM`].
    pub fn data_room(&self) -> u16 {
        self.0.data_room
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::rte_mempool {
        self.0.raw.as_ptr()
    }
}

impl MempoolConfig {
    /// About the memory such a pool takes, in bytes: header, mbuf, headroom, data and alignment of each object.
    pub fn memory_bytes(&self) -> u64 {
        let object = size_of::<sys::rte_mbuf>() as u64 + 64 + u64::from(self.data_room) + u64::from(HEADROOM);
        u64::from(self.count) * object.next_multiple_of(64)
    }
}

impl fmt::Debug for Mempool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mempool")
            .field("name", &self.name())
            .field("capacity", &self.capacity())
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: this was the last handle; the pool still exists.
        if unsafe { sys::dpdk_mempool_quiescent(self.raw.as_ptr()) } {
            // SAFETY: no handle is left, every mbuf is home and no thread is in the middle of returning one.
            unsafe { sys::rte_mempool_free(self.raw.as_ptr()) }
        } else {
            self.eal.abandoned_pools().fetch_add(1, Ordering::Relaxed);
        }
    }
}
