//! Connections to ulvsd, and how one takes the place of a netlink socket.

#![expect(unsafe_code, reason = "system calls on a program's descriptors")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::{mem, ptr};

use libc::{c_int, c_void, sockaddr_nl, sockaddr_un, socklen_t, timeval};

use crate::table::{Entry, LONGEST_REQUEST, Request, Side};
use crate::{errno, netlink, next, settings, tracked};

/// How long an ulvsd that accepts nobody is waited for.
const PATIENCE: timeval = timeval { tv_sec: 5, tv_usec: 0 };
/// Whether this process, or one it was forked from, was connected to an ulvsd.
static HAD_ONE: AtomicBool = AtomicBool::new(false);
/// How long the next ulvsd is waited for by a program that had one.
const RESTART_MS: libc::c_long = 30_000;
const PAUSE_MS: libc::c_long = 50;
/// How often a request is sent again: one that ends every ulvsd must not do so for ever.
const MOST_AGAIN: u8 = 4;

/// A generic-netlink socket where the kernel gives none (a sandbox without netlink): a connection from the beginning.
pub(crate) fn open(kind: c_int) -> Result<c_int, c_int> {
    let fd = connect(libc::SOCK_SEQPACKET, settings::socket().to_bytes_with_nul()).map_err(absent)?;
    if kind & libc::SOCK_NONBLOCK != 0 {
        set_flags(fd, libc::O_NONBLOCK);
    }
    if kind & libc::SOCK_CLOEXEC == 0 {
        // SAFETY: our own descriptor
        unsafe { next::fcntl(fd, libc::F_SETFD, 0) };
    }
    if tracked::remember(fd, Side::Director, 0) {
        return Ok(fd);
    }
    close(fd);
    Err(libc::ENOMEM)
}

/// Makes the kernel's socket `fd` a connection to ulvsd, with the address, flags and timeouts it had. Everything that
/// would be answered by the kernel on this socket is gone: it asked for IPVS.
pub(crate) fn adopt(fd: c_int, entry: Entry) -> Result<(), c_int> {
    replace(fd, entry, port_id_by_kernel(fd))
}

/// Connects again after ulvsd was started anew: a netlink socket does not die, and keepalived keeps one for its life.
pub(crate) fn reconnect(fd: c_int, entry: Entry) -> Result<(), c_int> {
    replace(fd, entry, entry.port_id)
}

/// Sends a request again whose answer the end of ulvsd has cut off: to the next one, which is waited for. False: nobody waits on
/// this socket, there is no other ulvsd, or none that outlives the request.
///
/// What the request wanted may be done already: then the answer is that it is there, or no longer there.
pub(crate) fn ask_again(fd: c_int, entry: Entry, asked: Request, bytes: &[u8; LONGEST_REQUEST]) -> bool {
    let Some(again) = asked.again.filter(|again| *again < MOST_AGAIN) else { return false };
    if flags(fd) & libc::O_NONBLOCK != 0 {
        return false;
    }
    // who was killed may still seem to listen
    pause();
    if reconnect(fd, entry).is_err() {
        return false;
    }
    let request = bytes.get(..asked.length).unwrap_or_default();
    // SAFETY: bytes and their length; where this fails, receiving does
    unsafe { next::send(fd, request.as_ptr().cast(), request.len(), libc::MSG_NOSIGNAL) };
    tracked::set_asked(fd, asked.sequence, request, again + 1);
    true
}

fn pause() {
    let pause = libc::timespec { tv_sec: 0, tv_nsec: PAUSE_MS * 1_000_000 };
    // SAFETY: a time; one that a signal ends is a shorter pause
    unsafe { libc::nanosleep(&raw const pause, ptr::null_mut()) };
}

/// A connection for the socket `fd`.
///
/// A program that had one already waits for the next ulvsd, unless its socket may not: what it would change would be lost
/// otherwise, or the program would end, as keepalived does at a reload. The next ulvsd has the services of the one before,
/// and nothing is forwarded meanwhile that could need the program.
fn connect_for(fd: c_int) -> Result<c_int, c_int> {
    let waits = HAD_ONE.load(Ordering::Relaxed) && flags(fd) & libc::O_NONBLOCK == 0;
    let mut pauses = if waits { RESTART_MS / PAUSE_MS } else { 0 };
    loop {
        match connect(libc::SOCK_SEQPACKET, settings::socket().to_bytes_with_nul()).map_err(absent) {
            Err(libc::ECONNREFUSED) if pauses > 0 => {}
            Ok(new) => {
                HAD_ONE.store(true, Ordering::Relaxed);
                return Ok(new);
            }
            Err(error) => return Err(error),
        }
        pauses -= 1;
        pause();
    }
}

fn flags(fd: c_int) -> c_int {
    // SAFETY: a descriptor of the program's, which is in a call with it
    unsafe { next::fcntl(fd, libc::F_GETFL, 0) }.max(0)
}

