use std::fmt;

use crate::{TunnelChecksum, TunnelError, TunnelType};

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
        checksum: TunnelChecksum,
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
    /// IPVS's flag for a remote checksum.
    const REMOTE_CHECKSUM: u16 = 2;

    /// The tunnel that ipvsadm's words describe; what is absent has IPVS's default.
    ///
    /// # Errors
    /// If they don't fit together, by ipvsadm's rules.
    pub const fn new(
        kind: TunnelType,
        port: Option<u16>,
        checksum: Option<TunnelChecksum>,
    ) -> Result<Self, TunnelError> {
        let checksum = match checksum {
            Some(checksum) => checksum,
            None => TunnelChecksum::Nocsum,
        };
        match (kind, port, checksum) {
            (TunnelType::Gue, None | Some(0), _) => Err(TunnelError::NoPort),
            (TunnelType::Gue, Some(port), checksum) => Ok(Self::Gue { port, checksum }),
            (TunnelType::IpIp | TunnelType::Gre, Some(_), _) => Err(TunnelError::Port(kind)),
            (TunnelType::IpIp, None, TunnelChecksum::Nocsum) => Ok(Self::IpIp),
            (TunnelType::Gre, None, TunnelChecksum::Nocsum) => Ok(Self::Gre { checksum: false }),
            (TunnelType::Gre, None, TunnelChecksum::Csum) => Ok(Self::Gre { checksum: true }),
            (TunnelType::IpIp | TunnelType::Gre, None, checksum) => Err(TunnelError::Checksum(kind, checksum)),
        }
    }

    /// The tunnel of IPVS's type number, port and flags; `None` for a type it has not.
    pub const fn from_ipvs(kind: u8, port: u16, flags: u16) -> Option<Self> {
        match kind {
            0 => Some(Self::IpIp),
            1 => {
                let checksum = if flags & Self::REMOTE_CHECKSUM != 0 {
                    TunnelChecksum::Remcsum
                } else if flags & Self::CHECKSUM != 0 {
                    TunnelChecksum::Csum
                } else {
                    TunnelChecksum::Nocsum
                };
                Some(Self::Gue { port, checksum })
            }
            2 => Some(Self::Gre { checksum: flags & Self::CHECKSUM != 0 }),
            _ => None,
        }
    }

    /// IPVS's type number, port and flags.
    pub const fn to_ipvs(self) -> (u8, u16, u16) {
        let flags = match self.checksum() {
            TunnelChecksum::Nocsum => 0,
            TunnelChecksum::Csum => Self::CHECKSUM,
            TunnelChecksum::Remcsum => Self::REMOTE_CHECKSUM,
        };
        match self {
            Self::IpIp => (0, 0, flags),
            Self::Gue { port, .. } => (1, port, flags),
            Self::Gre { .. } => (2, 0, flags),
        }
    }

    /// The kind of header.
    pub const fn kind(self) -> TunnelType {
        match self {
            Self::IpIp => TunnelType::IpIp,
            Self::Gue { .. } => TunnelType::Gue,
            Self::Gre { .. } => TunnelType::Gre,
        }
    }

    /// GUE's port.
    pub const fn port(self) -> Option<u16> {
        match self {
            Self::Gue { port, .. } => Some(port),
            Self::IpIp | Self::Gre { .. } => None,
        }
    }

    /// Whether the header has a checksum.
    pub const fn checksum(self) -> TunnelChecksum {
        match self {
            Self::IpIp | Self::Gre { checksum: false } => TunnelChecksum::Nocsum,
            Self::Gue { checksum, .. } => checksum,
            Self::Gre { checksum: true } => TunnelChecksum::Csum,
        }
    }
}

impl fmt::Display for Encapsulation {
    /// In ipvsadm's words, without the default checksum: `ipip`, `gue 6080 csum`, `gre`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())?;
        if let Some(port) = self.port() {
            write!(f, " {port}")?;
        }
        match self.checksum() {
            TunnelChecksum::Nocsum => Ok(()),
            checksum => write!(f, " {checksum}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TunnelChecksum::{Csum, Nocsum, Remcsum};

    /// ipvs-facts C.5
    #[test]
    fn flags_are_ipvs_s() {
        let gue = |checksum| Some(Encapsulation::Gue { port: 6080, checksum });
        let all = [0, 1, 2].map(|flags| Encapsulation::from_ipvs(1, 6080, flags));
        assert_eq!(all, [gue(Nocsum), gue(Csum), gue(Remcsum)]);
        let gre = |checksum| Some(Encapsulation::Gre { checksum });
        assert_eq!([0, 1, 2].map(|flags| Encapsulation::from_ipvs(2, 0, flags)), [gre(false), gre(true), gre(false)]);
        assert_eq!(
            (Encapsulation::from_ipvs(0, 6080, 1), Encapsulation::from_ipvs(3, 0, 0)),
            (Some(Encapsulation::IpIp), None)
        );
    }

    /// What ipvsadm takes: a port of gue and of nothing else, checksums of gue, of gre all but remcsum, of ipip none.
    #[test]
    fn words_fit_together_as_ipvsadm_has_it() {
        let words = [None, Some(Nocsum), Some(Csum), Some(Remcsum)];
        let fits = |kind, port| words.map(|checksum| Encapsulation::new(kind, port, checksum).is_ok());
        assert_eq!(fits(TunnelType::IpIp, None), [true, true, false, false]);
        assert_eq!(fits(TunnelType::Gre, None), [true, true, true, false]);
        assert_eq!(fits(TunnelType::Gue, Some(6080)), [true; 4]);
        for (kind, port) in [
            (TunnelType::Gue, None),
            (TunnelType::Gue, Some(0)),
            (TunnelType::Gre, Some(1)),
            (TunnelType::IpIp, Some(1)),
        ] {
            assert_eq!(fits(kind, port), [false; 4], "{kind}");
        }
    }

    #[test]
    fn numbers_and_words_come_back_as_they_went() {
        for (kind, port) in [(TunnelType::IpIp, None), (TunnelType::Gue, Some(6080)), (TunnelType::Gre, None)] {
            for checksum in TunnelChecksum::ALL {
                let Ok(one) = Encapsulation::new(kind, port, Some(checksum)) else { continue };
                assert_eq!((one.kind(), one.port(), one.checksum()), (kind, port, checksum));
                let (number, port, flags) = one.to_ipvs();
                assert_eq!(Encapsulation::from_ipvs(number, port, flags), Some(one));
                assert_eq!((kind.name().parse(), checksum.name().parse()), (Ok(kind), Ok(checksum)));
            }
        }
        let said = [Encapsulation::IpIp, Encapsulation::Gre { checksum: true }].map(|one| one.to_string());
        assert_eq!(said, ["ipip", "gre csum"]);
        assert_eq!(Encapsulation::Gue { port: 6080, checksum: Remcsum }.to_string(), "gue 6080 remcsum");
    }
}
