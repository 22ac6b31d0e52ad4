use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// Who connected to a unix socket, as it was then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer<F>(pub(super) F);

impl<F: AsFd> Peer<F> {
    /// User and primary group.
    pub(super) fn ids(&self) -> io::Result<(u32, u32)> {
        let peer = getsockopt(&self.0, PeerCredentials)?;
        Ok((peer.uid(), peer.gid()))
    }

    /// Whether the group was among its supplementary ones.
    pub(super) fn is_in(&self, group: u32) -> io::Result<bool> {
        const MOST: usize = 65536; // NGROUPS_MAX
        for room in [64, MOST] {
            match self.groups(&mut vec![0; room]) {
                Err(error) if error.raw_os_error() == Some(libc::ERANGE) => {}
                groups => return Ok(groups?.contains(&group)),
            }
        }
        Ok(false)
    }

    fn groups<'a>(&self, groups: &'a mut [u32]) -> io::Result<&'a [u32]> {
        let mut length = libc::socklen_t::try_from(size_of_val(groups)).unwrap_or(libc::socklen_t::MAX);
        let fd = self.0.as_fd().as_raw_fd();
        let place = groups.as_mut_ptr().cast();
        #[expect(unsafe_code, reason = "nix doesn't know SO_PEERGROUPS")]
        // SAFETY: the kernel writes at most `length` bytes, which is the slice's size, and any bytes are numbers.
        let result = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERGROUPS, place, &raw mut length) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let count = usize::try_from(length).unwrap_or_default() / size_of::<u32>();
        Ok(groups.get(..count).unwrap_or_default())
    }
}