fn replace(fd: c_int, entry: Entry, port_id: u32) -> Result<(), c_int> {
    let new = connect_for(fd)?;
    if flags(fd) & libc::O_NONBLOCK != 0 {
        set_flags(new, libc::O_NONBLOCK);
    }
    for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
        set_timeout(new, option, timeout(fd, option));
    }
    let mut outcome = Err(libc::EBADF);
    tracked::for_each_of(entry, |name| {
        let replaced = rename(new, name);
        if replaced.is_ok() && !tracked::remember(name, Side::Director, port_id) {
            // it has its slot already, so this cannot be
            tracked::closing(name);
        }
        if name == fd {
            outcome = replaced;
        }
    });
    close(new);
    outcome
}

/// Puts `new` under the number `name`, which stays closed or open at exec as it was.
fn rename(new: c_int, name: c_int) -> Result<(), c_int> {
    // SAFETY: asks for the flags of a descriptor
    let flags = unsafe { next::fcntl(name, libc::F_GETFD, 0) };
    let cloexec = if flags & libc::FD_CLOEXEC == 0 { 0 } else { libc::O_CLOEXEC };
    loop {
        // SAFETY: both are open; what `name` was is the socket that is given up
        if unsafe { next::dup3(new, name, cloexec) } >= 0 {
            return Ok(());
        }
        if errno::get() != libc::EINTR {
            return Err(errno::get());
        }
    }
}

/// No socket there is as good as nobody behind it.
fn absent(error: c_int) -> c_int {
    if error == libc::ENOENT { libc::ECONNREFUSED } else { error }
}

/// A blocking connection to the socket at `path`, which ends with a NUL; it is closed at exec.
pub(crate) fn connect(kind: c_int, path: &[u8]) -> Result<c_int, c_int> {
    let (address, length) = address(path).ok_or(libc::ENAMETOOLONG)?;
    // SAFETY: plain numbers
    let fd = unsafe { next::socket(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(errno::get());
    }
    set_timeout(fd, libc::SO_SNDTIMEO, PATIENCE);
    loop {
        // SAFETY: an address and its length
        if unsafe { next::connect(fd, (&raw const address).cast(), length) } == 0 {
            break;
        }
        let error = errno::get();
        if error == libc::EINTR {
            continue;
        }
        close(fd);
        return Err(error);
    }
    set_timeout(fd, libc::SO_SNDTIMEO, timeval { tv_sec: 0, tv_usec: 0 });
    Ok(fd)
}

/// None: the path is too long for an address.
fn address(path: &[u8]) -> Option<(sockaddr_un, socklen_t)> {
    // SAFETY: plain numbers, for which zeros are valid
    let mut address: sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in address.sun_path.get_mut(..path.len())?.iter_mut().zip(path) {
        *to = from.cast_signed() as libc::c_char;
    }
    Some((address, size_of::<sockaddr_un>() as socklen_t))
}

/// The port id the kernel knows the socket by; bound now if it was not yet, as sending on it would do.
fn port_id_by_kernel(fd: c_int) -> u32 {
    let known = name(fd);
    if known != 0 {
        return known;
    }
    let any = netlink::address(0);
    // SAFETY: an address and its length
    unsafe { next::bind(fd, (&raw const any).cast(), netlink::ADDRESS_LENGTH) };
    match name(fd) {
        0 => own_port_id(),
        bound => bound,
    }
}

/// What the kernel gives to a process's first socket.
pub(crate) fn own_port_id() -> u32 {
    // SAFETY: always succeeds
    unsafe { libc::getpid() }.cast_unsigned()
}

fn name(fd: c_int) -> u32 {
    let mut address = netlink::address(0);
    let mut length = size_of::<sockaddr_nl>() as socklen_t;
    // SAFETY: an address and its length; a failure leaves port id 0
    unsafe { next::getsockname(fd, (&raw mut address).cast(), &raw mut length) };
    address.nl_pid
}

fn timeout(fd: c_int, option: c_int) -> timeval {
    let mut value = timeval { tv_sec: 0, tv_usec: 0 };
    let mut length = size_of::<timeval>() as socklen_t;
    let to = (&raw mut value).cast::<c_void>();
    // SAFETY: a time and its length; a failure leaves "no timeout"
    unsafe { next::getsockopt(fd, libc::SOL_SOCKET, option, to, &raw mut length) };
    value
}

fn set_timeout(fd: c_int, option: c_int, value: timeval) {
    let from = (&raw const value).cast::<c_void>();
    // SAFETY: a time and its length
    unsafe { next::setsockopt(fd, libc::SOL_SOCKET, option, from, size_of::<timeval>() as socklen_t) };
}

pub(crate) fn set_flags(fd: c_int, flags: c_int) {
    // SAFETY: our own descriptor
    unsafe { next::fcntl(fd, libc::F_SETFL, libc::c_ulong::from(flags.cast_unsigned())) };
}

fn close(fd: c_int) {
    // SAFETY: our own descriptor
    unsafe { next::close(fd) };
}
