use crate::SchedulerKind;

/// What a service's scheduler may do beside its rule: `ipvsadm -b`. They mean something to `sh` and `mh` only, but are kept
/// whatever the scheduler is, as IPVS does (ipvs-facts A.11, A.12, D.1).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SchedulerFlags {
    /// A client whose destination can't be used gets another: `sh-fallback`, `mh-fallback`.
    pub fallback: bool,
    /// The client's port counts beside its address: `sh-port`, `mh-port`.
    pub port: bool,
}

impl SchedulerFlags {
    const FALLBACK: u32 = 0x08;
    const PORT: u32 = 0x10;

    /// The flags among a service's, by IPVS's numbers.
    pub const fn from_bits(bits: u32) -> Self {
        Self { fallback: bits & Self::FALLBACK != 0, port: bits & Self::PORT != 0 }
    }

    /// IPVS's numbers of them.
    pub const fn bits(self) -> u32 {
        (if self.fallback { Self::FALLBACK } else { 0 }) | if self.port { Self::PORT } else { 0 }
    }

    /// The flag with this name of `ipvsadm`'s, if the scheduler has it.
    pub fn named(scheduler: SchedulerKind, name: &str) -> Option<Self> {
        let known = Self::names(scheduler)?;
        match known.iter().position(|known| *known == name)? {
            0 => Some(Self { fallback: true, port: false }),
            _ => Some(Self { fallback: false, port: true }),
        }
    }

    /// The names of a scheduler's flags: fallback, port. `None`: it has no flags.
    pub const fn names(scheduler: SchedulerKind) -> Option<[&'static str; 2]> {
        match scheduler {
            SchedulerKind::Sh => Some(["sh-fallback", "sh-port"]),
            SchedulerKind::Mh => Some(["mh-fallback", "mh-port"]),
            _ => None,
        }
    }

    /// The names of those that are set, as `ipvsadm` prints them: a scheduler without flags has numbers.
    pub fn shown(self, scheduler: SchedulerKind) -> Vec<&'static str> {
        let [fallback, port] = Self::names(scheduler).unwrap_or(["flag-1", "flag-2"]);
        [(self.fallback, fallback), (self.port, port)].into_iter().filter(|(set, _)| *set).map(|(_, n)| n).collect()
    }

    /// Both sets' flags.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { fallback: self.fallback || other.fallback, port: self.port || other.port }
    }

    /// Whether none is set.
    pub const fn is_empty(self) -> bool {
        !self.fallback && !self.port
    }
}
