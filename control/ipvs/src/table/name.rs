use ulvs_model::SchedulerKind;

/// A scheduler IPVS knows by name, as a kernel with all its modules does (ipvs-facts A).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SchedulerName {
    /// Round robin.
    Rr,
    /// Weighted round robin.
    Wrr,
    /// Least connection.
    Lc,
    /// Weighted least connection.
    Wlc,
    /// Weighted failover.
    Fo,
    /// Weighted overflow.
    Ovf,
    /// Locality-based least connection.
    Lblc,
    /// Locality-based least connection with replication.
    Lblcr,
    /// Destination hashing.
    Dh,
    /// Source hashing.
    Sh,
    /// Maglev hashing.
    Mh,
    /// Shortest expected delay.
    Sed,
    /// Never queue.
    Nq,
    /// Power of two choices.
    Twos,
    /// No scheduler at all, said by the name "none": every new connection is refused.
    None,
}

impl SchedulerName {
    /// Every name.
    pub const ALL: [Self; 15] = [
        Self::Rr,
        Self::Wrr,
        Self::Lc,
        Self::Wlc,
        Self::Fo,
        Self::Ovf,
        Self::Lblc,
        Self::Lblcr,
        Self::Dh,
        Self::Sh,
        Self::Mh,
        Self::Sed,
        Self::Nq,
        Self::Twos,
        Self::None,
    ];

    /// The name itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
            Self::Fo => "fo",
            Self::Ovf => "ovf",
            Self::Lblc => "lblc",
            Self::Lblcr => "lblcr",
            Self::Dh => "dh",
            Self::Sh => "sh",
            Self::Mh => "mh",
            Self::Sed => "sed",
            Self::Nq => "nq",
            Self::Twos => "twos",
            Self::None => "none",
        }
    }

    /// The scheduler with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The datapath's scheduler of this name.
    pub fn kind(self) -> SchedulerKind {
        SchedulerKind::ALL.into_iter().find(|kind| kind.name() == self.name()).unwrap_or(SchedulerKind::None)
    }
}
