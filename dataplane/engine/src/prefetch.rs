//! Asking for a cache line ahead of its use: the one thing safe Rust can't say.

/// Lines that are asked for at a time, some while before they are needed.
///
/// A core keeps account of the lines that it waits for, 10 of them or up to 48. Some do not begin to load what they are asked for beyond
/// that; so with 64 asked for at once many come only when they are needed (docs/performance.md).
pub(crate) const AT_A_TIME: usize = 16;

/// Starts loading the cache line of `value`.
#[inline(always)]
pub(crate) fn prefetch<T>(value: &T) {
    prefetch_line(std::ptr::from_ref(value));
}

/// Starts loading the cache line of a value that should be there: to ask for one that isn't does nothing.
#[inline(always)]
pub(crate) fn prefetch_at<T>(values: &[T], index: usize) {
    prefetch_line(values.as_ptr().wrapping_add(index));
}

#[inline(always)]
#[expect(unsafe_code, reason = "there is no safe intrinsic")]
fn prefetch_line<T>(line: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, whatever the address, and reads nothing the program can see; SSE is in every x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
