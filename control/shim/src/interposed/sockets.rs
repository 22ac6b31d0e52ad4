//! `socket` and the addresses of sockets.

#![expect(unsafe_code, reason = "functions of C")]

use libc::{c_int, sockaddr, socklen_t};

use crate::table::{Entry, Side};
use crate::{director, errno, netlink, next, tracked};

interpose! {
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
        // SAFETY: plain numbers
        let fd = unsafe { next::socket(domain, kind, protocol) };
        if domain != libc::AF_NETLINK || protocol != libc::NETLINK_GENERIC {
            return fd;
        }
        if fd < 0 {
            let refused = errno::get();
            return director::open(kind).unwrap_or_else(|_| errno::fail(refused));
        }
        if tracked::remember(fd, Side::Kernel, 0) {
            return fd;
        }
        // one that cannot be followed could reach the kernel's own IPVS
        // SAFETY: opened above, and seen by nobody
        unsafe { next::close(fd) };
        errno::fail(libc::ENOMEM)
    }

    fn bind(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
        let Some(entry) = tracked::find_director(fd) else {
            // SAFETY: the caller's arguments
            return unsafe { next::bind(fd, address, length) };
        };
        // SAFETY: an address of that length, as for bind
        let Some(asked) = (unsafe { netlink::port_id_of(address, length) }) else { return errno::fail(libc::EINVAL) };
        // a socket that has its address keeps it, as with the kernel
        if entry.port_id != 0 && asked != 0 && asked != entry.port_id {
            return errno::fail(libc::EINVAL);
        }
        if entry.port_id == 0 {
            tracked::set_port_id(entry, if asked == 0 { director::own_port_id() } else { asked });
        }
        0
    }

    fn connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
        if tracked::find_director(fd).is_some() {
            return 0;
        }
        // SAFETY: the caller's arguments
        unsafe { next::connect(fd, address, length) }
    }

    fn getsockname(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int {
        match tracked::find_director(fd) {
            // SAFETY: as for getsockname
            Some(entry) => unsafe { name(entry.port_id, address, length) },
            // SAFETY: the caller's arguments
            None => unsafe { next::getsockname(fd, address, length) },
        }
    }

    fn getpeername(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int {
        match tracked::find_director(fd) {
            // SAFETY: as for getpeername
            Some(Entry { .. }) => unsafe { name(0, address, length) },
            // SAFETY: the caller's arguments
            None => unsafe { next::getpeername(fd, address, length) },
        }
    }
}

/// # Safety
/// Null, or a length and that many bytes to write.
unsafe fn name(port_id: u32, address: *mut sockaddr, length: *mut socklen_t) -> c_int {
    if address.is_null() || length.is_null() {
        return errno::fail(libc::EFAULT);
    }
    // SAFETY: not null, so as the caller promised
    unsafe { netlink::write_address(port_id, address, length) };
    0
}
