use std::collections::HashMap;

use ulvs_model::Sysctls;

use super::{DestinationId, DestinationSpec, ServiceId, ServiceSpec, Timeouts};

/// What a file says of services, their real servers, the timeouts and IPVS's switches.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FileEntries {
    timeouts: Timeouts,
    sysctls: Sysctls,
    services: Vec<FileService>,
    places: HashMap<ServiceId, usize>,
}

/// What a file says of one service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileService {
    spec: ServiceSpec,
    destinations: Vec<(DestinationId, DestinationSpec)>,
}

impl FileService {
    /// A service without destinations.
    pub const fn new(spec: ServiceSpec) -> Self {
        Self { spec, destinations: Vec::new() }
    }

    /// Adds a destination. One whose family is unknown is left out: a file has none.
    pub fn add(&mut self, spec: DestinationSpec) {
        if let Ok(id) = spec.id(self.spec.id.family()) {
            self.destinations.push((id, spec));
        }
    }

    /// What identifies it.
    pub const fn id(&self) -> &ServiceId {
        &self.spec.id
    }

    /// What is said of the service itself.
    pub const fn spec(&self) -> &ServiceSpec {
        &self.spec
    }

    /// Its destinations in the order to add them.
    pub fn destinations(&self) -> &[(DestinationId, DestinationSpec)] {
        &self.destinations
    }

    /// What is said of a destination.
    pub fn destination(&self, id: &DestinationId) -> Option<&DestinationSpec> {
        self.destinations.iter().find(|(one, _)| one == id).map(|(_, spec)| spec)
    }
}

impl FileEntries {
    /// These services, timeouts and switches. Of several services with one identity the first counts.
    pub fn new(services: impl IntoIterator<Item = FileService>, timeouts: Timeouts, sysctls: Sysctls) -> Self {
        let mut entries = Self { timeouts, sysctls, ..Self::default() };
        for service in services {
            let next = entries.services.len();
            if *entries.places.entry(*service.id()).or_insert(next) == next {
                entries.services.push(service);
            }
        }
        entries
    }

    /// The timeouts.
    pub const fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// IPVS's switches.
    pub const fn sysctls(&self) -> &Sysctls {
        &self.sysctls
    }

    /// The services in the order to add them.
    pub fn services(&self) -> &[FileService] {
        &self.services
    }

    /// What is said of a service.
    pub fn service(&self, id: &ServiceId) -> Option<&FileService> {
        self.services.get(*self.places.get(id)?)
    }
}
