//! `libulvs_shim.so`: a program that has it preloaded finds ulvs where it looks for the kernel's IPVS.
//!
//! ipvsadm and keepalived speak generic netlink. A generic-netlink socket stays the kernel's until a request for the
//! family `IPVS` is sent on it; then a connection to ulvsd (unix, `SEQPACKET`: messages keep their bounds) takes its
//! place under the same number, and the request goes there. So a socket of any other family, and any other socket, is
//! never touched, and the kernel's own IPVS cannot be reached: its socket options are refused too, and opening one of
//! `/proc/net/ip_vs*` connects to a socket of ulvsd's that tells what the file would say.
//!
//! | module | what it does |
//! |---|---|
//! | `interposed` | the functions that are called instead of libc's |
//! | `next` | libc's own |
//! | `tracked`, `table` | which descriptors are generic-netlink sockets, and whose |
//! | `director` | connects to ulvsd, puts the connection in a socket's place |
//! | `netlink` | what has to be known of messages and addresses |
//! | `proc_net` | which paths are ours, and opening what stands for them |
//!
//! What is called from a signal handler, between `fork` and `exec`, or by any thread, must do no more here than it would
//! in libc: no lock, no allocation after the library was loaded, no panic. Unknown state is never trusted: a descriptor
//! counts as ours only while its inode is the one that was remembered.

#![cfg_attr(test, allow(dead_code, reason = "the unit tests do not replace their own libc"))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "C gives one number several types: lengths, results and constants fit by their meaning"
)]

#[cfg(not(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "the shim knows glibc on x86-64 and aarch64: there `open` and `fcntl` may be defined with fixed arguments"
);

mod director;
mod errno;
mod interposed;
mod netlink;
mod next;
mod proc_net;
mod settings;
mod table;
mod tracked;

/// Does everything that may allocate or lock, before the program's `main`.
extern "C" fn loaded() {
    next::resolve_all();
    settings::read();
    tracked::follow_forks();
}

#[cfg(not(test))]
#[used]
// SAFETY: the loader calls every pointer of this section once, with arguments that a C function may ignore
#[expect(unsafe_code, reason = "a constructor is a pointer in a section")]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = loaded;
