//! The heap: memory that is free stays with the process.
//!
//! To give memory back is to take it out of the process' mappings, and for that the kernel interrupts every core that runs a
//! thread of it: the workers' are among them always. glibc does it each time that something large is freed, as the page of a
//! listing. That was some fifty interruptions for a listing of 65,536 connections, and passes of a millisecond and more on a
//! machine whose cores are virtual. Kept, the memory serves the next page.

/// Blocks up to this size come from the heap: the most that glibc takes.
#[cfg(target_env = "gnu")]
const FROM_THE_HEAP: i32 = 32 << 20;

/// Tells the C library to keep what is freed. To be called before there is a second thread.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the C library has no other way")]
pub(crate) fn keep() {
    for (option, value) in [(libc::M_MMAP_THRESHOLD, FROM_THE_HEAP), (libc::M_TRIM_THRESHOLD, i32::MAX)] {
        // SAFETY: sets a number of the allocator's, with no other thread about.
        let is_set = unsafe { libc::mallopt(option, value) };
        if is_set == 0 {
            tracing::warn!("the C library does not keep freed memory: workers are interrupted when it is given back");
        }
    }
}

/// Other libraries do as they do.
#[cfg(not(target_env = "gnu"))]
pub(crate) const fn keep() {}
