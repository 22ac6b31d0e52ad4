//! The files of IPVS under `/proc/net`, and where ulvsd keeps its own.

use std::ffi::CStr;

const FOLDERS: [&[u8]; 3] = [b"/proc/net/", b"/proc/self/net/", b"/proc/thread-self/net/"];
const NAMES: [&[u8]; 5] = [b"ip_vs", b"ip_vs_conn", b"ip_vs_conn_sync", b"ip_vs_stats", b"ip_vs_stats_percpu"];

/// A path that was put together without the allocator.
pub(crate) struct Path {
    bytes: [u8; libc::PATH_MAX as usize],
    length: usize,
}

/// The file that stands for `path`; none for a path that is not of IPVS.
pub(crate) fn redirected(path: &[u8], to: &CStr) -> Option<Path> {
    let name = FOLDERS.iter().find_map(|folder| path.strip_prefix(*folder))?;
    if !NAMES.contains(&name) {
        return None;
    }
    let mut redirected = Path { bytes: [0; libc::PATH_MAX as usize], length: 0 };
    for part in [to.to_bytes(), b"/", name, b"\0"] {
        redirected.bytes.get_mut(redirected.length..)?.get_mut(..part.len())?.copy_from_slice(part);
        redirected.length += part.len();
    }
    Some(redirected)
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
        redirected(path.as_bytes(), c"/run/x").map(|path| path.as_c_str().to_str().expect("text").to_owned())
    }

    #[test]
    fn files_of_ipvs_only() {
        assert_eq!(to("/proc/net/ip_vs_conn").as_deref(), Some("/run/x/ip_vs_conn"));
        assert_eq!(to("/proc/self/net/ip_vs").as_deref(), Some("/run/x/ip_vs"));
        for other in ["/proc/net/ip_vs_connection", "/proc/net/tcp", "/proc/net/", "/proc/net/ip_vs/", "ip_vs", ""] {
            assert_eq!(to(other), None, "{other}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_none() {
        let folder = std::ffi::CString::new(vec![b'x'; libc::PATH_MAX as usize - 6]).expect("no NUL");
        assert!(redirected(b"/proc/net/ip_vs", &folder).is_none());
        let folder = std::ffi::CString::new(vec![b'x'; libc::PATH_MAX as usize - 7]).expect("no NUL");
        assert!(redirected(b"/proc/net/ip_vs", &folder).is_some());
    }
}
