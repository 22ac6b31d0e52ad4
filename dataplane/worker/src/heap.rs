//! The heap of a process that has workers: memory that is free stays with the process, and what is in use stays where it is.
//!
//! To give memory back is to take it out of the process' mappings, and to have the system move it is to change them. For either the
//! kernel interrupts every core that runs a thread of the process: the workers' are among them always. glibc does both with blocks
//! that are large: fifty interruptions for a listing of 65,536 connections, and twenty for loading 10,000 services, with passes of a
//! millisecond and more on a machine whose cores are virtual. Kept, the memory serves the next time.

/// What glibc is told.
///
/// No block has a mapping of its own, which would be moved as it grows and be given back when it is freed. There is one heap: those
/// that glibc makes for each thread have a bound, beyond which blocks have mappings of their own after all; they are given back when
/// they are empty, and become larger by a system call for each page. The one heap has neither a bound nor ever an end, and becomes
/// larger by [`STEP`].
#[cfg(target_env = "gnu")]
const SETTINGS: [(i32, i32); 4] =
    [(libc::M_MMAP_MAX, 0), (libc::M_ARENA_MAX, 1), (libc::M_TRIM_THRESHOLD, i32::MAX), (libc::M_TOP_PAD, STEP)];

/// How much more the heap has at a time, in bytes.
#[cfg(target_env = "gnu")]
const STEP: i32 = 1 << 20;

/// Tells the C library to keep what is freed; whether it does. To be called before there is a second thread.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the C library has no other way")]
pub fn keep() -> bool {
    // SAFETY: sets a number of the allocator's, with no other thread about.
    SETTINGS.iter().all(|&(option, value)| unsafe { libc::mallopt(option, value) } != 0)
}

/// Other libraries do as they do.
#[cfg(not(target_env = "gnu"))]
pub const fn keep() -> bool {
    true
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use std::ops::Range;

    use super::*;

    /// Where the heap is by now.
    fn heap() -> Option<Range<usize>> {
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        let ends = maps.lines().filter(|line| line.ends_with("[heap]")).filter_map(|line| {
            let (begin, end) = line.split_whitespace().next()?.split_once('-')?;
            Some((usize::from_str_radix(begin, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
        });
        ends.map(|(begin, end)| begin..end).reduce(|all, next| all.start..next.end)
    }

    #[test]
    fn a_large_block_of_any_thread_is_of_the_one_heap_which_stays() {
        assert!(keep());
        let block = std::thread::spawn(|| vec![0_u8; 100 << 20]).join().unwrap();
        let before = heap().unwrap();
        assert!(before.contains(&block.as_ptr().addr()), "{:?} is not in {before:?}", block.as_ptr());
        drop(block);
        let now = heap().unwrap();
        assert!(now.end >= before.end, "given back: {before:?}, now {now:?}");
    }
}
