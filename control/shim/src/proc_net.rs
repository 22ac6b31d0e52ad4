//! The files of IPVS under `/proc/net`: for each, ulvsd has a socket that tells what the file would say.

#![expect(unsafe_code, reason = "system calls")]

use std::ffi::CStr;

use libc::{c_int, c_void};

use crate::{director, next};

const FOLDERS: [&[u8]; 3] = [b"/proc/net/", b"/proc/self/net/", b"/proc/thread-self/net/"];
const NAMES: [&[u8]; 5] = [b"ip_vs", b"ip_vs_conn", b"ip_vs_conn_sync", b"ip_vs_stats", b"ip_vs_stats_percpu"];

/// A path that was put together without the allocator.
pub(crate) struct Path {
    bytes: [u8; libc::PATH_MAX as usize],
    length: usize,
}

/// The socket that stands for `path`; none for a path that is not of IPVS.
pub(crate) fn socket(path: &[u8], folder: &CStr) -> Option<Path> {
    let name = FOLDERS.iter().find_map(|folder| path.strip_prefix(*folder))?;
    if !NAMES.contains(&name) {
        return None;
    }
    let mut socket = Path { bytes: [0; libc::PATH_MAX as usize], length: 0 };
    for part in [folder.to_bytes(), b"/", name, b".sock\0"] {
        socket.bytes.get_mut(socket.length..)?.get_mut(..part.len())?.copy_from_slice(part);
        socket.length += part.len();
    }
    Some(socket)
}

/// Opens the file behind the socket: a descriptor to read from, to the end. Never the kernel's file: it tells of the
/// kernel's IPVS. Without ulvsd there is none, as without IPVS in the kernel.
pub(crate) fn open(socket: &Path, flags: c_int) -> Result<c_int, c_int> {
    if flags & libc::O_ACCMODE != libc::O_RDONLY {
        return Err(libc::EACCES);
    }
    let fd =
        director::connect(libc::SOCK_STREAM, socket.as_c_str().to_bytes_with_nul()).map_err(|error| match error {
            libc::ECONNREFUSED | libc::ENOTDIR | libc::ENAMETOOLONG => libc::ENOENT,
            other => other,
        })?;
    // ulvsd reads it when it has said all: a connection that ends with it unread ends with an error, not as a file
    // SAFETY: our own descriptor, one byte
    unsafe { next::send(fd, c"\n".as_ptr().cast::<c_void>(), 1, libc::MSG_NOSIGNAL) };
    if flags & libc::O_NONBLOCK != 0 {
        director::set_flags(fd, libc::O_NONBLOCK);
    }
    if flags & libc::O_CLOEXEC == 0 {
        // SAFETY: our own descriptor
        unsafe { next::fcntl(fd, libc::F_SETFD, 0) };
    }
    Ok(fd)
}

impl Path {
    pub(crate) fn as_c_str(&self) -> &CStr {
        // a path without its end was not made
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(path: &str) -> Option<String> {
        socket(path.as_bytes(), c"/run/x").map(|path| path.as_c_str().to_str().expect("text").to_owned())
    }

    #[test]
    fn files_of_ipvs_only() {
        assert_eq!(to("/proc/net/ip_vs_conn").as_deref(), Some("/run/x/ip_vs_conn.sock"));
        assert_eq!(to("/proc/self/net/ip_vs").as_deref(), Some("/run/x/ip_vs.sock"));
        for other in ["/proc/net/ip_vs_connection", "/proc/net/tcp", "/proc/net/", "/proc/net/ip_vs/", "ip_vs", ""] {
            assert_eq!(to(other), None, "{other}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_none() {
        let folder =
            |short: usize| std::ffi::CString::new(vec![b'x'; libc::PATH_MAX as usize - short]).expect("no NUL");
        assert!(socket(b"/proc/net/ip_vs", &folder(11)).is_none());
        assert!(socket(b"/proc/net/ip_vs", &folder(12)).is_some());
    }
}
