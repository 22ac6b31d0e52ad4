//! Opening `/proc/net/ip_vs*`.

#![expect(unsafe_code, reason = "functions of C")]

use std::ffi::CStr;
use std::ptr;

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
    // SAFETY: as promised by the caller
    match unsafe { ours(path) } {
        Some(socket) => proc_net::open(&socket, flags).unwrap_or_else(errno::fail),
        None => open(path),
    }
}

/// # Safety
/// `path` and `mode` are null or C strings.
unsafe fn stream(path: *const c_char, open: impl Fn(*const c_char) -> *mut FILE, mode: *const c_char) -> *mut FILE {
    // SAFETY: as promised by the caller
    let Some(socket) = (unsafe { ours(path) }) else { return open(path) };
    if mode.is_null() {
        return open(path);
    }
    // SAFETY: not null, so a C string, says the caller
    let asked = unsafe { CStr::from_ptr(mode) }.to_bytes();
    let write = if asked.first() == Some(&b'r') && !asked.contains(&b'+') { libc::O_RDONLY } else { libc::O_RDWR };
    let cloexec = if asked.contains(&b'e') { libc::O_CLOEXEC } else { 0 };
    let fd = proc_net::open(&socket, write | cloexec).unwrap_or_else(errno::fail);
    if fd < 0 {
        return ptr::null_mut();
    }
    // SAFETY: our own descriptor, and the caller's mode
    let file = unsafe { next::fdopen(fd, mode) };
    if file.is_null() {
        let error = errno::get();
        // SAFETY: as above
        unsafe { next::close(fd) };
        errno::set(error);
    }
    file
}

/// The socket that stands for `path`, if it is a file of IPVS.
///
/// # Safety
/// `path` is null or a C string.
pub(super) unsafe fn ours(path: *const c_char) -> Option<proc_net::Path> {
    // SAFETY: as promised by the caller; every other path ends here, after its first bytes
    if path.is_null() || !unsafe { is_in_proc(path) } {
        return None;
    }
    // SAFETY: a C string, says the caller
    let asked = unsafe { CStr::from_ptr(path) };
    proc_net::socket(asked.to_bytes(), settings::proc_net())
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
