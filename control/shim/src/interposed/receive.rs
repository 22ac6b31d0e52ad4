//! Receiving from ulvsd as from the kernel: the sender is port id 0, and there is no end.

#![expect(unsafe_code, reason = "functions of C")]

use std::{mem, ptr};

use libc::{c_int, c_uint, c_void, iovec, mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t, timespec};

use crate::table::LONGEST_REQUEST;
use crate::{director, errno, netlink, next, tracked};

interpose! {
    fn recv(fd: c_int, data: *mut c_void, length: size_t, flags: c_int) -> ssize_t {
        if tracked::find_director(fd).is_none() {
            // SAFETY: the caller's arguments
            return unsafe { next::recv(fd, data, length, flags) };
        }
        // SAFETY: as for recv; an address is not asked for
        unsafe { take(fd, data, length, flags, ptr::null_mut(), ptr::null_mut()) }
    }

    fn recvfrom(
        fd: c_int, data: *mut c_void, length: size_t, flags: c_int, from: *mut sockaddr, from_length: *mut socklen_t,
    ) -> ssize_t {
        if tracked::find_director(fd).is_none() {
            // SAFETY: the caller's arguments
            return unsafe { next::recvfrom(fd, data, length, flags, from, from_length) };
        }
        // SAFETY: as for recvfrom
        unsafe { take(fd, data, length, flags, from, from_length) }
    }

    /// What `recv` is compiled to with `_FORTIFY_SOURCE`.
    fn __recv_chk(fd: c_int, data: *mut c_void, length: size_t, room: size_t, flags: c_int) -> ssize_t {
        if tracked::find_director(fd).is_none() || length > room {
            // SAFETY: the caller's arguments
            return unsafe { next::__recv_chk(fd, data, length, room, flags) };
        }
        // SAFETY: as for recv; an address is not asked for
        unsafe { take(fd, data, length, flags, ptr::null_mut(), ptr::null_mut()) }
    }

    /// What `recvfrom` is compiled to with `_FORTIFY_SOURCE`.
    fn __recvfrom_chk(
        fd: c_int, data: *mut c_void, length: size_t, room: size_t, flags: c_int, from: *mut sockaddr,
        from_length: *mut socklen_t,
    ) -> ssize_t {
        if tracked::find_director(fd).is_none() || length > room {
            // SAFETY: the caller's arguments
            return unsafe { next::__recvfrom_chk(fd, data, length, room, flags, from, from_length) };
        }
        // SAFETY: as for recvfrom
        unsafe { take(fd, data, length, flags, from, from_length) }
    }

    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
        if message.is_null() || tracked::find_director(fd).is_none() {
            // SAFETY: the caller's arguments
            return unsafe { next::recvmsg(fd, message, flags) };
        }
        // SAFETY: a message, as for recvmsg, of this thread's during the call
        let asked = unsafe { &mut *message };
        let mut plain = msghdr { msg_name: ptr::null_mut(), msg_namelen: 0, ..*asked };
        // SAFETY: the caller's parts and control data
        let length = unsafe { without_end(fd, &mut plain, flags) };
        if length < 0 {
            return length;
        }
        (asked.msg_controllen, asked.msg_flags) = (plain.msg_controllen, plain.msg_flags);
        if asked.msg_name.is_null() {
            asked.msg_namelen = 0;
        } else {
            // SAFETY: the caller's room for an address, and its length
            unsafe { netlink::write_address(0, asked.msg_name.cast(), &raw mut asked.msg_namelen) };
        }
        length
    }

    /// From ulvsd one message at a time, which a caller has to expect.
    fn recvmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec) -> c_int {
        if messages.is_null() || count == 0 || tracked::find_director(fd).is_none() {
            // SAFETY: the caller's arguments
            return unsafe { next::recvmmsg(fd, messages, count, flags, timeout) };
        }
        // SAFETY: at least one message
        let first = unsafe { &mut *messages };
        // SAFETY: a message of the caller's; the flag is recvmmsg's own
        let length = unsafe { recvmsg(fd, &raw mut first.msg_hdr, flags & !libc::MSG_WAITFORONE) };
        if length < 0 {
            return -1;
        }
        first.msg_len = length as c_uint;
        1
    }
}

/// # Safety
/// As for `recvfrom`.
unsafe fn take(
    fd: c_int,
    data: *mut c_void,
    length: size_t,
    flags: c_int,
    from: *mut sockaddr,
    from_length: *mut socklen_t,
) -> ssize_t {
    let mut part = iovec { iov_base: data, iov_len: length };
    // SAFETY: zeros are a message without name and control data
    let mut message: msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: the caller's room
    let received = unsafe { without_end(fd, &mut message, flags) };
    if received >= 0 && !from.is_null() && !from_length.is_null() {
        // SAFETY: the caller's room for an address, and its length
        unsafe { netlink::write_address(0, from, from_length) };
    }
    received
}

/// Receives. A netlink socket has no end and no request without an answer: clients would take "nothing" for "not yet", and some
/// (keepalived) an error as well, and ask again without a pause. So where the connection ends, the next ulvsd is asked; where
/// that can't be, the request is refused. Only who has asked nothing sees an error.
///
/// # Safety
/// As for `recvmsg`.
unsafe fn without_end(fd: c_int, message: &mut msghdr, flags: c_int) -> ssize_t {
    loop {
        // SAFETY: the caller's message
        let length = unsafe { next::recvmsg(fd, message, flags) };
        // with no room, nothing is what was asked for
        let has_ended = match length {
            0 => flags & libc::MSG_TRUNC != 0 || message.msg_iovlen > 0,
            1.. => false,
            _ => errno::get() == libc::ECONNRESET,
        };
        if !has_ended {
            if length > 0 && flags & libc::MSG_PEEK == 0 {
                tracked::answered(fd);
            }
            return length;
        }
        let mut request = [0; LONGEST_REQUEST];
        let (Some(entry), Some(asked)) = (tracked::find_director(fd), tracked::asked(fd, &mut request)) else {
            return errno::fail(libc::ECONNRESET) as ssize_t;
        };
        if flags & libc::MSG_DONTWAIT == 0 && director::ask_again(fd, entry, asked, &request) {
            continue;
        }
        if flags & libc::MSG_PEEK == 0 {
            tracked::refused(fd);
        }
        let refusal = netlink::refusal(asked.sequence, entry.port_id, libc::EBUSY);
        // SAFETY: the caller's message
        return unsafe { fill(message, &refusal, flags) };
    }
}

/// As if this had been received.
///
/// # Safety
/// As for `recvmsg`.
unsafe fn fill(message: &mut msghdr, bytes: &[u8], flags: c_int) -> ssize_t {
    let mut left = bytes;
    for index in 0..if message.msg_iov.is_null() { 0 } else { message.msg_iovlen } {
        // SAFETY: one of the caller's parts
        let part = unsafe { message.msg_iov.add(index) };
        // SAFETY: as above, and written by nobody else during the call
        let part = unsafe { part.read() };
        let (now, later) = left.split_at(left.len().min(part.iov_len));
        if !now.is_empty() {
            // SAFETY: the part has that much room
            unsafe { ptr::copy_nonoverlapping(now.as_ptr(), part.iov_base.cast(), now.len()) };
        }
        left = later;
    }
    (message.msg_controllen, message.msg_flags) = (0, if left.is_empty() { 0 } else { libc::MSG_TRUNC });
    let all = if flags & libc::MSG_TRUNC == 0 { bytes.len() - left.len() } else { bytes.len() };
    all as ssize_t
}
