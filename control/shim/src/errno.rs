//! `errno` of the calling thread.

#![expect(unsafe_code, reason = "errno is a C variable")]

use libc::c_int;

pub(crate) fn get() -> c_int {
    // SAFETY: never fails, and is a valid pointer in every thread
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above; only this thread reads or writes it
    unsafe { *place }
}

pub(crate) fn set(value: c_int) {
    // SAFETY: never fails, and is a valid pointer in every thread
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above; only this thread reads or writes it
    unsafe { *place = value };
}

/// -1 with `errno` set: how every call here fails.
pub(crate) fn fail(value: c_int) -> c_int {
    set(value);
    -1
}
