//! Opening `/proc/net/ip_vs*`: ulvsd's file if there is one.

#![expect(unsafe_code, reason = "functions of C")]

use std::ffi::CStr;

use libc::{FILE, c_char, c_int, c_uint};

use crate::{errno, next, proc_net, settings};

by_path! {
    /// C's has `...`, which is passed like a third argument where this library can be built.
    fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int = |path| number(flags);
    fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int = |path| number(flags);
    fn openat(folder: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int = |path| number(flags);
    fn openat64(folder: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int = |path| number(flags);
    /// This and the next: what they are compiled to with `_FORTIFY_SOURCE`.
    fn __open_2(path: *const c_char, flags: c_int) -> c_int = |path| number(flags);
    fn __open64_2(path: *const c_char, flags: c_int) -> c_int = |path| number(flags);
    fn __openat_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int = |path| number(flags);
    fn __openat64_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int = |path| number(flags);
    fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE = |path| stream(mode);
    fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE = |path| stream(mode);
}

/// # Safety
/// `path` is null or a C string.
unsafe fn number(path: *const c_char, open: impl Fn(*const c_char) -> c_int, flags: c_int) -> c_int {
    if flags & libc::O_ACCMODE != libc::O_RDONLY {
        return open(path);
    }
    // SAFETY: as promised by the caller
    unsafe { redirected(path, open, |fd| fd >= 0) }
}

/// # Safety
/// `path` and `mode` are null or C strings.
unsafe fn stream(path: *const c_char, open: impl Fn(*const c_char) -> *mut FILE, mode: *const c_char) -> *mut FILE {
    // SAFETY: null or a C string, which has a first byte
    if unsafe { mode.as_ref() }.is_none_or(|&first| first.cast_unsigned() != b'r') {
        return open(path);
    }
    // SAFETY: as promised by the caller
    unsafe { redirected(path, open, |file| !file.is_null()) }
}

/// Calls `call` with the file that stands for `path`; with `path` itself if it is none of IPVS's, or ulvsd has no such
/// file.
///
/// # Safety
/// `path` is null or a C string.
pub(super) unsafe fn redirected<T: Copy>(
    path: *const c_char,
    call: impl Fn(*const c_char) -> T,
    worked: impl Fn(T) -> bool,
) -> T {
    // SAFETY: as promised by the caller; every other path ends here, after its first bytes
    if path.is_null() || !unsafe { is_in_proc(path) } {
        return call(path);
    }
    // SAFETY: a C string, says the caller
    let asked = unsafe { CStr::from_ptr(path) };
    let Some(ours) = proc_net::redirected(asked.to_bytes(), settings::proc_net()) else { return call(path) };
    let before = errno::get();
    let result = call(ours.as_c_str().as_ptr());
    if worked(result) || !matches!(errno::get(), libc::ENOENT | libc::ENOTDIR) {
        return result;
    }
    errno::set(before);
    call(path)
}

/// # Safety
/// `path` is a C string.
unsafe fn is_in_proc(path: *const c_char) -> bool {
    b"/proc/".iter().enumerate().all(|(at, &byte)| {
        // SAFETY: all bytes before were not 0, so this one is of the string
        let place = unsafe { path.add(at) };
        // SAFETY: as above
        unsafe { *place }.cast_unsigned() == byte
    })
}
