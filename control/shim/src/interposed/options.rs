//! Options of sockets: those of netlink on a connection to ulvsd, and those of the kernel's IPVS on any socket.

#![expect(unsafe_code, reason = "functions of C")]

use std::ops::Range;
use std::ptr;

use libc::{c_int, c_void, socklen_t};

use crate::{errno, next, tracked};

/// `IP_VS_BASE_CTL` and what follows: how clients configure the kernel's IPVS without netlink.
const IPVS: Range<c_int> = 1152..1168;

interpose! {
    fn getsockopt(fd: c_int, level: c_int, option: c_int, value: *mut c_void, length: *mut socklen_t) -> c_int {
        if is_ipvs(level, option) {
            return errno::fail(libc::ENOPROTOOPT);
        }
        if let Some(known) = tracked::find_director(fd).and_then(|_| of_netlink(level, option)) {
            // SAFETY: as for getsockopt
            return unsafe { answer(known, value, length) };
        }
        // SAFETY: the caller's arguments
        unsafe { next::getsockopt(fd, level, option, value, length) }
    }

    fn setsockopt(fd: c_int, level: c_int, option: c_int, value: *const c_void, length: socklen_t) -> c_int {
        if is_ipvs(level, option) {
            return errno::fail(libc::ENOPROTOOPT);
        }
        if level == libc::SOL_NETLINK && tracked::find_director(fd).is_some() {
            return 0;
        }
        // SAFETY: the caller's arguments
        unsafe { next::setsockopt(fd, level, option, value, length) }
    }
}

/// A client that finds nothing by netlink tries these. `ENOPROTOOPT` is the kernel's answer without IPVS; a machine
/// that has it loaded must not be configured in place of ulvs.
fn is_ipvs(level: c_int, option: c_int) -> bool {
    level == libc::IPPROTO_IP && IPVS.contains(&option)
}

/// The number that a netlink socket would answer.
fn of_netlink(level: c_int, option: c_int) -> Option<c_int> {
    match (level, option) {
        (libc::SOL_NETLINK, _) => Some(0),
        (libc::SOL_SOCKET, libc::SO_DOMAIN) => Some(libc::AF_NETLINK),
        (libc::SOL_SOCKET, libc::SO_TYPE) => Some(libc::SOCK_RAW),
        (libc::SOL_SOCKET, libc::SO_PROTOCOL) => Some(libc::NETLINK_GENERIC),
        _ => None,
    }
}

/// # Safety
/// Null, or a length and that many bytes to write.
unsafe fn answer(number: c_int, value: *mut c_void, length: *mut socklen_t) -> c_int {
    if value.is_null() || length.is_null() {
        return errno::fail(libc::EFAULT);
    }
    let bytes = number.to_ne_bytes();
    // SAFETY: readable, says the caller
    let room = unsafe { ptr::read_unaligned(length) }.min(size_of::<c_int>() as socklen_t);
    // SAFETY: room for as many bytes, says the caller
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), value.cast::<u8>(), room as usize) };
    // SAFETY: writable, says the caller
    unsafe { ptr::write_unaligned(length, room) };
    0
}
