//! The immutable view workers forward with: services, destinations, ports, routes, neighbours, timeouts.
//!
//! The control side builds a new one for each change and shares everything that did not change: [`Compiler`].

mod addresses;
mod callers;
mod compiler;
mod defence;
mod destinations;
mod directory;
mod error;
mod ftp_ports;
mod line;
mod marks;
mod network;
#[cfg(test)]
mod network_tests;
mod pairs;
mod place;
mod real_server;
mod services;
mod source_limits;
mod status;
mod ways;

pub(crate) use addresses::{Addresses, Listener, Listeners};
pub(crate) use callers::{Caller, Callers};
pub use compiler::Compiler;
pub(crate) use defence::Defence;
pub(crate) use destinations::{DestinationView, Destinations};
pub use error::CompileError;
pub use ftp_ports::FtpPorts;
pub(crate) use line::ServiceLine;
pub use marks::MarkRule;
pub(crate) use marks::Marks;
pub(crate) use network::{Hop, Lookup, NetworkView};
pub use network::{HopId, Neighbour, Network, Port, Route};
pub(crate) use pairs::AddressPair;
pub(crate) use place::{ANY, Place, mark_as_address};
pub(crate) use real_server::{RealServerView, RealServers};
pub(crate) use services::{FTP, FTP_DATA, Persistence, ServiceView, Services};
pub use source_limits::SourceLimits;
pub use status::{DestinationStatus, Reach, ServiceStatus};

use std::sync::Arc;

use ulvs_model::Sysctls;

use crate::proto::Timeouts;

/// Number of a port.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PortId(pub u16);

/// Number of a destination. A number is used again when nothing refers to it any more; the generation tells the uses apart.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DestinationId(pub u32);

/// What a worker needs to know to forward.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) services: Services,
    pub(crate) marks: Arc<Marks>,
    /// Real servers that may begin calls.
    pub(crate) callers: Arc<Callers>,
    pub(crate) destinations: Destinations,
    /// Real servers that have or had NAT connections: their replies must not leave untranslated.
    pub(crate) translated: Addresses,
    /// Where real servers by NAT listen.
    pub(crate) listeners: Listeners,
    pub(crate) network: Arc<NetworkView>,
    pub(crate) timeouts: Timeouts,
    pub(crate) sysctls: Sysctls,
    /// Clients' packets are the kernel's, by the sysctl `backup_only` (ipvs-facts B.5, step 1).
    pub(crate) stands_aside: bool,
    pub(crate) ftp_ports: FtpPorts,
    pub(crate) defence: Defence,
    /// Absent: no source is limited anywhere.
    pub(crate) source_limits: Option<Arc<SourceLimits>>,
}

impl Snapshot {
    /// How many ports there are.
    pub fn ports(&self) -> usize {
        self.network.ports.len()
    }
}
