use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use crate::{Family, Protocol};

/// What identifies a service (ipvs-facts D.1): where its packets go, or how they are marked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ServiceKey {
    /// Packets of a protocol to a virtual address and port; port 0: to all ports.
    Address {
        /// Transport protocol.
        protocol: Protocol,
        /// The virtual IP address and port clients connect to.
        address: SocketAddr,
    },
    /// Packets with a firewall mark, of any protocol and to any address and port.
    Mark {
        /// Of the packets.
        family: Family,
        /// What they are marked with.
        mark: NonZeroU32,
    },
}

impl ServiceKey {
    /// The key of a service by address.
    pub const fn new(protocol: Protocol, address: SocketAddr) -> Self {
        Self::Address { protocol, address }
    }

    /// The family of the packets.
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(address.ip()),
            Self::Mark { family, .. } => *family,
        }
    }

    /// The transport protocol; absent: any.
    pub const fn protocol(&self) -> Option<Protocol> {
        match self {
            Self::Address { protocol, .. } => Some(*protocol),
            Self::Mark { .. } => None,
        }
    }

    /// The virtual IP address and port; absent: any.
    pub const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address { address, .. } => Some(*address),
            Self::Mark { .. } => None,
        }
    }

    /// The virtual IP address; absent: any.
    pub const fn vip(&self) -> Option<IpAddr> {
        match self {
            Self::Address { address, .. } => Some(address.ip()),
            Self::Mark { .. } => None,
        }
    }

    /// The port that is served; 0: all, as always of a mark.
    pub const fn port(&self) -> u16 {
        match self {
            Self::Address { address, .. } => address.port(),
            Self::Mark { .. } => 0,
        }
    }

    /// The firewall mark; absent: the service is one by address.
    pub const fn mark(&self) -> Option<NonZeroU32> {
        match self {
            Self::Address { .. } => None,
            Self::Mark { mark, .. } => Some(*mark),
        }
    }
}

impl fmt::Display for ServiceKey {
    /// `tcp 192.0.2.100:80`, `udp [2001:db8::100]:53`, `mark 7`, `mark 8 (IPv6)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address } => write!(f, "{protocol} {address}"),
            Self::Mark { family: Family::V4, mark } => write!(f, "mark {mark}"),
            Self::Mark { family: Family::V6, mark } => write!(f, "mark {mark} (IPv6)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_listed_as_ipvsadm_lists_them() {
        let web = |protocol, address: &str| ServiceKey::new(protocol, address.parse().unwrap());
        let mark = |family, mark| ServiceKey::Mark { family, mark: NonZeroU32::new(mark).unwrap() };
        let mut keys = [
            mark(Family::V6, 7),
            mark(Family::V4, 8),
            web(Protocol::Udp, "[2001:db8::1]:53"),
            web(Protocol::Tcp, "192.0.2.2:80"),
        ];
        keys.sort_unstable();
        let names = keys.map(|key| key.to_string());
        assert_eq!(names, ["tcp 192.0.2.2:80", "udp [2001:db8::1]:53", "mark 8", "mark 7 (IPv6)"]);
        assert_eq!((keys[2].port(), keys[2].vip(), keys[2].protocol()), (0, None, None));
        assert_eq!(keys.map(|key| key.family()), [Family::V4, Family::V6, Family::V4, Family::V6]);
    }
}
