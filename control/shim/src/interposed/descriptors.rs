//! Descriptors that get other names, or go.

#![expect(unsafe_code, reason = "functions of C")]

use libc::{c_int, c_ulong};

use crate::{next, tracked};

interpose! {
    /// Forgets first: another thread may get the number as soon as it is free.
    fn close(fd: c_int) -> c_int {
        tracked::closing(fd);
        // SAFETY: the caller's descriptor
        unsafe { next::close(fd) }
    }

    fn dup(fd: c_int) -> c_int {
        // SAFETY: a number
        followed(fd, unsafe { next::dup(fd) })
    }

    fn dup2(old: c_int, new: c_int) -> c_int {
        // SAFETY: numbers
        followed(old, unsafe { next::dup2(old, new) })
    }

    fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int {
        // SAFETY: numbers
        followed(old, unsafe { next::dup3(old, new, flags) })
    }

    /// C's has `...`, which is passed like a third argument where this library can be built.
    fn fcntl(fd: c_int, command: c_int, argument: c_ulong) -> c_int {
        // SAFETY: the caller's arguments
        let result = unsafe { next::fcntl(fd, command, argument) };
        if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) { followed(fd, result) } else { result }
    }

    /// The name under which programs with 64-bit file offsets have it; the same function on 64-bit machines.
    fn fcntl64(fd: c_int, command: c_int, argument: c_ulong) -> c_int {
        // SAFETY: the caller's arguments
        unsafe { fcntl(fd, command, argument) }
    }
}

fn followed(old: c_int, new: c_int) -> c_int {
    if new >= 0 {
        tracked::duplicated(old, new);
    }
    new
}
