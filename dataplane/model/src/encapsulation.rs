/// What a packet to a real server travels in, when the method is a tunnel (ipvs-facts C.5).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Encapsulation {
    /// IP in IP (RFC 2003, RFC 2473).
    #[default]
    IpIp,
    /// Generic UDP encapsulation, variant 0.
    Gue {
        /// Outer destination port.
        port: u16,
        /// Whether the outer UDP header has a checksum.
        checksum: bool,
    },
    /// Generic routing encapsulation (RFC 2784).
    Gre {
        /// Whether its header has a checksum.
        checksum: bool,
    },
}

impl Encapsulation {
    /// IPVS's flag for a checksum.
    const CHECKSUM: u16 = 1;
    /// IPVS's flag for a remote checksum: to packets that came from a network, the same as [`CHECKSUM`](Self::CHECKSUM).
    const REMOTE_CHECKSUM: u16 = 2;

    /// The tunnel of IPVS's type number, port and flags; `None` for a type it has not.
    pub const fn from_ipvs(kind: u8, port: u16, flags: u16) -> Option<Self> {
        match kind {
            0 => Some(Self::IpIp),
            1 => Some(Self::Gue { port, checksum: flags & (Self::CHECKSUM | Self::REMOTE_CHECKSUM) != 0 }),
            2 => Some(Self::Gre { checksum: flags & Self::CHECKSUM != 0 }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_ipvs_s() {
        let gue = |checksum| Some(Encapsulation::Gue { port: 6080, checksum });
        let all = [0, 1, 2].map(|flags| Encapsulation::from_ipvs(1, 6080, flags));
        assert_eq!(all, [gue(false), gue(true), gue(true)]);
        let gre = |checksum| Some(Encapsulation::Gre { checksum });
        assert_eq!([0, 1, 2].map(|flags| Encapsulation::from_ipvs(2, 0, flags)), [gre(false), gre(true), gre(false)]);
        assert_eq!(
            (Encapsulation::from_ipvs(0, 6080, 1), Encapsulation::from_ipvs(3, 0, 0)),
            (Some(Encapsulation::IpIp), None)
        );
    }
}
