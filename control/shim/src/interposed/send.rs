//! Sending: where a request decides whose a generic-netlink socket is.

#![expect(unsafe_code, reason = "functions of C")]

use std::{mem, ptr};

use libc::{c_int, c_uint, c_void, iovec, mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use crate::table::{Entry, LONGEST_REQUEST, Side};
use crate::{director, errno, netlink, next, tracked};

/// As much of what is sent as is looked at: requests for families are shorter.
const LOOKED_AT: usize = 512;

interpose! {
    fn send(fd: c_int, data: *const c_void, length: size_t, flags: c_int) -> ssize_t {
        // SAFETY: as for send
        match unsafe { divert(fd, &part(data, length), 1, flags) } {
            Some(sent) => sent,
            // SAFETY: the caller's arguments
            None => unsafe { next::send(fd, data, length, flags) },
        }
    }

    fn sendto(
        fd: c_int, data: *const c_void, length: size_t, flags: c_int, to: *const sockaddr, to_length: socklen_t,
    ) -> ssize_t {
        // SAFETY: as for sendto
        match unsafe { divert(fd, &part(data, length), 1, flags) } {
            Some(sent) => sent,
            // SAFETY: the caller's arguments
            None => unsafe { next::sendto(fd, data, length, flags, to, to_length) },
        }
    }

    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
        // SAFETY: null or a message, as for sendmsg
        let diverted = unsafe { message.as_ref() }.and_then(|message| {
            // SAFETY: the parts of a message
            unsafe { divert(fd, message.msg_iov, message.msg_iovlen, flags) }
        });
        match diverted {
            Some(sent) => sent,
            // SAFETY: the caller's arguments
            None => unsafe { next::sendmsg(fd, message, flags) },
        }
    }

    fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
        if tracked::find(fd).is_none() {
            // SAFETY: the caller's arguments
            return unsafe { next::sendmmsg(fd, messages, count, flags) };
        }
        let mut sent = 0;
        while (sent as c_uint) < count {
            // SAFETY: one of `count` messages
            let message = unsafe { messages.add(sent as usize) };
            // SAFETY: as above, written by nobody else during the call
            let message = unsafe { &mut *message };
            // SAFETY: a message of the caller's
            let length = unsafe { sendmsg(fd, &raw const message.msg_hdr, flags) };
            if length < 0 {
                return if sent == 0 { -1 } else { sent };
            }
            message.msg_len = length as c_uint;
            sent += 1;
        }
        sent
    }

    fn write(fd: c_int, data: *const c_void, length: size_t) -> ssize_t {
        // SAFETY: as for write
        match unsafe { divert(fd, &part(data, length), 1, 0) } {
            Some(sent) => sent,
            // SAFETY: the caller's arguments
            None => unsafe { next::write(fd, data, length) },
        }
    }

    fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
        // SAFETY: as for writev
        match unsafe { divert(fd, parts, usize::try_from(count).unwrap_or(0), 0) } {
            Some(sent) => sent,
            // SAFETY: the caller's arguments
            None => unsafe { next::writev(fd, parts, count) },
        }
    }
}

fn part(data: *const c_void, length: size_t) -> iovec {
    iovec { iov_base: data.cast_mut(), iov_len: length }
}

/// Sends to ulvsd if that is where this belongs; `None`: libc shall send it.
///
/// # Safety
/// `count` parts that can be read, as for `writev`.
#[inline]
unsafe fn divert(fd: c_int, parts: *const iovec, count: usize, flags: c_int) -> Option<ssize_t> {
    let entry = tracked::find(fd)?;
    // SAFETY: as promised by the caller
    unsafe { divert_found(fd, entry, parts, count, flags) }
}

/// # Safety
/// As for [`divert`].
#[cold]
unsafe fn divert_found(fd: c_int, entry: Entry, parts: *const iovec, count: usize, flags: c_int) -> Option<ssize_t> {
    if entry.side == Side::Kernel {
        let mut head = [0; LOOKED_AT];
        // SAFETY: as promised by the caller
        let length = unsafe { gather(parts, count, &mut head) };
        if !netlink::asks_for_ipvs(head.get(..length).unwrap_or_default()) {
            return None;
        }
        if let Err(error) = director::adopt(fd, entry) {
            return Some(errno::fail(error) as ssize_t);
        }
    } else if entry.port_id == 0 {
        tracked::set_port_id(entry, director::own_port_id());
    }
    // SAFETY: zeros are a message without name and control data: both would be netlink's
    let mut message: msghdr = unsafe { mem::zeroed() };
    message.msg_iov = parts.cast_mut();
    message.msg_iovlen = count;
    // writing to a netlink socket never raises a signal
    let flags = flags | libc::MSG_NOSIGNAL;
    // SAFETY: the caller's parts
    let sent = unsafe { send_request(fd, &message, flags) };
    if sent >= 0 || !matches!(errno::get(), libc::EPIPE | libc::ECONNRESET | libc::ENOTCONN | libc::ECONNREFUSED) {
        return Some(sent);
    }
    let entry = tracked::find_director(fd)?;
    if let Err(error) = director::reconnect(fd, entry) {
        return Some(errno::fail(error) as ssize_t);
    }
    // SAFETY: the caller's parts
    Some(unsafe { send_request(fd, &message, flags) })
}

/// Sends, and keeps what was sent until it is answered.
///
/// # Safety
/// As for `sendmsg`.
unsafe fn send_request(fd: c_int, message: &msghdr, flags: c_int) -> ssize_t {
    let mut request = [0; LONGEST_REQUEST + 1];
    // SAFETY: as promised by the caller
    let length = unsafe { gather(message.msg_iov, message.msg_iovlen, &mut request) };
    // SAFETY: as promised by the caller
    let sent = unsafe { next::sendmsg(fd, message, flags) };
    let request = request.get(..length).unwrap_or_default();
    if sent >= 0
        && let Some(sequence) = netlink::sequence_of(request)
    {
        tracked::set_asked(fd, sequence, request, 0);
    }
    sent
}

/// Copies the beginning of what is sent, and tells how much that is.
///
/// # Safety
/// `count` parts that can be read.
unsafe fn gather(parts: *const iovec, count: usize, head: &mut [u8]) -> usize {
    let mut length = 0;
    for index in 0..if parts.is_null() { 0 } else { count } {
        // SAFETY: one of `count` parts
        let part = unsafe { parts.add(index) };
        // SAFETY: as above
        let part = unsafe { ptr::read(part) };
        let room = head.get_mut(length..).unwrap_or_default();
        let more = part.iov_len.min(room.len());
        if part.iov_base.is_null() || more == 0 {
            continue;
        }
        // SAFETY: the part has that many bytes, and there is room for them
        unsafe { ptr::copy_nonoverlapping(part.iov_base.cast::<u8>(), room.as_mut_ptr(), more) };
        length += more;
    }
    length
}
