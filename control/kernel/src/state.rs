//! What the kernel says about the TAP twins, as one immutable value.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use ulvs_prefixes::Prefixes;

/// A neighbour's key: the interface it is on and its address.
pub type NeighbourKey = (u32, IpAddr);

/// The kernel's view of the mirrored interfaces at one moment.
///
/// Each part is shared between consecutive snapshots until it changes: compare them with [`Arc::ptr_eq`]. Of the routes,
/// which may be a full table of the Internet, everything is shared but those that changed: [`Prefixes::changes`] finds them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelState {
    /// The interfaces by index.
    pub links: Arc<BTreeMap<u32, Link>>,
    /// The addresses with their prefix lengths, each with its interface's index.
    pub addresses: Arc<BTreeSet<(u32, IpNet)>>,
    /// The best route of each prefix, of those that leave through a mirrored interface or refuse the prefix.
    pub routes: Prefixes<Arc<Route>>,
    /// The neighbours. An absent one was never asked for, or the kernel collected it.
    pub neighbours: Arc<BTreeMap<NeighbourKey, Neighbour>>,
}

impl KernelState {
    /// The most specific route to `destination`, with its prefix. Meant for the control side: one look-up
    /// for each prefix length.
    pub fn route(&self, destination: IpAddr) -> Option<(IpNet, &Route)> {
        let longest = if destination.is_ipv4() { 32 } else { 128 };
        (0..=longest).rev().find_map(|length| {
            let prefix = IpNet::new(destination, length).ok()?.trunc();
            self.routes.get(&prefix).map(|route| (prefix, &**route))
        })
    }

    /// The neighbour with this address on this interface.
    pub fn neighbour(&self, ifindex: u32, address: IpAddr) -> Option<&Neighbour> {
        self.neighbours.get(&(ifindex, address))
    }

    /// Whether the interface exists and is administratively up.
    pub fn is_up(&self, ifindex: u32) -> bool {
        self.links.get(&ifindex).is_some_and(|link| link.up)
    }
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name, such as `ulvs0`.
    pub name: String,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// Its MTU: the longest IP packet in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
}

/// The best route to a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where packets go: several for a multipath route. Empty when the kernel refuses the prefix (`blackhole`,
    /// `unreachable`, `prohibit`): such a route hides less specific ones.
    pub next_hops: Vec<NextHop>,
    /// The source address the kernel prefers for its own packets.
    pub preferred_source: Option<IpAddr>,
    /// The metric; the lowest wins.
    pub metric: u32,
    /// The MTU set on the route.
    pub mtu: Option<u32>,
}

/// One way out of a [`Route`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// The interface's index.
    pub ifindex: u32,
    /// The router; `None`: the destination is on the link. An IPv4 route may have an IPv6 router.
    pub gateway: Option<IpAddr>,
    /// The share of flows relative to the other next hops, from 1.
    pub weight: u16,
}

/// A neighbour: what ARP or ND knows of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// The MAC address, when the kernel knows one; it may be outdated in state [`NeighbourState::Failed`].
    pub mac: Option<[u8; 6]>,
    /// How sure the kernel is of it.
    pub state: NeighbourState,
    /// Whether the kernel is told never to collect it (`NTF_EXT_LEARNED`).
    pub pinned: bool,
}

impl Neighbour {
    /// The MAC address to send to, unless the kernel has none or has given it up.
    pub fn usable_mac(&self) -> Option<[u8; 6]> {
        match self.state {
            NeighbourState::Incomplete | NeighbourState::Failed => None,
            _ => self.mac,
        }
    }

    /// Whether an operator set the MAC address for good.
    pub fn is_permanent(&self) -> bool {
        matches!(self.state, NeighbourState::Permanent | NeighbourState::NoArp)
    }
}

/// The kernel's state of a neighbour (`NUD_*`).
///
/// The kernel announces some transitions late: it tells neither of the way into `Incomplete` nor from `Stale` to
/// `Delay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourState {
    /// Asked, no answer yet.
    Incomplete,
    /// Confirmed lately.
    Reachable,
    /// Known, not confirmed lately.
    Stale,
    /// Used while stale; a probe follows unless something confirms it.
    Delay,
    /// Being probed by unicast.
    Probe,
    /// Did not answer.
    Failed,
    /// Set by an operator; never probed.
    Permanent,
    /// Needs no resolution.
    NoArp,
}
