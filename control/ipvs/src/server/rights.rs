use std::io;
use std::os::fd::AsFd;

use nix::unistd::{Group, Uid};

use super::peer::Peer;
use crate::Access;

/// Who may do what at the socket.
#[derive(Clone, Copy, Debug)]
pub struct Rights {
    /// The group whose members may do everything, beside root.
    pub group: Option<u32>,
    /// What others may do.
    pub others: Access,
}

impl Rights {
    /// Root and the members of the group with this name may do everything, others may read. If there is no such group,
    /// root alone may.
    ///
    /// # Errors
    /// If the groups can't be looked up.
    pub fn of_group(name: &str) -> io::Result<Self> {
        let group = Group::from_name(name)?.map(|group| group.gid.as_raw());
        Ok(Self { group, others: Access::Read })
    }

    /// What the client of a connected unix socket may do.
    ///
    /// # Errors
    /// If the system doesn't tell who it is.
    pub fn of(&self, socket: &impl AsFd) -> io::Result<Access> {
        let peer = Peer(socket);
        let (uid, gid) = peer.ids()?;
        if Uid::from_raw(uid).is_root() {
            return Ok(Access::Full);
        }
        let Some(group) = self.group else { return Ok(self.others) };
        if gid == group || peer.is_in(group)? { Ok(Access::Full) } else { Ok(self.others) }
    }
}
