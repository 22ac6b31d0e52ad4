use std::net::{IpAddr, Ipv4Addr};

/// Which half of connection synchronisation a daemon does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Sends.
    Master = 1,
    /// Receives.
    Backup = 2,
}

impl Role {
    /// The role with netlink's number.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Master),
            2 => Some(Self::Backup),
            _ => None,
        }
    }

    /// Netlink's number.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

/// A sync daemon as it was started, defaults filled in. It is stored and listed; nothing is synchronised by it yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyncDaemon {
    /// Master or backup.
    pub role: Role,
    /// The interface it sends or listens at.
    pub interface: String,
    /// Tells groups of directors apart; only its low byte travels.
    pub sync_id: u32,
    /// Longest message.
    pub max_length: u16,
    /// Multicast group.
    pub group: IpAddr,
    /// UDP port.
    pub port: u16,
    /// Time to live of messages.
    pub ttl: u8,
}

impl SyncDaemon {
    /// The group if none is given.
    pub const DEFAULT_GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
    /// The port if none is given.
    pub const DEFAULT_PORT: u16 = 8848;
    /// The TTL if none is given.
    pub const DEFAULT_TTL: u8 = 1;

    /// The longest message of a daemon at an interface of this MTU.
    pub(super) fn max_length(role: Role, group: IpAddr, mtu: u32, wanted: u16) -> u16 {
        let headers: u32 = if group.is_ipv4() { 28 } else { 48 };
        let (mtu, shortest) = match role {
            Role::Master => (1500, 1),
            Role::Backup => (mtu.clamp(1500, 65535), 1024),
        };
        let length = match wanted {
            0 => mtu - headers,
            wanted => u32::from(wanted).clamp(shortest, 65535 - headers),
        };
        u16::try_from(length).unwrap_or(u16::MAX)
    }
}
