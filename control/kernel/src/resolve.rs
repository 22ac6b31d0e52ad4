//! Asks the kernel to resolve neighbours.
//!
//! The request is what the kernel itself does when it has a packet to send: `RTM_NEWNEIGH` with `NTF_USE` makes the
//! entry if there is none and uses it, so that the kernel sends its ARP request or neighbour solicitation through the
//! TAP. A stale entry is probed by unicast and stays usable meanwhile. Answers come back through the
//! [mirror](crate::mirror).
//!
//! What [`Resolver::keep`] keeps is pinned as well (`NTF_EXT_LEARNED`): the kernel neither collects such entries nor
//! counts them against `gc_thresh3`, so that ten thousand real servers need no sysctl. What [`Resolver::resolve`]
//! asks for once stays collectable, for its addresses may be a stranger's choice; [`ResolveError::TableFull`] tells
//! when the kernel has too many of those.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState as Nud};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::packet_core::NLM_F_CREATE;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use crate::keeper::Keeper;
use crate::netlink::{Netlink, NetlinkError};
use crate::state::{KernelState, Neighbour, NeighbourKey};

/// The neighbours that must stay resolved: the next hops of all real servers and the gateways.
pub type Wanted = Arc<BTreeSet<NeighbourKey>>;

/// Asks the kernel to resolve neighbours. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Resolver {
    netlink: Netlink,
    state: watch::Receiver<Arc<KernelState>>,
}

impl Resolver {
    /// A resolver that consults the mirror's state.
    pub fn new(netlink: Netlink, state: watch::Receiver<Arc<KernelState>>) -> Self {
        Self { netlink, state }
    }

    /// Makes the kernel resolve `address` on an interface, or confirm what it knows; the outcome shows in the mirror.
    /// An entry that an operator made permanent is left alone, for the kernel would forget it.
    ///
    /// Each call is a request: callers limit their rate for one neighbour, as [`Resolver::keep`] does.
    ///
    /// # Errors
    ///
    /// When the kernel refuses; each error names its remedy.
    pub async fn resolve(&self, ifindex: u32, address: IpAddr) -> Result<(), ResolveError> {
        let pinned = self.state.borrow().neighbour(ifindex, address).is_some_and(|neighbour| neighbour.pinned);
        self.request((ifindex, address), if pinned { Pin::Set } else { Pin::Clear }, NLM_F_CREATE).await
    }

    /// `NTF_USE`, and whether the entry is pinned from now on.
    async fn request(&self, key: NeighbourKey, pin: Pin, flags: u16) -> Result<(), ResolveError> {
        let (ifindex, address) = key;
        if self.state.borrow().neighbour(ifindex, address).is_some_and(Neighbour::is_permanent) {
            return Ok(());
        }
        let mut message = NeighbourMessage::default();
        message.header.family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        message.header.ifindex = ifindex;
        message.header.state = Nud::None;
        message.header.flags = match pin {
            Pin::Set => NeighbourFlags::Use | NeighbourFlags::ExtLearned,
            Pin::Clear => NeighbourFlags::Use,
        };
        message.attributes.push(NeighbourAttribute::Destination(address.into()));
        let request = RouteNetlinkMessage::NewNeighbour(message);
        self.netlink.change(request, flags).await.map_err(|source| match source.errno() {
            Some(libc::ENODEV | libc::ENETDOWN) => ResolveError::Interface { ifindex, address },
            Some(libc::EPERM) => ResolveError::Permission { address },
            Some(libc::ENOBUFS | libc::ENOMEM) => ResolveError::TableFull { address },
            _ => ResolveError::Netlink { address, source },
        })
    }

    /// Keeps the wanted neighbours resolved, until either channel closes. A refusal for one neighbour is logged, and
    /// retried in its turn; only the loss of the connection to the kernel ends the task with an error.
    pub fn keep(&self, wanted: watch::Receiver<Wanted>) -> JoinHandle<Result<(), ResolveError>> {
        tokio::spawn(self.clone().run(wanted))
    }

    async fn run(mut self, mut wanted: watch::Receiver<Wanted>) -> Result<(), ResolveError> {
        let mut keeper = Keeper::default();
        loop {
            let now = Instant::now();
            let due = {
                let state = Arc::clone(&self.state.borrow_and_update());
                let wanted = Arc::clone(&wanted.borrow_and_update());
                keeper.due(&state, &wanted, now)
            };
            for key in due.releases {
                // Gone already is as good as released.
                if let Err(error) = self.request(key, Pin::Clear, 0).await {
                    debug!(ifindex = key.0, %error, "did not release a neighbour");
                }
            }
            for key @ (ifindex, address) in due.requests {
                match self.request(key, Pin::Set, NLM_F_CREATE).await {
                    Ok(()) => debug!(ifindex, %address, "asked the kernel for a neighbour"),
                    Err(error @ ResolveError::Netlink { source: NetlinkError::Closed, .. }) => return Err(error),
                    Err(error) => warn!("{error}"),
                }
            }
            let sleep = async {
                match due.wake {
                    Some(wake) => sleep_until(wake).await,
                    None => std::future::pending().await,
                }
            };
            let open = tokio::select! {
                changed = self.state.changed() => changed.is_ok(),
                changed = wanted.changed() => changed.is_ok(),
                () = sleep => true,
            };
            if !open {
                return Ok(());
            }
        }
    }
}

/// Whether the kernel may collect an entry.
#[derive(Debug, Clone, Copy)]
enum Pin {
    Set,
    Clear,
}

/// Why the kernel could not be asked for a neighbour.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The interface is gone or down.
    #[error("cannot resolve {address}: interface {ifindex} does not exist or is down; `ip link` shows it")]
    Interface {
        /// The interface's index.
        ifindex: u32,
        /// The neighbour's address.
        address: IpAddr,
    },
    /// The process may not ask.
    #[error("no permission to have {address} resolved: run as root or grant CAP_NET_ADMIN")]
    Permission {
        /// The neighbour's address.
        address: IpAddr,
    },
    /// The kernel's table is full.
    #[error(
        "cannot resolve {address}: the kernel's neighbour table is full; raise net.ipv4.neigh.default.gc_thresh3 \
         (or net.ipv6...) above the number of neighbours, and gc_thresh1 and gc_thresh2 with it"
    )]
    TableFull {
        /// The neighbour's address.
        address: IpAddr,
    },
    /// Another failure.
    #[error("cannot have {address} resolved: {source}")]
    Netlink {
        /// The neighbour's address.
        address: IpAddr,
        /// What the kernel said.
        source: NetlinkError,
    },
}
