//! The vocabulary of IPVS, as values: services, destinations, forwarding methods, schedulers.
//!
//! One word per thing, and LVS's own: a *service* is a virtual service (VIP, port and protocol, or a firewall mark), a *destination* is a real
//! server as one service sees it. Values here are validated; nothing here does I/O.

mod destination;
mod encapsulation;
mod family;
mod forward_method;
mod persistence;
mod protocol;
mod scheduler_flags;
mod scheduler_kind;
mod service;
mod service_key;
mod service_set;
mod service_settings;
mod sysctls;
mod thresholds;
mod tunnel;
mod weight;

pub use destination::Destination;
pub use encapsulation::Encapsulation;
pub use family::Family;
pub use forward_method::ForwardMethod;
pub use persistence::{Netmask, Persistence, PersistenceEngine};
pub use protocol::Protocol;
pub use scheduler_flags::SchedulerFlags;
pub use scheduler_kind::SchedulerKind;
pub use service::{Service, ServiceError};
pub use service_key::ServiceKey;
pub use service_set::ServiceSet;
pub use service_settings::ServiceSettings;
pub use sysctls::{Sysctl, Sysctls};
pub use thresholds::Thresholds;
pub use tunnel::{TunnelChecksum, TunnelError, TunnelType};
pub use weight::Weight;

/// A name that is none of the known ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownName {
    /// What kind of thing was named: "scheduler", "protocol", "forwarding method".
    pub kind: &'static str,
    /// The name that was given.
    pub given: String,
    /// The names that would have been right, in the order to show them.
    pub known: &'static str,
}

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unknown {} \"{}\": use one of {}", self.kind, self.given, self.known)
    }
}

impl std::error::Error for UnknownName {}
