use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Destination, DestinationId, PersistenceEngine, SchedulerName};
use crate::Errno;

/// An address family IPVS has services of.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// `AF_INET` or `AF_INET6`, as netlink has it.
    pub const fn number(self) -> u16 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    /// The family with this number.
    ///
    /// # Errors
    /// EAFNOSUPPORT for any other.
    pub const fn from_number(number: u16) -> Result<Self, Errno> {
        match number {
            2 => Ok(Self::V4),
            10 => Ok(Self::V6),
            _ => Err(Errno::AddressFamily),
        }
    }

    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The address that netlink's 16 bytes mean in this family: IPv4 has its in the first four.
    pub fn address(self, bytes: [u8; 16]) -> IpAddr {
        let [a, b, c, d, ..] = bytes;
        match self {
            Self::V4 => Ipv4Addr::new(a, b, c, d).into(),
            Self::V6 => Ipv6Addr::from(bytes).into(),
        }
    }
}

/// What identifies a service (ipvs-facts D.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ServiceId {
    /// Packets with a firewall mark.
    Mark {
        /// Of the packets.
        family: Family,
        /// The mark, not 0.
        mark: u32,
    },
    /// Packets to an address and port.
    Address {
        /// IPVS doesn't check that it is one it can forward.
        protocol: u16,
        /// The virtual address; port 0 stands for all ports and needs persistence to be of use.
        address: SocketAddr,
    },
}

impl ServiceId {
    /// The family of the packets it is for.
    pub const fn family(&self) -> Family {
        match self {
            Self::Mark { family, .. } => *family,
            Self::Address { address, .. } => Family::of(address.ip()),
        }
    }
}

impl fmt::Display for ServiceId {
    /// `tcp 192.0.2.100:80`, `protocol 47 192.0.2.1:0`, `mark 7`, `mark 8 (IPv6)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mark { family: Family::V4, mark } => write!(f, "mark {mark}"),
            Self::Mark { family: Family::V6, mark } => write!(f, "mark {mark} (IPv6)"),
            Self::Address { protocol: 6, address } => write!(f, "tcp {address}"),
            Self::Address { protocol: 17, address } => write!(f, "udp {address}"),
            Self::Address { protocol: 132, address } => write!(f, "sctp {address}"),
            Self::Address { protocol, address } => write!(f, "protocol {protocol} {address}"),
        }
    }
}

impl From<ulvs_model::ServiceKey> for ServiceId {
    fn from(key: ulvs_model::ServiceKey) -> Self {
        match key {
            ulvs_model::ServiceKey::Address { protocol, address } => {
                Self::Address { protocol: protocol.number().into(), address }
            }
            ulvs_model::ServiceKey::Mark { family, mark } => Self::Mark { family: family.into(), mark: mark.get() },
        }
    }
}

impl From<ulvs_model::Family> for Family {
    fn from(family: ulvs_model::Family) -> Self {
        match family {
            ulvs_model::Family::V4 => Self::V4,
            ulvs_model::Family::V6 => Self::V6,
        }
    }
}

impl From<Family> for ulvs_model::Family {
    fn from(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4,
            Family::V6 => Self::V6,
        }
    }
}

/// Where an entry was first said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    /// In the director's file.
    File,
    /// Through this protocol, by ipvsadm or keepalived.
    Netlink,
    /// Through the director's API, by `ulvsctl`.
    Api,
    /// By the director's health checks: a sorry server while there is no quorum.
    Checks,
}

impl Owner {
    /// Every owner.
    pub const ALL: [Self; 4] = [Self::File, Self::Netlink, Self::Api, Self::Checks];

    /// The word for it: `file`, `netlink`, `api`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Netlink => "netlink",
            Self::Api => "api",
            Self::Checks => "checks",
        }
    }

    /// Whose an entry is after it was edited: what the file names is the file's.
    pub(super) const fn after(self, editor: Self) -> Self {
        match editor {
            Self::File => Self::File,
            Self::Netlink | Self::Api | Self::Checks => self,
        }
    }
}

/// A service's flags, as netlink has them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags(u32);

impl Flags {
    /// Clients keep their real server.
    pub const PERSISTENT: Self = Self(1);
    /// The kernel's own mark of a service that can be found. Always shown, never set.
    pub const HASHED: Self = Self(2);
    /// Each datagram is scheduled by itself.
    pub const ONE_PACKET: Self = Self(4);

    /// The flags with these bits; what IPVS has no meaning for is kept as well.
    pub const fn new(bits: u32) -> Self {
        Self(bits & !Self::HASHED.0)
    }

    /// The bits, without HASHED.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The bits as they are shown, HASHED among them.
    pub const fn shown(self) -> u32 {
        self.0 | Self::HASHED.0
    }

    /// Whether any bit of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These with the bits in `mask` taken from `bits`.
    #[must_use]
    pub const fn changed_to(self, bits: u32, mask: u32) -> Self {
        Self::new(self.0 & !mask | bits & mask)
    }
}

/// All of a service that can be edited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServiceSettings {
    /// The rule for new connections.
    pub scheduler: SchedulerName,
    /// Persistence, one-packet scheduling, the scheduler's own.
    pub flags: Flags,
    /// Seconds a client is remembered, if persistent.
    pub timeout: u32,
    /// Which clients are taken for one: the mask's bytes in IPv4, in IPv6 the prefix's length, 1 to 128. As netlink has it.
    pub netmask: u32,
    /// What else tells clients apart.
    pub engine: Option<PersistenceEngine>,
}

/// A virtual service with its real servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    pub(super) id: ServiceId,
    pub(super) settings: ServiceSettings,
    pub(super) owner: Owner,
    /// Oldest first.
    pub(super) destinations: Vec<(u64, Destination)>,
}

impl Service {
    /// What identifies it.
    pub const fn id(&self) -> &ServiceId {
        &self.id
    }

    /// What can be edited.
    pub const fn settings(&self) -> &ServiceSettings {
        &self.settings
    }

    /// Where it was first said.
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    /// The destinations in the order they are listed and scheduled, the newest first (ipvs-facts A.0).
    pub fn destinations(&self) -> impl DoubleEndedIterator<Item = &Destination> {
        self.destinations.iter().rev().map(|(_, destination)| destination)
    }

    /// The destinations older than the one with this number, newest first, with their numbers: a listing in pieces.
    pub fn destinations_behind(&self, number: Option<u64>) -> impl Iterator<Item = (u64, &Destination)> {
        let older = self.destinations.partition_point(|(made, _)| number.is_none_or(|number| *made < number));
        let some = self.destinations.get(..older).unwrap_or_default();
        some.iter().rev().map(|(made, destination)| (*made, destination))
    }

    /// The destination with this identity.
    pub fn destination(&self, id: &DestinationId) -> Option<&Destination> {
        self.destinations().find(|destination| destination.id == *id)
    }

    pub(super) fn mixes_families(&self) -> bool {
        self.destinations().any(|destination| destination.id.family() != self.id.family())
    }
}
