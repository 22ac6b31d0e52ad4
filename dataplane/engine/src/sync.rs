//! The only place that names a synchronisation primitive, so that loom can stand in for the standard library.

#[cfg(loom)]
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard, atomic};
pub(crate) use std::sync::TryLockError;
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, atomic};

/// Between two looks at what another worker is doing at this moment.
#[inline]
pub(crate) fn spin() {
    #[cfg(loom)]
    loom::thread::yield_now();
    #[cfg(not(loom))]
    std::hint::spin_loop();
}

/// Lets other threads run between two tries of the control side.
pub(crate) fn give_way() {
    #[cfg(loom)]
    loom::thread::yield_now();
    #[cfg(not(loom))]
    std::thread::yield_now();
}

/// Between a `SeqCst` operation and the next: nothing, the language orders them.
///
/// Loom takes `SeqCst` loads, stores and exchanges for acquiring and releasing ones and knows the total order from fences
/// only: it explores more than can happen. Here it is told.
#[inline]
pub(crate) fn in_total_order() {
    #[cfg(loom)]
    atomic::fence(atomic::Ordering::SeqCst);
}
