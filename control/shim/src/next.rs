//! libc's own functions: those that come next after this library's.

#![expect(unsafe_code, reason = "functions by name, from the loader")]

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{
    FILE, c_char, c_int, c_uint, c_ulong, c_void, iovec, mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t,
    stat as Status, statx as StatusX, timespec,
};

/// For each function: an unsafe one of the same name that calls the next definition, with C's rules for its arguments.
/// One that libc does not have fails with `ENOSYS`. What stands after a semicolon is passed as C passes `...`.
macro_rules! next {
    ($($name:ident($($argument:ident: $type:ty),* $(; $rest:ident: $rest_type:ty)?) -> $result:ty = $failed:expr;)*) => {
        #[allow(non_upper_case_globals, reason = "named like the functions")]
        mod address {
            use super::*;
            $(pub(super) static $name: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());)*
        }

        #[allow(non_upper_case_globals, reason = "named like the functions")]
        mod name {
            use super::CStr;
            $(pub(super) const $name: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => c"",
            };)*
        }

        /// Looks up all of them: the loader's lock and memory may not be taken in a signal handler.
        pub(crate) fn resolve_all() {
            $(resolve(&address::$name, name::$name);)*
        }

        $(pub(crate) unsafe fn $name($($argument: $type),* $(, $rest: $rest_type)?) -> $result {
            let address = resolve(&address::$name, name::$name);
            if address.is_null() {
                crate::errno::set(libc::ENOSYS);
                return $failed;
            }
            next!(@type Function, ($($type),*) $(, $rest_type)?, $result);
            // SAFETY: the function of that name in libc, whose type this is
            let function = unsafe { std::mem::transmute::<*mut c_void, Function>(address) };
            // SAFETY: the caller's arguments, as the caller gave them
            unsafe { function($($argument),* $(, $rest)?) }
        })*
    };
    (@type $name:ident, ($($type:ty),*), $result:ty) => {
        type $name = unsafe extern "C" fn($($type),*) -> $result;
    };
    (@type $name:ident, ($($type:ty),*), $rest:ty, $result:ty) => {
        type $name = unsafe extern "C" fn($($type),*, ...) -> $result;
    };
}

next! {
    socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int = -1;
    bind(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int = -1;
    connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int = -1;
    getsockname(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int = -1;
    getpeername(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int = -1;
    getsockopt(fd: c_int, level: c_int, option: c_int, value: *mut c_void, length: *mut socklen_t) -> c_int = -1;
    setsockopt(fd: c_int, level: c_int, option: c_int, value: *const c_void, length: socklen_t) -> c_int = -1;
    send(fd: c_int, data: *const c_void, length: size_t, flags: c_int) -> ssize_t = -1;
    sendto(
        fd: c_int, data: *const c_void, length: size_t, flags: c_int, to: *const sockaddr, to_length: socklen_t
    ) -> ssize_t = -1;
    sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t = -1;
    sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int = -1;
    write(fd: c_int, data: *const c_void, length: size_t) -> ssize_t = -1;
    writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t = -1;
    recv(fd: c_int, data: *mut c_void, length: size_t, flags: c_int) -> ssize_t = -1;
    recvfrom(
        fd: c_int, data: *mut c_void, length: size_t, flags: c_int, from: *mut sockaddr, from_length: *mut socklen_t
    ) -> ssize_t = -1;
    recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t = -1;
    recvmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec) -> c_int = -1;
    __recv_chk(fd: c_int, data: *mut c_void, length: size_t, room: size_t, flags: c_int) -> ssize_t = -1;
    __recvfrom_chk(
        fd: c_int, data: *mut c_void, length: size_t, room: size_t, flags: c_int, from: *mut sockaddr,
        from_length: *mut socklen_t
    ) -> ssize_t = -1;
    close(fd: c_int) -> c_int = -1;
    dup(fd: c_int) -> c_int = -1;
    dup2(old: c_int, new: c_int) -> c_int = -1;
    dup3(old: c_int, new: c_int, flags: c_int) -> c_int = -1;
    fcntl(fd: c_int, command: c_int; argument: c_ulong) -> c_int = -1;
    open(path: *const c_char, flags: c_int; mode: c_uint) -> c_int = -1;
    open64(path: *const c_char, flags: c_int; mode: c_uint) -> c_int = -1;
    openat(folder: c_int, path: *const c_char, flags: c_int; mode: c_uint) -> c_int = -1;
    openat64(folder: c_int, path: *const c_char, flags: c_int; mode: c_uint) -> c_int = -1;
    __open_2(path: *const c_char, flags: c_int) -> c_int = -1;
    __open64_2(path: *const c_char, flags: c_int) -> c_int = -1;
    __openat_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int = -1;
    __openat64_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int = -1;
    fopen(path: *const c_char, mode: *const c_char) -> *mut FILE = ptr::null_mut();
    fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE = ptr::null_mut();
    fdopen(fd: c_int, mode: *const c_char) -> *mut FILE = ptr::null_mut();
    access(path: *const c_char, mode: c_int) -> c_int = -1;
    eaccess(path: *const c_char, mode: c_int) -> c_int = -1;
    euidaccess(path: *const c_char, mode: c_int) -> c_int = -1;
    faccessat(folder: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int = -1;
    stat(path: *const c_char, status: *mut Status) -> c_int = -1;
    stat64(path: *const c_char, status: *mut Status) -> c_int = -1;
    lstat(path: *const c_char, status: *mut Status) -> c_int = -1;
    lstat64(path: *const c_char, status: *mut Status) -> c_int = -1;
    fstatat(folder: c_int, path: *const c_char, status: *mut Status, flags: c_int) -> c_int = -1;
    fstatat64(folder: c_int, path: *const c_char, status: *mut Status, flags: c_int) -> c_int = -1;
    statx(folder: c_int, path: *const c_char, flags: c_int, mask: c_uint, status: *mut StatusX) -> c_int = -1;
}

/// The address that was found, else looked up now: a library that was loaded earlier may call us before our constructor.
#[inline]
fn resolve(known: &AtomicPtr<c_void>, name: &CStr) -> *mut c_void {
    let address = known.load(Ordering::Relaxed);
    if address.is_null() { look_up(known, name) } else { address }
}

#[cold]
fn look_up(known: &AtomicPtr<c_void>, name: &CStr) -> *mut c_void {
    // SAFETY: a C string
    let address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    known.store(address, Ordering::Relaxed);
    address
}
