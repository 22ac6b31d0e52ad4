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
}

impl SchedulerKind {
    /// Every scheduler the engine has.
    pub const ALL: [Self; 4] = [Self::Rr, Self::Wrr, Self::Lc, Self::Wlc];

    /// IPVS's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
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
        Self::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| UnknownName {
            kind: "scheduler",
            given: name.to_owned(),
            known: "rr, wrr, lc, wlc",
        })
    }
}
