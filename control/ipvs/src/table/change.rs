use std::sync::Arc;

use ulvs_model::Sysctl;

use super::{Destination, DestinationId, FileEntries, Owner, Role, ServiceId, ServiceSettings, SyncDaemon, Timeouts};

/// One thing that differs after a command, to be forwarded with and then committed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A service without destinations is new.
    ServiceAdded(ServiceId, ServiceSettings, Owner),
    /// A service has these settings and this owner now. Its destinations and connections stay.
    ServiceEdited(ServiceId, ServiceSettings, Owner),
    /// A service is gone, with its destinations.
    ServiceRemoved(ServiceId),
    /// A service has one destination more.
    DestinationAdded(ServiceId, Destination),
    /// A destination has these settings now. Connections keep the method they were made with.
    DestinationEdited(ServiceId, Destination),
    /// A destination is gone.
    DestinationRemoved(ServiceId, DestinationId),
    /// A destination is as it is here now, and is not forwarded to any more.
    DestinationWithdrawn(ServiceId, Destination),
    /// A destination is as it is here now, and is forwarded to again.
    DestinationRestored(ServiceId, Destination),
    /// A destination that was not forwarded to is gone.
    DestinationForgotten(ServiceId, DestinationId),
    /// Timers that start from now on take these.
    TimeoutsSet(Timeouts),
    /// One of IPVS's switches has this value now.
    SysctlSet(Sysctl, i32),
    /// A sync daemon is to run.
    DaemonStarted(SyncDaemon),
    /// The sync daemon of a role is to stop.
    DaemonStopped(Role),
    /// Counters of a service and its destinations, or of everything, count from zero.
    Zeroed(Option<ServiceId>),
    /// What the file says from now on.
    FileFollowed(Arc<FileEntries>),
}

impl Change {
    /// The service it is about, if it is about one.
    pub const fn service(&self) -> Option<&ServiceId> {
        match self {
            Self::ServiceAdded(id, ..)
            | Self::ServiceEdited(id, ..)
            | Self::ServiceRemoved(id)
            | Self::DestinationAdded(id, _)
            | Self::DestinationEdited(id, _)
            | Self::DestinationRemoved(id, _)
            | Self::DestinationWithdrawn(id, _)
            | Self::DestinationRestored(id, _)
            | Self::DestinationForgotten(id, _) => Some(id),
            Self::Zeroed(id) => id.as_ref(),
            Self::TimeoutsSet(_)
            | Self::SysctlSet(..)
            | Self::DaemonStarted(_)
            | Self::DaemonStopped(_)
            | Self::FileFollowed(_) => None,
        }
    }
}
