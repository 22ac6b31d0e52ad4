use std::net::SocketAddr;

use ulvs_model::Encapsulation;

use super::{Family, Hold, Owner};

/// What identifies a destination within its service (ipvs-facts D.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct DestinationId(pub SocketAddr);

impl DestinationId {
    /// Its address family, which in tunnels may differ from the service's.
    pub const fn family(&self) -> Family {
        Family::of(self.0.ip())
    }
}

/// What the outer header of a tunnel is, by IPVS's number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TunnelKind(pub u8);

impl TunnelKind {
    /// IP in IP.
    pub const IPIP: Self = Self(0);
    /// Generic UDP encapsulation.
    pub const GUE: Self = Self(1);
    /// Generic routing encapsulation.
    pub const GRE: Self = Self(2);
}

/// How a tunnel is made. Kept and shown whatever the forwarding method is, as IPVS does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tunnel {
    /// The outer header; IPVS doesn't refuse numbers it has no meaning for.
    pub kind: TunnelKind,
    /// Outer destination port, GUE only.
    pub port: u16,
    /// Checksum (1) and remote checksum (2) bits.
    pub flags: u16,
}

impl Tunnel {
    /// What it is for the datapath; `None` for a number IPVS has no meaning for.
    pub const fn encapsulation(self) -> Option<Encapsulation> {
        Encapsulation::from_ipvs(self.kind.0, self.port, self.flags)
    }
}

impl From<Encapsulation> for Tunnel {
    fn from(encapsulation: Encapsulation) -> Self {
        let (kind, port, flags) = encapsulation.to_ipvs();
        Self { kind: TunnelKind(kind), port, flags }
    }
}

impl Default for Tunnel {
    fn default() -> Self {
        Self { kind: TunnelKind::IPIP, port: 0, flags: 0 }
    }
}

/// All of a destination that can be edited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DestinationSettings {
    /// The forwarding method by IPVS's number, 0 to 7: 0 NAT, 1 local, 2 tunnel, 3 direct routing; others are kept.
    pub method: u8,
    /// Share of new connections, not negative.
    pub weight: i32,
    /// Connections from which on it is overloaded. 0: none.
    pub upper: u32,
    /// Connections below which it is no longer. Not above `upper`.
    pub lower: u32,
    /// For method 2.
    pub tunnel: Tunnel,
}

/// A real server of one service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Destination {
    /// What identifies it.
    pub id: DestinationId,
    /// What can be edited.
    pub settings: DestinationSettings,
    /// Whose it is.
    pub owner: Owner,
    /// What keeps it from what its settings say.
    pub hold: Hold,
}
