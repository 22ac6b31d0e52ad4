//! Services: added, edited and removed, and their schedulers made (ipvs-facts D.1).

use std::sync::Arc;

use ulvs_model::{PersistenceEngine, Protocol, SchedulerKind, Service, ServiceKey, ServiceSettings, Sysctls};

use crate::counters::Totals;
use crate::sched::{Memory, Scheduler};
use crate::snapshot::{Caller, Callers, CompileError, DestinationId, ServiceView};

use super::{Compiler, Record};

impl Compiler {
    /// Adds a service with its destinations, in their order.
    ///
    /// # Errors
    /// If the service exists or there are too many destinations.
    pub fn add_service(&mut self, service: &Service) -> Result<(), CompileError> {
        let key = service.key();
        let count = service.destinations().len();
        self.room_for(count)?;
        fits(key, service.scheduler(), count)?;
        self.new_service(key, service.settings())?;
        for destination in service.destinations() {
            self.add(key, *destination)?;
        }
        self.publish_service(key);
        Ok(())
    }

    /// Adds a service without destinations.
    ///
    /// # Errors
    /// If the service exists.
    pub fn new_service(&mut self, key: ServiceKey, settings: ServiceSettings) -> Result<(), CompileError> {
        if self.records.contains_key(&key) {
            return Err(CompileError::ServiceExists(key));
        }
        let memory = Memory::bind(settings.scheduler, &mut self.cells, self.shared.hasher(), &[]);
        self.generations = self.generations.wrapping_add(1);
        let (destinations, removed, generation) = (Vec::new(), Totals::default(), self.generations);
        self.records.insert(key, Record { settings, memory, destinations, removed, generation });
        self.publish_service(key);
        Ok(())
    }

    /// Changes a service's settings; another scheduler begins anew with the present destinations (ipvs-facts D.1).
    ///
    /// # Errors
    /// If there is no such service, or the scheduler can't have so many destinations.
    pub fn edit_service(&mut self, key: ServiceKey, settings: ServiceSettings) -> Result<(), CompileError> {
        let candidates = self.candidates(key)?;
        fits(key, settings.scheduler, candidates.len())?;
        let hasher = self.shared.hasher();
        let record = self.records.get_mut(&key).ok_or(CompileError::NoSuchService(key))?;
        if record.settings.scheduler != settings.scheduler {
            record.memory = Memory::bind(settings.scheduler, &mut self.cells, hasher, &candidates);
        }
        let began_calls = by_call(&record.settings);
        record.settings = settings;
        if began_calls != by_call(&settings) {
            record.destinations.clone().into_iter().for_each(|id| self.refresh_caller(id));
        }
        self.publish_service(key);
        Ok(())
    }

    /// Removes a service. Connections stay and are dropped packet by packet until it is back (ipvs-facts B.5, step 6).
    ///
    /// # Errors
    /// If there is no such service.
    pub fn remove_service(&mut self, key: ServiceKey) -> Result<(), CompileError> {
        let record = self.records.remove(&key).ok_or(CompileError::NoSuchService(key))?;
        for id in record.destinations {
            self.retire(id);
        }
        self.services.remove(&key);
        Ok(())
    }

    pub(super) fn publish_service(&mut self, key: ServiceKey) {
        let Some(record) = self.records.get(&key) else { return };
        let listed = self.listed(record);
        let ServiceSettings { scheduler, scheduler_flags, .. } = record.settings;
        let family = key.family();
        let workers = self.shared.capacity().workers;
        remember(record, &self.sysctls);
        let scheduler = Scheduler::new((scheduler, scheduler_flags), family, &listed, record.memory.clone(), workers);
        // Before any worker picks by it: no change is missed.
        for one in &listed {
            self.shared.live.watch(one.candidate.id, scheduler.watches());
        }
        self.services.set(Arc::new(ServiceView::new(key, scheduler, &record.settings)));
    }

    /// Looks whether a real server may begin calls: one of UDP with a port, of a service by an address with one.
    pub(super) fn refresh_caller(&mut self, id: DestinationId) {
        let Some(slot) = &mut self.slots[id.0 as usize] else { return };
        let service = slot.service;
        let (address, added) = (slot.destination.address, slot.added);
        let may_call = slot.available
            && service.protocol() == Some(Protocol::Udp)
            && service.port() != 0
            && address.port() != 0
            && self.records.get(&service).is_some_and(|record| by_call(&record.settings));
        let caller = may_call.then_some(Caller { address, id, service, added });
        Callers::replace(&mut self.callers, std::mem::replace(&mut slot.caller, caller), caller);
    }
}

/// Whether the service's real servers may begin calls.
fn by_call(settings: &ServiceSettings) -> bool {
    settings.persistence.is_some_and(|persistence| persistence.engine == Some(PersistenceEngine::Sip))
}

/// How long the service's scheduler remembers addresses, if it does (ipvs-facts A.13, A.14).
pub(super) fn remember(record: &Record, sysctls: &Sysctls) {
    let is_lblc = record.settings.scheduler == SchedulerKind::Lblc;
    if let Some(locality) = record.memory.locality() {
        locality.expire_after(if is_lblc { sysctls.lblc_expiration } else { sysctls.lblcr_expiration });
    }
}

/// Whether a scheduler can have so many destinations.
pub(super) fn fits(key: ServiceKey, scheduler: SchedulerKind, count: usize) -> Result<(), CompileError> {
    match scheduler.most_destinations() {
        Some(most) if count > most => Err(CompileError::TooManyForScheduler(key, scheduler)),
        _ => Ok(()),
    }
}
