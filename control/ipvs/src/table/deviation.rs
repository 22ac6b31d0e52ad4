use ulvs_model::Sysctl;

use super::plan::{destination, settings};
use super::{
    Destination, DestinationSettings, DestinationSpec, FileService, Flags, Service, ServiceId, ServiceSettings,
    ServiceSpec, Table, Timeouts,
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
        let (said, now) = (self.file.timeouts(), self.timeouts);
        let timeouts = (said != now).then_some(Deviation::Timeouts(said, now));
        let sysctls = self.file.sysctls().differences(&self.sysctls);
        let sysctls = sysctls.map(|(which, said, now)| Deviation::Sysctl(which, said, now));
        timeouts.into_iter().chain(sysctls).chain(self.file.services().iter().flat_map(|said| self.deviations_of(said)))
    }

    fn deviations_of(&self, said: &FileService) -> Vec<Deviation> {
        let Some(now) = self.service(said.id()) else { return vec![Deviation::Service(said.spec().clone(), None)] };
        let mut found = Vec::new();
        if !now.is_as(said.spec()) {
            found.push(Deviation::Service(said.spec().clone(), Some(*now.settings())));
        }
        for (id, spec) in said.destinations() {
            match now.destination(id) {
                Some(one) if one.is_as(spec) => {}
                other => found.push(Deviation::Destination(*said.id(), *spec, other.map(|one| one.settings))),
            }
        }
        found
    }
}

impl Service {
    /// Whether it has the settings that are said.
    pub fn is_as(&self, said: &ServiceSpec) -> bool {
        settings(said, Flags::default()).is_ok_and(|settings| settings == self.settings)
    }
}

impl Destination {
    /// Whether it has the settings that are said.
    pub fn is_as(&self, said: &DestinationSpec) -> bool {
        destination(said, self.id.family(), self.owner).is_ok_and(|said| said.settings == self.settings)
    }
}
