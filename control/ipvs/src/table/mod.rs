//! IPVS's table: what netlink can say, with IPVS's rules (ipvs-facts D, E.6).
//!
//! Nothing here does I/O. A [`Command`] becomes a list of [`Change`]s by [`Table::plan`], which alters nothing; the
//! caller forwards with the changes, and then [`Table::commit`]s them. A change that can't be forwarded is simply never
//! committed.
//!
//! **Ownership.** Each service and destination has an [`Owner`]: the file or netlink. Netlink lists, edits and removes all
//! of them, as an operator at a kernel could. What it adds is its own, and applying the file leaves that alone. What it
//! edits stays the file's: [`file::commands`](crate::file::commands) says the file's values again when it is applied next.
//! What the file names is the file's from then on, whoever added it.

mod change;
mod command;
mod commit;
mod daemons;
mod destination;
mod name;
mod place;
mod plan;
mod service;
mod timeouts;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

pub use change::Change;
pub use command::{Command, DaemonSpec, DestinationSpec, ServiceSpec};
pub use daemons::{Role, SyncDaemon};
pub use destination::{Destination, DestinationId, DestinationSettings, Tunnel, TunnelKind};
pub use name::{PersistenceEngine, SchedulerName};
pub use place::Place;
pub use service::{Family, Flags, Owner, Service, ServiceId, ServiceSettings};
pub use timeouts::Timeouts;

/// All of IPVS's state that clients set.
#[derive(Clone, Debug, Default)]
pub struct Table {
    services: BTreeMap<Place, Service>,
    places: HashMap<ServiceId, Place>,
    timeouts: Timeouts,
    daemons: Vec<SyncDaemon>,
    /// Counts all entries ever made: the newest of a bucket or of a service is the one with the highest number.
    made: u64,
}

impl Table {
    /// No services, no daemons, IPVS's timeouts.
    pub fn new() -> Self {
        Self::default()
    }

    /// The service with this identity.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.get(self.places.get(id)?)
    }

    /// The services behind a place in the order they are listed, or all of them.
    ///
    /// A place stays what it is while services come and go: a listing in pieces names none twice and misses none that
    /// was there all the time.
    pub fn services(&self, behind: Option<Place>) -> impl Iterator<Item = (Place, &Service)> {
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        self.services.range((from, Bound::Unbounded)).map(|(place, service)| (*place, service))
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether there is no service.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// The timeouts that are set.
    pub const fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// The sync daemons that were started: at most one of each role, the master first.
    pub fn daemons(&self) -> &[SyncDaemon] {
        &self.daemons
    }

    /// Whether a service has a destination of another address family, which synchronisation can't describe.
    pub fn mixes_families(&self) -> bool {
        self.services.values().any(Service::mixes_families)
    }
}
