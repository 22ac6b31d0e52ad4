//! Threads that DPDK did not make.

#![expect(unsafe_code, reason = "registers with a C library")]

use std::marker::PhantomData;

use dpdk_sys as sys;

use super::{Eal, EalError};
use crate::Errno;

/// The calling thread's registration with DPDK, which gives it caches of the packet pools. Ends when dropped, on the
/// same thread: it cannot be sent to another.
///
/// A thread may take and free packets without it, but then goes to the pools' shared stores each time.
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// sent::<dpdk::RegisteredThread>();
/// ```
#[derive(Debug)]
pub struct RegisteredThread {
    _eal: Eal,
    this_thread_only: PhantomData<*const ()>,
}

impl Eal {
    /// Registers the calling thread. Its CPUs stay as they are.
    ///
    /// # Errors
    /// [`EalError::ThreadRegistered`] when it is already, as the one that initialised the EAL is; [`EalError::Thread`] when
    /// there is no place left.
    pub fn register_thread(&self) -> Result<RegisteredThread, EalError> {
        // DPDK itself would shrug; then the first of two registrations to end would end both.
        // SAFETY: reads a thread-local variable.
        if unsafe { sys::dpdk_thread_is_registered() } {
            return Err(EalError::ThreadRegistered);
        }
        // SAFETY: the EAL is initialised.
        if unsafe { sys::rte_thread_register() } < 0 {
            return Err(EalError::Thread { errno: Errno::last() });
        }
        Ok(RegisteredThread { _eal: self.clone(), this_thread_only: PhantomData })
    }
}

impl Drop for RegisteredThread {
    fn drop(&mut self) {
        // What this thread has cached would be of no use to others, and keep the pools from being freed.
        // SAFETY: the EAL is initialised, and this is the thread whose caches they are.
        unsafe { sys::dpdk_mempool_flush_caches() };
        // SAFETY: this thread is registered, which this value proves.
        unsafe { sys::rte_thread_unregister() };
    }
}
