use std::fmt;

use crate::{Persistence, SchedulerFlags, SchedulerKind};

/// All of a service that can be edited (ipvs-facts D.1). A bare scheduler stands for IPVS's defaults with it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ServiceSettings {
    /// The rule for new connections.
    pub scheduler: SchedulerKind,
    /// What that may do beside.
    pub scheduler_flags: SchedulerFlags,
    /// Clients keep their real server.
    pub persistence: Option<Persistence>,
    /// Each datagram is scheduled by itself, without a connection (ipvs-facts B.7). Of TCP it means nothing.
    pub one_packet: bool,
}

impl From<SchedulerKind> for ServiceSettings {
    fn from(scheduler: SchedulerKind) -> Self {
        Self { scheduler, ..Self::default() }
    }
}

impl fmt::Display for ServiceSettings {
    /// `scheduler wlc`, `scheduler sh sh-fallback,sh-port persistent 600 mask 255.255.255.0`, `scheduler rr ops`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scheduler {}", self.scheduler)?;
        if !self.scheduler_flags.is_empty() {
            write!(f, " {}", self.scheduler_flags.shown(self.scheduler).join(","))?;
        }
        self.persistence.map_or(Ok(()), |persistence| write!(f, " {persistence}"))?;
        if self.one_packet { f.write_str(" ops") } else { Ok(()) }
    }
}
