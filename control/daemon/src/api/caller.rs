//! Who asks, by the credentials that the kernel gives with a connection.

use nix::unistd::{Uid, User};
use tokio::net::UnixStream;
use ulvs_ipvs::Access;
use ulvs_ipvs::server::Rights;

/// Somebody at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    access: Access,
    uid: Option<u32>,
}

impl Caller {
    /// Who connected.
    pub(super) fn of(stream: &UnixStream, rights: &Rights) -> Self {
        // Without credentials one may look, as everybody.
        let access = rights.of(stream).unwrap_or(Access::Read);
        Self { access, uid: stream.peer_cred().ok().map(|peer| peer.uid()) }
    }

    /// A viewer of the console without its token.
    #[cfg(feature = "console")]
    pub(crate) const fn viewer() -> Self {
        Self { access: Access::Read, uid: None }
    }

    /// A viewer of the console who has its token.
    #[cfg(feature = "console")]
    pub(crate) const fn with_token() -> Self {
        Self { access: Access::Full, uid: None }
    }

    /// Whether the caller may change things, as at the socket for IPVS.
    pub(crate) fn may_change(self) -> bool {
        self.access == Access::Full
    }

    /// For people: `root by the API`.
    pub(super) fn name(self) -> String {
        let user = self.uid.and_then(|uid| User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name));
        let known = user.or_else(|| self.uid.map(|uid| format!("user {uid}")));
        format!("{} by the API", known.unwrap_or_else(|| "somebody".to_owned()))
    }
}
