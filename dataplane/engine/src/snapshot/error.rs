use std::fmt;
use std::net::SocketAddr;

use ulvs_model::{SchedulerKind, ServiceKey};

/// Why a change can't be made. Nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CompileError {
    /// The service is there already.
    ServiceExists(ServiceKey),
    /// There is no such service.
    NoSuchService(ServiceKey),
    /// The destination is there already.
    DestinationExists(ServiceKey, SocketAddr),
    /// There is no such destination.
    NoSuchDestination(ServiceKey, SocketAddr),
    /// Every destination number is in use.
    TooManyDestinations(u32),
    /// The service's scheduler can't have more destinations.
    TooManyForScheduler(ServiceKey, SchedulerKind),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceExists(key) => write!(f, "service {key} exists already"),
            Self::NoSuchService(key) => write!(f, "there is no service {key}"),
            Self::DestinationExists(key, at) => write!(f, "service {key} has the real server {at} already"),
            Self::NoSuchDestination(key, at) => write!(f, "service {key} has no real server {at}"),
            Self::TooManyDestinations(most) => {
                write!(f, "all {most} real servers are in use: raise `capacity` in [destinations]")
            }
            Self::TooManyForScheduler(key, scheduler) => write!(
                f,
                "service {key} can't have more than {} real servers with scheduler {scheduler}: choose another scheduler",
                scheduler.most_destinations().unwrap_or(usize::MAX)
            ),
        }
    }
}

impl std::error::Error for CompileError {}
