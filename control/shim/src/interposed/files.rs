//! Looking at `/proc/net/ip_vs*` without opening it.

#![expect(unsafe_code, reason = "functions of C")]

use libc::{c_char, c_int, c_uint, stat as Status, statx as StatusX};

use super::open::ours;
use crate::next;

by_path! {
    fn access(path: *const c_char, mode: c_int) -> c_int = |path| of_the_socket();
    fn eaccess(path: *const c_char, mode: c_int) -> c_int = |path| of_the_socket();
    fn euidaccess(path: *const c_char, mode: c_int) -> c_int = |path| of_the_socket();
    fn faccessat(folder: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int = |path| of_the_socket();
    fn stat(path: *const c_char, status: *mut Status) -> c_int = |path| as_a_file(status);
    fn stat64(path: *const c_char, status: *mut Status) -> c_int = |path| as_a_file(status);
    fn lstat(path: *const c_char, status: *mut Status) -> c_int = |path| as_a_file(status);
    fn lstat64(path: *const c_char, status: *mut Status) -> c_int = |path| as_a_file(status);
    fn fstatat(folder: c_int, path: *const c_char, status: *mut Status, flags: c_int) -> c_int
        = |path| as_a_file(status);
    fn fstatat64(folder: c_int, path: *const c_char, status: *mut Status, flags: c_int) -> c_int
        = |path| as_a_file(status);
    fn statx(folder: c_int, path: *const c_char, flags: c_int, mask: c_uint, status: *mut StatusX) -> c_int
        = |path| as_a_file(status);
}

/// What a program learns of a file.
trait Kind {
    /// Makes it one that everybody may read, as the kernel's are.
    fn be_a_file(&mut self);
}

const FILE: u32 = libc::S_IFREG | 0o444;

impl Kind for Status {
    fn be_a_file(&mut self) {
        self.st_mode = FILE;
    }
}

impl Kind for StatusX {
    fn be_a_file(&mut self) {
        self.stx_mode = FILE as u16;
    }
}

/// # Safety
/// `path` is null or a C string.
unsafe fn of_the_socket(path: *const c_char, call: impl Fn(*const c_char) -> c_int) -> c_int {
    // SAFETY: as promised by the caller
    unsafe { ours(path) }.map_or_else(|| call(path), |socket| call(socket.as_c_str().as_ptr()))
}

/// # Safety
/// As for the functions above.
unsafe fn as_a_file<T: Kind>(path: *const c_char, call: impl Fn(*const c_char) -> c_int, status: *mut T) -> c_int {
    // SAFETY: as promised by the caller
    let Some(socket) = (unsafe { ours(path) }) else { return call(path) };
    let result = call(socket.as_c_str().as_ptr());
    if result == 0 {
        // SAFETY: null, or what the call has just written
        if let Some(status) = unsafe { status.as_mut() } {
            status.be_a_file();
        }
    }
    result
}
