/// One of IPVS's files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum File {
    Services,
    Connections,
    ConnectionsWithOrigin,
    Totals,
    TotalsPerProcessor,
}

impl File {
    pub(super) const ALL: [Self; 5] =
        [Self::Services, Self::Connections, Self::ConnectionsWithOrigin, Self::Totals, Self::TotalsPerProcessor];

    /// The short ones, which are written, too.
    pub(super) const WRITTEN: [Self; 3] = [Self::Services, Self::Totals, Self::TotalsPerProcessor];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Services => "ip_vs",
            Self::Connections => "ip_vs_conn",
            Self::ConnectionsWithOrigin => "ip_vs_conn_sync",
            Self::Totals => "ip_vs_stats",
            Self::TotalsPerProcessor => "ip_vs_stats_percpu",
        }
    }

    pub(super) fn socket(self) -> String {
        format!("{}.sock", self.name())
    }

    /// What it is called until it is complete.
    pub(super) fn unfinished(self) -> String {
        format!(".{}.new", self.name())
    }
}
