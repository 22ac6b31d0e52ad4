//! IPVS's table: what netlink can say, with IPVS's rules (ipvs-facts D, E.6).
//!
//! Nothing here does I/O. A [`Command`] becomes a list of [`Change`]s by [`Table::plan`], which alters nothing; the
//! caller forwards with the changes, and then [`Table::commit`]s them. A change that can't be forwarded is simply never
//! committed.
//!
//! **Ownership.** Each service and destination has an [`Owner`]: the file, netlink or the API. Each of them may edit and
//! remove everything, as an operator at a kernel could. What the file names is the file's, whoever added it; all else is
//! whose who added it. Following the file touches the file's entries only, and of them only those of which it says something
//! else than before: what others did to the file's entries meanwhile ([`Deviation`]s: a health check's weight 0, a drained
//! real server) stays until the file speaks of that entry again, or is followed with [`Follow::Reset`](crate::Follow).

mod change;
mod command;
mod commit;
mod daemons;
mod describe;
mod destination;
mod deviation;
mod file_entries;
mod hold;
mod name;
mod place;
mod plan;
mod service;
mod service_name;
mod timeouts;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

pub use change::Change;
pub use command::{Command, DaemonSpec, DestinationSpec, ServiceSpec};
pub use daemons::{Role, SyncDaemon};
pub use destination::{Destination, DestinationId, DestinationSettings, Tunnel, TunnelKind};
pub use deviation::Deviation;
pub use file_entries::{FileEntries, FileService};
pub use hold::{Checked, Deadline, Drain, Hold};
pub use name::SchedulerName;
pub use place::Place;
pub use service::{Family, Flags, Owner, Service, ServiceId, ServiceSettings};
pub use timeouts::Timeouts;
pub use ulvs_model::PersistenceEngine;

use ulvs_model::Sysctls;

/// All of IPVS's state that clients set. A copy shares what isn't changed in it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    services: BTreeMap<Place, Arc<Service>>,
    places: HashMap<ServiceId, Place>,
    timeouts: Timeouts,
    sysctls: Sysctls,
    daemons: Vec<SyncDaemon>,
    /// What the file said when it was followed last.
    file: Arc<FileEntries>,
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
        self.services.get(self.places.get(id)?).map(Arc::as_ref)
    }

    /// What the file said when it was followed last.
    pub const fn file(&self) -> &Arc<FileEntries> {
        &self.file
    }

    /// The services behind a place in the order they are listed, or all of them.
    ///
    /// A place stays what it is while services come and go: a listing in pieces names none twice and misses none that
    /// was there all the time.
    pub fn services(&self, behind: Option<Place>) -> impl Iterator<Item = (Place, &Service)> {
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        self.services.range((from, Bound::Unbounded)).map(|(place, service)| (*place, service.as_ref()))
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether there is no service.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// IPVS's switches as they are set.
    pub const fn sysctls(&self) -> &Sysctls {
        &self.sysctls
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
        self.services.values().any(|service| service.mixes_families())
    }
}
