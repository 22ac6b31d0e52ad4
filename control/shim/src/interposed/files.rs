//! Looking at `/proc/net/ip_vs*` without opening it.

#![expect(unsafe_code, reason = "functions of C")]

use libc::{c_char, c_int, c_uint, stat as Status, statx as StatusX};

use super::open::redirected;
use crate::next;

by_path! {
    fn access(path: *const c_char, mode: c_int) -> c_int = |path| redirected(done);
    fn eaccess(path: *const c_char, mode: c_int) -> c_int = |path| redirected(done);
    fn euidaccess(path: *const c_char, mode: c_int) -> c_int = |path| redirected(done);
    fn faccessat(folder: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int = |path| redirected(done);
    fn stat(path: *const c_char, status: *mut Status) -> c_int = |path| redirected(done);
    fn stat64(path: *const c_char, status: *mut Status) -> c_int = |path| redirected(done);
    fn lstat(path: *const c_char, status: *mut Status) -> c_int = |path| redirected(done);
    fn lstat64(path: *const c_char, status: *mut Status) -> c_int = |path| redirected(done);
    fn fstatat(folder: c_int, path: *const c_char, status: *mut Status, flags: c_int) -> c_int
        = |path| redirected(done);
    fn fstatat64(folder: c_int, path: *const c_char, status: *mut Status, flags: c_int) -> c_int
        = |path| redirected(done);
    fn statx(folder: c_int, path: *const c_char, flags: c_int, mask: c_uint, status: *mut StatusX) -> c_int
        = |path| redirected(done);
}

fn done(result: c_int) -> bool {
    result == 0
}
