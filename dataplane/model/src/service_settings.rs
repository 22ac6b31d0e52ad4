use std::fmt;

use crate::SchedulerKind;

/// All of a service that can be edited (ipvs-facts D.1). A bare scheduler stands for IPVS's defaults with it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ServiceSettings {
    /// The rule for new connections.
    pub scheduler: SchedulerKind,
}

impl From<SchedulerKind> for ServiceSettings {
    fn from(scheduler: SchedulerKind) -> Self {
        Self { scheduler }
    }
}

impl fmt::Display for ServiceSettings {
    /// `scheduler wlc`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scheduler {}", self.scheduler)
    }
}
