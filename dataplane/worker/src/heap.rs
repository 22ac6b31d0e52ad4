//! The heap of a process that has workers: memory that is free stays with the process, and what is in use stays where it is.
//!
//! To give memory back is to take it out of the process' mappings, and to have the system move it is to change them. For either the
//! kernel interrupts every core that runs a thread of the process: the workers' are among them always. glibc does both with blocks
//! that are large: fifty interruptions for a listing of 65,536 connections, and twenty for loading 10,000 services, with passes of a
//! millisecond and more on a machine whose cores are virtual. Kept, the memory serves the next time.
//!
//! What new connections of many services read is all over the heap, so it is of huge pages, for there to be fewer translations to look
//! up. They are taken as the memory is first touched, by the control side, two megabytes at a time. Where none is free at that moment small
//! ones are taken, and the kernel may put those together later, which is to change mappings again.

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

/// How much the heap has from the start, in bytes: addresses alone, until it is used. (A block that is asked for with zeroes in it is used,
/// though: the C library can't tell that the reserve still has them.) What is beyond is of small pages, for the kernel extends a heap by
/// memory for which nothing was asked. Less is tried where so much can't be had.
#[cfg(target_env = "gnu")]
const RESERVES: [i32; 3] = [1 << 30, 1 << 28, 1 << 26];

/// More than is free in a heap that has just begun, so that it has to grow.
#[cfg(target_env = "gnu")]
const BLOCK: usize = 2 << 20;

/// Tells the C library to keep what is freed; whether it does. To be called before there is a second thread, and after memory is
/// locked that is there by then: the reserve would be brought in.
#[cfg(target_env = "gnu")]
pub fn keep() -> bool {
    let keeps = SETTINGS.iter().all(|&(option, value)| set(option, value));
    if keeps {
        // Without a reserve there are more system calls and smaller pages, and nothing else.
        let most = may_reserve();
        let _ = RESERVES.into_iter().filter(|&bytes| bytes <= most).any(reserve);
    }
    keeps
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the C library has no other way")]
fn set(option: i32, value: i32) -> bool {
    // SAFETY: sets a number of the allocator's, under a lock of its own.
    unsafe { libc::mallopt(option, value) != 0 }
}

/// How much may be reserved: where the kernel promises no more memory than there is, addresses that are never used would be missing
/// elsewhere, for connections.
#[cfg(target_env = "gnu")]
fn may_reserve() -> i32 {
    let policy = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap_or_default();
    if policy.trim() == "2" { 1 << 26 } else { i32::MAX }
}

/// Has the heap grow by this once; whether it could.
#[cfg(target_env = "gnu")]
fn reserve(bytes: i32) -> bool {
    set(libc::M_TOP_PAD, bytes);
    // It makes the heap grow by itself and by the reserve, which is behind it and not touched; freed, it is of the reserve.
    let mut block = Vec::<u8>::new();
    let could = block.try_reserve_exact(BLOCK).is_ok();
    set(libc::M_TOP_PAD, STEP);
    if could {
        // Behind the block, and behind what the C library has written there about the rest.
        ask_for_huge_pages(block.as_ptr().addr() + BLOCK + PAGE, usize::try_from(bytes).unwrap_or(0));
    }
    could
}

/// Of the heap from here on, so many bytes at most: each is taken whole when the first byte of it is touched, if one is free.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the heap is the C library's: there is no mapping of ours to ask for")]
fn ask_for_huge_pages(from: usize, most: usize) {
    // SAFETY: tells where the heap ends, and changes nothing.
    let end = unsafe { libc::sbrk(0) };
    let from = from.next_multiple_of(HUGE);
    // Where the heap is elsewhere, a mapping that the C library takes if another is in the heap's way, it stays as it is.
    let Some(bytes) = end.addr().checked_sub(from).filter(|&bytes| bytes <= most) else { return };
    // SAFETY: a wish about how memory of this process is mapped, within the heap; what is in it stays as it is. Kernels
    // without huge pages refuse, and those that are told to give none don't.
    let _ = unsafe { libc::madvise(end.with_addr(from), bytes / HUGE * HUGE, libc::MADV_HUGEPAGE) };
}

/// Of a huge page, in bytes.
#[cfg(target_env = "gnu")]
const HUGE: usize = 2 << 20;

/// Of a page, at most, in bytes.
#[cfg(target_env = "gnu")]
const PAGE: usize = 64 << 10;

/// Other libraries do as they do.
#[cfg(not(target_env = "gnu"))]
pub const fn keep() -> bool {
    true
}
