//! What listings show.

use ulvs_model::{Destination, ServiceKey, ServiceSettings};

use crate::counters::Totals;
use crate::live::Load;

use super::DestinationId;

/// A service with its counters, for listings.
#[derive(Clone, Debug)]
pub struct ServiceStatus {
    /// What identifies it.
    pub key: ServiceKey,
    /// What can be edited of it.
    pub settings: ServiceSettings,
    /// All its destinations' counters, removed ones included.
    pub totals: Totals,
    /// Its destinations, in the order they were added.
    pub destinations: Vec<DestinationStatus>,
}

/// A destination with its counters, for listings.
#[derive(Clone, Debug)]
pub struct DestinationStatus {
    /// Its number.
    pub id: DestinationId,
    /// Address, method, weight.
    pub destination: Destination,
    /// Whether packets can be sent to it.
    pub reach: Reach,
    /// Its connections.
    pub load: Load,
    /// Clients that are to keep it, or networks of them.
    pub templates: u64,
    /// Its counters.
    pub totals: Totals,
}

/// Whether packets can be sent to a destination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// Yes.
    Resolved,
    /// Yes: it is the director itself.
    Local,
    /// Not before its next hop's hardware address is known.
    Unresolved,
    /// No: there is no route, or no source address for a tunnel.
    NoRoute,
}
