use crate::table::{DestinationId, ServiceId};

/// The ten numbers IPVS keeps for each service and each destination (ipvs-facts D.3).
///
/// What is shown are snapshots taken every two seconds and rates smoothed over them, which are the source's to make.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Connections scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients.
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Connections a second.
    pub connection_rate: u64,
    /// Packets a second from clients.
    pub packet_rate_in: u64,
    /// Packets a second to clients.
    pub packet_rate_out: u64,
    /// Bytes a second from clients.
    pub byte_rate_in: u64,
    /// Bytes a second to clients.
    pub byte_rate_out: u64,
}

/// What a destination shows beside its settings.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DestinationCounters {
    /// Connections that count as active.
    pub active: u32,
    /// All other connections.
    pub inactive: u32,
    /// Persistence templates.
    pub persistent: u32,
    /// Traffic.
    pub stats: Stats,
}

/// Where the numbers come from. What is not known counts zero.
pub trait Counters {
    /// A service's traffic.
    fn service(&self, id: &ServiceId) -> Stats;

    /// A destination's connections and traffic.
    fn destination(&self, service: &ServiceId, id: &DestinationId) -> DestinationCounters;
}
