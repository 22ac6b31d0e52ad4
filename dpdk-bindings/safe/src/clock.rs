//! The time stamp counter: the clock of the data path.

#![expect(unsafe_code, reason = "the counter is read by an intrinsic, its frequency by C")]

use dpdk_sys as sys;

use crate::Eal;

/// Cycles of the time stamp counter since some moment in the past. Not ordered with the instructions around it.
#[inline]
pub fn tsc() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction. Used instead of DPDK's because it is no call.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: reads a counter.
    unsafe {
        sys::dpdk_rdtsc()
    }
}

/// Cycles of [`tsc`] per second, as the EAL found out when it was initialised.
pub fn tsc_hz(_eal: &Eal) -> u64 {
    // SAFETY: the EAL is initialised, which the reference proves.
    unsafe { sys::rte_get_tsc_hz() }
}
