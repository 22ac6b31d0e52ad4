//! Destinations of a service: added, edited and removed; the scheduler's memory is brought along as the kernel does (ipvs-facts D.2).

use std::net::SocketAddr;

use ulvs_model::{Destination, ServiceKey, Weight};

use crate::sched::{Candidate, Edit, Listed};
use crate::snapshot::{CompileError, DestinationId};

use super::services::fits;
use super::{Compiler, Record};

impl Compiler {
    /// Adds a destination in front of the others; one that was removed lately comes back with connections and counters.
    ///
    /// # Errors
    /// If there is no such service, it has the destination already, or there are too many.
    pub fn add_destination(&mut self, key: ServiceKey, destination: Destination) -> Result<(), CompileError> {
        if self.find(key, destination.address).is_ok() {
            return Err(CompileError::DestinationExists(key, destination.address));
        }
        let record = self.records.get(&key).ok_or(CompileError::NoSuchService(key))?;
        fits(key, record.settings.scheduler, record.destinations.len() + 1)?;
        self.add(key, destination)?;
        self.publish_service(key);
        Ok(())
    }

    /// Changes a destination's weight or method; existing connections keep the method they began with (ipvs-facts D.2).
    ///
    /// # Errors
    /// If there is no such service or destination.
    pub fn edit_destination(&mut self, key: ServiceKey, destination: Destination) -> Result<(), CompileError> {
        let id = self.find(key, destination.address)?;
        if let Some(slot) = self.slots[id.0 as usize].as_mut() {
            slot.destination = destination;
            if destination.weight != Weight::QUIESCENT {
                slot.last_weight = destination.weight.get();
            }
        }
        self.shared.live.limit(id, destination.thresholds);
        self.refresh(id);
        self.edited(key, Edit::Edited);
        self.publish_service(key);
        Ok(())
    }

    /// Removes a destination; its connections stay (ipvs-facts B.8).
    ///
    /// # Errors
    /// If there is no such service or destination.
    pub fn remove_destination(&mut self, key: ServiceKey, address: SocketAddr) -> Result<(), CompileError> {
        let id = self.find(key, address)?;
        let totals = self.totals(id);
        let record = self.records.get_mut(&key).ok_or(CompileError::NoSuchService(key))?;
        let at = record.destinations.iter().position(|&d| d == id).unwrap_or(0);
        record.destinations.remove(at);
        record.removed = record.removed.plus(totals);
        self.retire(id);
        self.edited(key, Edit::Removed(at));
        self.publish_service(key);
        Ok(())
    }

    /// How many destination numbers have ever been in use: those below.
    pub fn destinations_used(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn find(&self, key: ServiceKey, address: SocketAddr) -> Result<DestinationId, CompileError> {
        let record = self.records.get(&key).ok_or(CompileError::NoSuchService(key))?;
        let is = |id: &&DestinationId| {
            self.slots[id.0 as usize].as_ref().is_some_and(|slot| slot.destination.address == address)
        };
        record.destinations.iter().find(is).copied().ok_or(CompileError::NoSuchDestination(key, address))
    }

    /// Whether there is room for destinations to be added, which may be more than remain of the ones removed lately.
    ///
    /// # Errors
    /// If there is not.
    pub fn room_for_all(&self, added: impl Iterator<Item = (ServiceKey, SocketAddr)>) -> Result<(), CompileError> {
        self.room_for(added.filter(|one| !self.trash.contains_key(one)).count())
    }

    pub(super) fn room_for(&self, count: usize) -> Result<(), CompileError> {
        let most = self.shared.capacity().destinations;
        let unused = (most as usize).saturating_sub(self.slots.len());
        if unused + self.free.len() < count { Err(CompileError::TooManyDestinations(most)) } else { Ok(()) }
    }

    pub(super) fn add(&mut self, key: ServiceKey, destination: Destination) -> Result<(), CompileError> {
        let id = match self.trash.remove(&(key, destination.address)) {
            Some(id) => self.revive(id, destination),
            None => self.allot(key, destination)?,
        };
        self.additions += 1;
        if let Some(slot) = self.slots[id.0 as usize].as_mut() {
            slot.added = self.additions;
        }
        self.shared.live.limit(id, destination.thresholds);
        self.refresh(id);
        if let Some(record) = self.records.get_mut(&key) {
            record.destinations.insert(0, id);
        }
        self.edited(key, Edit::Added);
        Ok(())
    }

    pub(super) fn listed(&self, record: &Record) -> Vec<Listed> {
        let one = |&id: &DestinationId| {
            let slot = self.slots[id.0 as usize].as_ref()?;
            let Destination { address, weight, thresholds, .. } = slot.destination;
            Some(Listed {
                candidate: Candidate { id, weight: weight.get() },
                generation: slot.generation,
                last_weight: slot.last_weight,
                limited: thresholds.are_set(),
                address,
            })
        };
        record.destinations.iter().filter_map(one).collect()
    }

    pub(super) fn candidates(&self, key: ServiceKey) -> Result<Vec<Candidate>, CompileError> {
        let record = self.records.get(&key).ok_or(CompileError::NoSuchService(key))?;
        Ok(self.listed(record).iter().map(|one| one.candidate).collect())
    }

    /// Brings the scheduler's memory along with a change that was just made.
    pub(super) fn edited(&self, key: ServiceKey, edit: Edit) {
        if let (Some(record), Ok(candidates)) = (self.records.get(&key), self.candidates(key)) {
            record.memory.edited(record.settings.scheduler, edit, &candidates);
        }
    }
}
