use std::fmt;
use std::str::FromStr;

use crate::UnknownName;

/// What kind of header a tunnel has, by the names of ipvsadm's `--tun-type`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum TunnelType {
    /// IP in IP.
    #[default]
    IpIp,
    /// Generic UDP encapsulation.
    Gue,
    /// Generic routing encapsulation.
    Gre,
}

impl TunnelType {
    /// Every type, IPVS's default first.
    pub const ALL: [Self; 3] = [Self::IpIp, Self::Gue, Self::Gre];

    /// The name as ipvsadm, keepalived and the file write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpIp => "ipip",
            Self::Gue => "gue",
            Self::Gre => "gre",
        }
    }
}

impl fmt::Display for TunnelType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TunnelType {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|one| one.name() == name).ok_or_else(|| UnknownName {
            kind: "tunnel type",
            given: name.to_owned(),
            known: "ipip, gue, gre",
        })
    }
}

/// Whether a tunnel's header has a checksum, by the names of ipvsadm's options `--tun-nocsum` and so on.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum TunnelChecksum {
    /// It has none.
    #[default]
    Nocsum,
    /// It has one.
    Csum,
    /// GUE's remote checksum. Packets that came from a network get the same as with [`Csum`](Self::Csum) (ipvs-facts C.5).
    Remcsum,
}

impl TunnelChecksum {
    /// Every way, IPVS's default first.
    pub const ALL: [Self; 3] = [Self::Nocsum, Self::Csum, Self::Remcsum];

    /// The name as ipvsadm, keepalived and the file write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nocsum => "nocsum",
            Self::Csum => "csum",
            Self::Remcsum => "remcsum",
        }
    }

    /// Whether the director writes one.
    pub const fn is_written(self) -> bool {
        !matches!(self, Self::Nocsum)
    }
}

impl fmt::Display for TunnelChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TunnelChecksum {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|one| one.name() == name).ok_or_else(|| UnknownName {
            kind: "tunnel checksum",
            given: name.to_owned(),
            known: "nocsum, csum, remcsum",
        })
    }
}

/// Why a type, a port and a checksum are no tunnel, as ipvsadm has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TunnelError {
    /// GUE without a port.
    NoPort,
    /// A port of a tunnel that has none.
    Port(TunnelType),
    /// A checksum of a tunnel that has not this one.
    Checksum(TunnelType, TunnelChecksum),
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPort => {
                f.write_str("a tunnel of type gue needs the UDP port of its far end: say `tun_port`, as 6080")
            }
            Self::Port(kind) => write!(f, "a tunnel of type {kind} has no port: leave `tun_port` out, or use type gue"),
            Self::Checksum(kind @ TunnelType::IpIp, checksum) => {
                write!(f, "a tunnel of type {kind} has no {checksum}: leave `tun_checksum` out, or use type gue or gre")
            }
            Self::Checksum(kind, checksum) => {
                write!(f, "a tunnel of type {kind} has no {checksum}: use nocsum or csum")
            }
        }
    }
}

impl std::error::Error for TunnelError {}

impl TunnelError {
    /// The key that has to be said otherwise.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::NoPort | Self::Port(_) => "tun_port",
            Self::Checksum(..) => "tun_checksum",
        }
    }
}
