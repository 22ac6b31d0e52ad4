use std::fmt;
use std::str::FromStr;

use crate::UnknownName;

/// How a packet gets from the director to the destination (ipvs-facts B.1, C.4, C.5).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum ForwardMethod {
    /// Masquerading: destination address and port are rewritten, replies come back through the director.
    Nat = 0,
    /// Tunnelling: the packet travels inside another IP packet, replies go straight to the client.
    Tun = 2,
    /// Direct routing: only the frame's addresses change, replies go straight to the client.
    Dr = 3,
}

impl ForwardMethod {
    /// Every method, NAT first.
    pub const ALL: [Self; 3] = [Self::Nat, Self::Tun, Self::Dr];

    /// IPVS's number for the method, the low three bits of a connection's flags.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The method with IPVS's number `code`.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Nat),
            2 => Some(Self::Tun),
            3 => Some(Self::Dr),
            _ => None,
        }
    }

    /// The name as files and metrics write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Tun => "tun",
            Self::Dr => "dr",
        }
    }

    /// The name `ipvsadm -Ln` prints.
    pub const fn ipvsadm_name(self) -> &'static str {
        match self {
            Self::Nat => "Masq",
            Self::Tun => "Tunnel",
            Self::Dr => "Route",
        }
    }
}

impl fmt::Display for ForwardMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ForwardMethod {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|m| m.name().eq_ignore_ascii_case(name)).ok_or_else(|| UnknownName {
            kind: "forwarding method",
            given: name.to_owned(),
            known: "nat, tun, dr",
        })
    }
}
