use std::fmt;
use std::str::FromStr;

use crate::UnknownName;

/// The rule that chooses a destination for a new connection (ipvs-facts A).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SchedulerKind {
    /// Round robin.
    Rr,
    /// Weighted round robin.
    Wrr,
    /// Least connection.
    Lc,
    /// Weighted least connection, ipvsadm's default.
    Wlc,
    /// Locality-based least connection.
    Lblc,
    /// Locality-based least connection with replication.
    Lblcr,
    /// Destination hashing.
    Dh,
    /// Source hashing.
    Sh,
    /// Shortest expected delay.
    Sed,
    /// Never queue.
    Nq,
    /// Weighted failover.
    Fo,
    /// Weighted overflow.
    Ovf,
    /// Maglev hashing.
    Mh,
    /// Power of two choices.
    Twos,
    /// None: no new connection goes anywhere.
    None,
}

impl SchedulerKind {
    /// Every scheduler that chooses, in ipvs-facts' order.
    pub const ALL: [Self; 14] = [
        Self::Rr,
        Self::Wrr,
        Self::Lc,
        Self::Wlc,
        Self::Lblc,
        Self::Lblcr,
        Self::Dh,
        Self::Sh,
        Self::Sed,
        Self::Nq,
        Self::Fo,
        Self::Ovf,
        Self::Mh,
        Self::Twos,
    ];

    /// IPVS's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
            Self::Lblc => "lblc",
            Self::Lblcr => "lblcr",
            Self::Dh => "dh",
            Self::Sh => "sh",
            Self::Sed => "sed",
            Self::Nq => "nq",
            Self::Fo => "fo",
            Self::Ovf => "ovf",
            Self::Mh => "mh",
            Self::Twos => "twos",
            Self::None => "none",
        }
    }

    /// The most destinations of a service with it, if that is limited: Maglev's table has no more places (ipvs-facts A.12).
    pub const fn most_destinations(self) -> Option<usize> {
        match self {
            Self::Mh => Some(4093),
            _ => None,
        }
    }
}

impl Default for SchedulerKind {
    /// ipvsadm's default (ipvs-facts A.0).
    fn default() -> Self {
        Self::Wlc
    }
}

impl fmt::Display for SchedulerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SchedulerKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().chain([Self::None]).find(|s| s.name() == name).ok_or_else(|| UnknownName {
            kind: "scheduler",
            given: name.to_owned(),
            known: "rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos, none",
        })
    }
}
