use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::session::Outlet;

const FLAGS: SockFlag = SockFlag::SOCK_NONBLOCK.union(SockFlag::SOCK_CLOEXEC);

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// A listening SEQPACKET socket, which tokio has none of. Its file goes with it.
#[derive(Debug)]
pub(super) struct Listener {
    socket: AsyncFd<OwnedFd>,
    path: PathBuf,
}

impl Listener {
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let address = UnixAddr::new(path)?;
        let made = || socket::socket(AddressFamily::Unix, SockType::SeqPacket, FLAGS, None);
        let listening = made()?;
        match socket::bind(listening.as_raw_fd(), &address) {
            Err(Errno::EADDRINUSE) => {
                // left behind by a server that was killed, if nobody answers there
                match socket::connect(made()?.as_raw_fd(), &address) {
                    Err(Errno::ECONNREFUSED) => std::fs::remove_file(path)?,
                    _ => return Err(Errno::EADDRINUSE.into()),
                }
                socket::bind(listening.as_raw_fd(), &address)?;
            }
            result => result?,
        }
        let listener = Self { socket: register(listening, Interest::READABLE)?, path: path.to_owned() };
        // who may do what is decided by credentials; everybody may connect
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
        socket::listen(listener.socket.get_ref(), Backlog::new(BACKLOG)?)?;
        Ok(listener)
    }

    pub(super) async fn accept(&self) -> io::Result<Socket> {
        let accept = |listening: &OwnedFd| Ok(socket::accept4(listening.as_raw_fd(), FLAGS)?);
        let accepted = self.socket.async_io(Interest::READABLE, accept).await?;
        #[expect(unsafe_code, reason = "nix gives accepted sockets as numbers")]
        // SAFETY: accept4 has just made it, and nothing else knows its number.
        let owned = unsafe { OwnedFd::from_raw_fd(accepted) };
        Ok(Socket(register(owned, Interest::READABLE | Interest::WRITABLE)?))
    }
}

/// Has tokio watch a socket.
fn register(socket: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(unsafe_code, reason = "tokio has to be promised that the number stays this socket's")]
    // SAFETY: an OwnedFd keeps its number until it is dropped, which nothing here does before the AsyncFd lets go of it.
    let registered = unsafe { AsyncFd::register_with_interest(socket, interest) };
    Ok(registered?)
}

impl Drop for Listener {
    fn drop(&mut self) {
        // gone already: then there is nothing to be done
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A connected client.
#[derive(Debug)]
pub(super) struct Socket(AsyncFd<OwnedFd>);

impl Socket {
    /// Waits for a datagram. The length is the datagram's own, even if the buffer was too short; 0 is the end.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let receive = |fd: &OwnedFd| Ok(socket::recv(fd.as_raw_fd(), buffer, MsgFlags::MSG_TRUNC)?);
        self.0.async_io(Interest::READABLE, receive).await
    }

    async fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let send = |fd: &OwnedFd| Ok(socket::send(fd.as_raw_fd(), datagram, MsgFlags::MSG_NOSIGNAL)?);
        self.0.async_io(Interest::WRITABLE, send).await.map(|_| ())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

/// A client whose answers wait for it, but not for ever.
pub(super) struct Patient<'a> {
    pub(super) socket: &'a Socket,
    pub(super) time: Duration,
}

impl Outlet for Patient<'_> {
    async fn send(&mut self, datagram: Vec<u8>) -> io::Result<()> {
        match tokio::time::timeout(self.time, self.socket.send(&datagram)).await {
            Ok(sent) => sent,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it doesn't read its answers")),
        }
    }
}
