use std::fmt;
use std::net::Ipv4Addr;

/// A client keeps its real server (ipvs-facts B.6), as with `ipvsadm -p TIMEOUT -M NETMASK`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Persistence {
    /// Seconds a client is remembered after it opened its last connection; at least until its connections have ended.
    pub timeout: u32,
    /// Which clients are taken for one.
    pub netmask: Netmask,
    /// What else tells clients apart.
    pub engine: Option<PersistenceEngine>,
}

/// A persistence engine: what of a packet tells clients apart, beside their address.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PersistenceEngine {
    /// The Call-ID of a SIP message, in UDP.
    Sip,
}

impl PersistenceEngine {
    /// IPVS's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sip => "sip",
        }
    }

    /// The engine with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        (name == Self::Sip.name()).then_some(Self::Sip)
    }
}

impl Persistence {
    /// The most seconds that files and ipvsadm take: 31 days.
    pub const LONGEST: u32 = 31 * 86_400;
}

/// Which bits of a client's address count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Netmask {
    /// IPv4: any mask, as IPVS has it.
    V4(Ipv4Addr),
    /// IPv6: the prefix's length, 1 to 128.
    V6(u8),
}

impl Netmask {
    /// Every address for itself.
    pub const HOST_V4: Self = Self::V4(Ipv4Addr::BROADCAST);
    /// Every address for itself.
    pub const HOST_V6: Self = Self::V6(128);

    /// The mask of the first `length` bits, if the family has as many, and IPv6 at least one.
    pub const fn of_length(length: u8, is_v6: bool) -> Option<Self> {
        match (length, is_v6) {
            (1..=128, true) => Some(Self::V6(length)),
            (0, false) => Some(Self::V4(Ipv4Addr::UNSPECIFIED)),
            (1..=32, false) => Some(Self::V4(Ipv4Addr::from_bits(u32::MAX << (32 - length)))),
            _ => None,
        }
    }

    /// Whether it is for IPv6 addresses.
    pub const fn is_v6(self) -> bool {
        matches!(self, Self::V6(_))
    }

    /// The bits that count, of an IPv4 address as a number in the low 32.
    pub const fn bits(self) -> u128 {
        match self {
            Self::V4(mask) => mask.to_bits() as u128,
            Self::V6(length) if length >= 128 => u128::MAX,
            Self::V6(length) => !(u128::MAX >> length),
        }
    }
}

impl fmt::Display for Persistence {
    /// As `ipvsadm -Ln`: `persistent 600 mask 255.255.255.0 pe sip`; the mask only if addresses are not taken one by one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "persistent {}", self.timeout)?;
        match self.netmask {
            Netmask::HOST_V4 | Netmask::HOST_V6 => {}
            Netmask::V4(mask) => write!(f, " mask {mask}")?,
            Netmask::V6(length) => write!(f, " mask {length}")?,
        }
        self.engine.map_or(Ok(()), |engine| write!(f, " pe {}", engine.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_their_first_bits() {
        assert_eq!(Netmask::of_length(24, false), Some(Netmask::V4(Ipv4Addr::new(255, 255, 255, 0))));
        assert_eq!(Netmask::of_length(0, false).map(Netmask::bits), Some(0));
        assert_eq!(Netmask::of_length(32, false), Some(Netmask::HOST_V4));
        assert_eq!(Netmask::of_length(64, true).map(Netmask::bits), Some(u128::from(u64::MAX) << 64));
        assert_eq!(Netmask::HOST_V6.bits(), u128::MAX);
        assert_eq!((Netmask::of_length(33, false), Netmask::of_length(0, true)), (None, None));
    }
}
