use std::fmt;
use std::str::FromStr;

use crate::UnknownName;

/// IPVS's switches of `/proc/sys/net/ipv4/vs/`, by their names, as far as their behaviour is here (ipvs-facts G).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sysctls {
    /// A removed or weight-0 destination invalidates its templates (B.6). Any number but 0 is on.
    pub expire_quiescent_template: i32,
    /// 0: tunnels take no notice of IPv4's DF, and are fragmented (C.5). Any other number is on.
    pub pmtu_disc: i32,
}

impl Default for Sysctls {
    /// IPVS's.
    fn default() -> Self {
        Self { expire_quiescent_template: 0, pmtu_disc: 1 }
    }
}

/// The name of a switch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sysctl {
    /// See [`Sysctls::expire_quiescent_template`].
    ExpireQuiescentTemplate,
    /// See [`Sysctls::pmtu_disc`].
    PmtuDisc,
}

impl Sysctl {
    /// Every switch.
    pub const ALL: [Self; 2] = [Self::ExpireQuiescentTemplate, Self::PmtuDisc];

    /// IPVS's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExpireQuiescentTemplate => "expire_quiescent_template",
            Self::PmtuDisc => "pmtu_disc",
        }
    }
}

impl Sysctls {
    /// The value of a switch.
    pub const fn get(&self, which: Sysctl) -> i32 {
        match which {
            Sysctl::ExpireQuiescentTemplate => self.expire_quiescent_template,
            Sysctl::PmtuDisc => self.pmtu_disc,
        }
    }

    /// Sets a switch.
    pub fn set(&mut self, which: Sysctl, value: i32) {
        match which {
            Sysctl::ExpireQuiescentTemplate => self.expire_quiescent_template = value,
            Sysctl::PmtuDisc => self.pmtu_disc = value,
        }
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Sysctl {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|one| one.name() == name).ok_or_else(|| UnknownName {
            kind: "sysctl",
            given: name.to_owned(),
            known: "expire_quiescent_template, pmtu_disc",
        })
    }
}
