//! The program itself stays in memory: its code and what it was linked with.
//!
//! Of a program the kernel brings in what is run, page by page, and under pressure throws it out again. A worker that comes by code
//! that is not there, the first fragment of a year say, waits for a page fault or for a disk.

use nix::sys::mman::{MlockAllFlags, mlockall};

/// Brings all of it in, for good. To be called before anything large is mapped, the heap's reserve included, which would be brought in
/// too.
pub(crate) fn keep() {
    if let Err(error) = mlockall(MlockAllFlags::MCL_CURRENT) {
        // An operator's own ulvsd, without the right: it runs as well, a page fault now and then beside.
        tracing::debug!("ulvsd's code is not kept in memory: {error}");
    }
}
