use std::sync::Arc;

use super::{Change, Place, Service, ServiceId, Table};

impl Table {
    /// Makes changes that [`Table::plan`] gave for this very table.
    ///
    /// A change that doesn't fit is left out: it was not planned for this table.
    pub fn commit(&mut self, changes: &[Change]) {
        for change in changes {
            self.commit_one(change);
        }
    }

    fn commit_one(&mut self, change: &Change) {
        match change {
            Change::ServiceAdded(id, settings, owner) => {
                let place = Place::new(id, self.next_number());
                if let Some(old) = self.places.insert(*id, place) {
                    self.services.remove(&old);
                }
                let service = Service { id: *id, settings: *settings, owner: *owner, destinations: Vec::new() };
                self.services.insert(place, Arc::new(service));
            }
            Change::ServiceRemoved(id) => {
                if let Some(place) = self.places.remove(id) {
                    self.services.remove(&place);
                }
            }
            Change::ServiceEdited(id, ..)
            | Change::DestinationAdded(id, _)
            | Change::DestinationEdited(id, _)
            | Change::DestinationRemoved(id, _)
            | Change::DestinationWithdrawn(id, _)
            | Change::DestinationRestored(id, _)
            | Change::DestinationForgotten(id, _) => {
                let number = self.next_number();
                if let Some(service) = self.service_mut(id) {
                    service.commit(change, number);
                }
            }
            Change::TimeoutsSet(timeouts) => self.timeouts = *timeouts,
            Change::SysctlSet(which, number) => self.sysctls.put(*which, *number),
            Change::DaemonStarted(daemon) => {
                self.daemons.push(daemon.clone());
                self.daemons.sort_by_key(|daemon| daemon.role);
            }
            Change::DaemonStopped(role) => self.daemons.retain(|daemon| daemon.role != *role),
            Change::FileFollowed(file) => self.file = Arc::clone(file),
            Change::Zeroed(_) => {}
        }
    }

    /// The table with changes committed.
    #[must_use]
    pub fn after(&self, changes: &[Change]) -> Self {
        let mut after = self.clone();
        after.commit(changes);
        after
    }

    /// What a service will be once the changes are committed. None: not there.
    pub fn preview(&self, changes: &[Change], id: &ServiceId) -> Option<Service> {
        let mut service = self.service(id).cloned();
        for change in changes.iter().filter(|change| change.service() == Some(id)) {
            match change {
                Change::ServiceAdded(id, settings, owner) => {
                    service = Some(Service { id: *id, settings: *settings, owner: *owner, destinations: Vec::new() });
                }
                Change::ServiceRemoved(_) => service = None,
                change => {
                    if let Some(service) = &mut service {
                        service.commit(change, u64::MAX);
                    }
                }
            }
        }
        service
    }

    fn service_mut(&mut self, id: &ServiceId) -> Option<&mut Service> {
        self.services.get_mut(self.places.get(id)?).map(Arc::make_mut)
    }

    const fn next_number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}

impl Service {
    /// Makes a change of this service; `number` is the one of a destination that is new.
    fn commit(&mut self, change: &Change, number: u64) {
        match change {
            Change::ServiceEdited(_, settings, owner) => (self.settings, self.owner) = (*settings, *owner),
            Change::DestinationAdded(_, destination) => self.destinations.push((number, *destination)),
            Change::DestinationEdited(_, destination)
            | Change::DestinationWithdrawn(_, destination)
            | Change::DestinationRestored(_, destination) => {
                for (_, one) in self.destinations.iter_mut().filter(|(_, one)| one.id == destination.id) {
                    *one = *destination;
                }
            }
            Change::DestinationRemoved(_, id) | Change::DestinationForgotten(_, id) => {
                self.destinations.retain(|(_, one)| one.id != *id);
            }
            _ => {}
        }
    }
}
