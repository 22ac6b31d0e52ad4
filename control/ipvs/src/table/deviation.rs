use ulvs_model::Sysctl;

use super::plan::{destination, settings};
use super::{
    Destination, DestinationId, DestinationSettings, DestinationSpec, FileService, Flags, Service, ServiceId,
    ServiceSettings, ServiceSpec, Table, Timeouts,
};

/// Where the table is not as the file says: a client of netlink or the API has edited or removed an entry of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Deviation {
    /// A service has other settings, or is gone with its destinations.
    Service(ServiceSpec, Option<ServiceSettings>),
    /// A destination of a service that is there has other settings, or is gone.
    Destination(ServiceId, DestinationSpec, Option<DestinationSettings>),
    /// The timeouts are others.
    Timeouts(Timeouts, Timeouts),
    /// A switch of IPVS's has another value.
    Sysctl(Sysctl, i32, i32),
}

impl Deviation {
    /// Whether the entry is gone.
    pub const fn is_removal(&self) -> bool {
        matches!(self, Self::Service(_, None) | Self::Destination(_, _, None))
    }
}

impl Table {
    /// What others made of the file's entries since it was followed.
    pub fn deviations(&self) -> impl Iterator<Item = Deviation> {
        self.deviations_of_numbers().chain(self.file.services().iter().flat_map(|said| self.deviations_from(said)))
    }

    /// Those of the timeouts and the switches.
    pub fn deviations_of_numbers(&self) -> impl Iterator<Item = Deviation> {
        let (said, now) = (self.file.timeouts(), self.timeouts);
        let timeouts = (said != now).then_some(Deviation::Timeouts(said, now));
        let sysctls = self.file.sysctls().differences(&self.sysctls);
        timeouts.into_iter().chain(sysctls.map(|(which, said, now)| Deviation::Sysctl(which, said, now)))
    }

    /// Those of the service with this identity and of its destinations.
    pub fn deviations_of(&self, id: &ServiceId) -> Vec<Deviation> {
        self.file.service(id).map_or_else(Vec::new, |said| self.deviations_from(said))
    }

    /// That of a service, whatever its destinations are.
    pub fn deviation_of(&self, id: &ServiceId) -> Option<Deviation> {
        let (said, now) = (self.file.service(id)?.spec(), self.service(id));
        let is_so = now.is_some_and(|now| now.is_as(said));
        (!is_so).then(|| Deviation::Service(said.clone(), now.map(|now| *now.settings())))
    }

    /// That of a destination of a service that is there.
    pub fn deviation_of_destination(&self, service: &ServiceId, id: &DestinationId) -> Option<Deviation> {
        self.service(service)?.deviation(self.file.service(service)?.destination(id)?, id)
    }

    fn deviations_from(&self, said: &FileService) -> Vec<Deviation> {
        let Some(now) = self.service(said.id()) else { return self.deviation_of(said.id()).into_iter().collect() };
        let destinations = said.destinations().iter().filter_map(|(id, spec)| now.deviation(spec, id));
        self.deviation_of(said.id()).into_iter().chain(destinations).collect()
    }
}

impl Service {
    /// Whether it has the settings that are said.
    pub fn is_as(&self, said: &ServiceSpec) -> bool {
        settings(said, Flags::default()).is_ok_and(|settings| settings == self.settings)
    }

    fn deviation(&self, said: &DestinationSpec, id: &DestinationId) -> Option<Deviation> {
        let now = self.destination(id);
        let is_so = now.is_some_and(|now| now.is_as(said));
        (!is_so).then(|| Deviation::Destination(self.id, *said, now.map(|now| now.settings)))
    }
}

impl Destination {
    /// Whether it has the settings that are said.
    pub fn is_as(&self, said: &DestinationSpec) -> bool {
        destination(said, self.id.family(), self.owner).is_ok_and(|said| said.settings == self.settings)
    }
}
