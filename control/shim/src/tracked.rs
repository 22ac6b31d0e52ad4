//! This process's generic-netlink sockets.

#![expect(unsafe_code, reason = "asks the kernel about descriptors")]

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::c_int;

use crate::errno;
use crate::table::{Entry, LONGEST_REQUEST, Request, Side, Table};

static TABLE: Table = Table::new();

/// The process whose memory the table is in: another one runs on it between `vfork` and `exec`, where closing a
/// descriptor must not be seen by the parent. Written when the library is loaded and after each `fork`.
static OWNER: AtomicI32 = AtomicI32::new(0);

pub(crate) fn follow_forks() {
    own();
    // SAFETY: a function that stays loaded: libraries that are preloaded never go
    unsafe { libc::pthread_atfork(None, None, Some(own)) };
}

extern "C" fn own() {
    // SAFETY: always succeeds
    OWNER.store(unsafe { libc::getpid() }, Ordering::Relaxed);
}

fn is_own() -> bool {
    // SAFETY: always succeeds
    OWNER.load(Ordering::Relaxed) == unsafe { libc::getpid() }
}

/// The socket behind `fd`, if it is one of those followed here. For all others this is one load and a comparison.
///
/// libc closes descriptors by ways that cannot be seen (`fclose`, `close_range`, `posix_spawn`): the inode decides.
#[inline]
pub(crate) fn find(fd: c_int) -> Option<Entry> {
    TABLE.entry(fd).and_then(|entry| verified(fd, entry))
}

#[cold]
fn verified(fd: c_int, entry: Entry) -> Option<Entry> {
    if inode(fd) == Some(entry.inode) {
        return Some(entry);
    }
    if is_own() {
        TABLE.forget_stale(fd, entry.inode);
    }
    None
}

/// The socket behind `fd`, if ulvsd is at its other end.
#[inline]
pub(crate) fn find_director(fd: c_int) -> Option<Entry> {
    find(fd).filter(|entry| entry.side == Side::Director)
}

/// False: it cannot be followed, so it must not be used.
pub(crate) fn remember(fd: c_int, side: Side, port_id: u32) -> bool {
    inode(fd).is_some_and(|inode| TABLE.remember(fd, Entry { inode, side, port_id }))
}

/// Gives the socket of `entry` its netlink address, under all its descriptors.
pub(crate) fn set_port_id(entry: Entry, port_id: u32) {
    TABLE.for_each_of(entry.inode, |fd| {
        TABLE.remember(fd, Entry { port_id, ..entry });
    });
}

/// A request was sent to ulvsd by `fd`, and so often again.
pub(crate) fn set_asked(fd: c_int, sequence: u32, request: &[u8], again: u8) {
    TABLE.set_asked(fd, sequence, request, again);
}

/// Something of ulvsd's was received by `fd`.
#[inline]
pub(crate) fn answered(fd: c_int) {
    TABLE.answered(fd);
}

/// The last request of `fd`'s, if it was not refused.
pub(crate) fn asked(fd: c_int, bytes: &mut [u8; LONGEST_REQUEST]) -> Option<Request> {
    TABLE.asked(fd, bytes)
}

/// The last request of `fd`'s was refused.
pub(crate) fn refused(fd: c_int) {
    TABLE.refused(fd);
}

/// Before `fd` is closed.
pub(crate) fn closing(fd: c_int) {
    if TABLE.entry(fd).is_some() && is_own() {
        TABLE.forget(fd);
    }
}

/// After `new` was made another name of `old`.
pub(crate) fn duplicated(old: c_int, new: c_int) {
    match find(old) {
        Some(entry) if old != new && is_own() => {
            TABLE.remember(new, entry);
        }
        Some(_) => {}
        None => closing(new),
    }
}

/// The descriptors that are the socket of `entry` now.
pub(crate) fn for_each_of(entry: Entry, mut each: impl FnMut(c_int)) {
    TABLE.for_each_of(entry.inode, |fd| {
        if inode(fd) == Some(entry.inode) {
            each(fd);
        }
    });
}

/// The inode of an open socket. `errno` stays.
fn inode(fd: c_int) -> Option<u64> {
    let before = errno::get();
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: room for one status
    let result = unsafe { libc::fstat(fd, status.as_mut_ptr()) };
    errno::set(before);
    if result != 0 {
        return None;
    }
    // SAFETY: fstat succeeded and wrote all of it
    let status = unsafe { status.assume_init() };
    (status.st_mode & libc::S_IFMT == libc::S_IFSOCK).then_some(status.st_ino)
}
