//! The socket: who may do what, and clients that can't hold up each other.
//!
//! Each client is a task of its own with one datagram in and one out. A client that doesn't read its answers waits for
//! itself only, and goes after a time; one that says nothing is left alone, as keepalived says nothing for days, but is
//! the first to go when there are too many. Bytes that are no netlink message end the connection: after them nothing of
//! the client can be trusted.
//!
//! **Who may.** The kernel decides by `CAP_NET_ADMIN` and lets nobody else even look. Here root and the members of one
//! group may do everything, and others may look (`-L`, `-S`), which is a decision of the director's administrator:
//! [`Rights`]. Resolving the family is everybody's, as in the kernel.

mod clients;
mod peer;
mod rights;
mod session;
mod socket;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use crate::{Datapath, Director};
use clients::Clients;
pub use rights::Rights;
pub use session::{Outlet, answer};
use socket::{Listener, Socket};

/// How much clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Clients at a time. Those that may only read get half of the places.
    pub clients: usize,
    /// How long an answer may wait for the client to read.
    pub send: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { clients: 256, send: Duration::from_secs(5) }
    }
}

/// A listening socket and what is served there.
#[derive(Debug)]
pub struct Server<D> {
    listener: Listener,
    director: Arc<Director<D>>,
    rights: Rights,
    limits: Limits,
}

impl<D: Datapath> Server<D> {
    /// Listens at `path`, in the place of a socket that nobody listens at any more. Has to be called within a runtime.
    ///
    /// # Errors
    /// If the socket can't be made there, or another server listens there.
    pub fn bind(path: &Path, director: Arc<Director<D>>, rights: Rights, limits: Limits) -> io::Result<Self> {
        Ok(Self { listener: Listener::bind(path)?, director, rights, limits })
    }

    /// Serves until the future is dropped, which closes all connections. Changes that are under way are finished.
    pub async fn run(self) {
        let mut clients = Clients::new(self.limits.clients);
        loop {
            tokio::select! {
                () = clients.ended() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok(socket) => {
                        self.admit(socket, &mut clients);
                        // many that connect at once wait for those that are connected, not the other way round
                        tokio::task::yield_now().await;
                    }
                    Err(error) => {
                        warn!(%error, "can't accept a client of the IPVS socket: is the limit of open files too low?");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    }

    fn admit(&self, socket: Socket, clients: &mut Clients) {
        let access = match self.rights.of(&socket) {
            Ok(access) => access,
            Err(error) => return warn!(%error, "a client of the IPVS socket has no credentials and is turned away"),
        };
        let (director, limits) = (Arc::clone(&self.director), self.limits);
        let admitted = clients.admit(access, |active| async move {
            let mut outlet = socket::Patient { socket: &socket, time: limits.send };
            let mut datagram = vec![0; session::LONGEST_REQUEST];
            loop {
                let received = match socket.receive(&mut datagram).await {
                    Ok(0) => return,
                    Ok(length) => length,
                    Err(error) => return debug!(%error, "a client of the IPVS socket is gone"),
                };
                active.now();
                let Some(request) = datagram.get(..received) else {
                    return debug!(received, "a client of the IPVS socket sent more than any request: closed");
                };
                if let Err(error) = answer(&director, access, request, &mut outlet).await {
                    return debug!(%error, "a client of the IPVS socket is closed");
                }
                // a socket that always has more to read would keep the others of this thread waiting
                tokio::task::yield_now().await;
            }
        });
        if !admitted {
            debug!("a client of the IPVS socket is turned away: all places are taken by clients with more rights");
        }
    }
}
