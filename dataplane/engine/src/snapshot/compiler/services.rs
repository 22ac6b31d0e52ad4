//! Services: added, edited and removed, and their schedulers made (ipvs-facts D.1).

use std::sync::Arc;

use ulvs_model::{PersistenceEngine, Protocol, SchedulerKind, Service, ServiceKey, ServiceSettings, Sysctls};

use crate::counters::Totals;
use crate::sched::{Memory, Scheduler};
use crate::snapshot::{Callers, CompileError, ServiceView};

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
        let (workers, hasher) = (self.shared.capacity().workers, self.shared.hasher());
        let memory = Arc::new(Memory::bind(settings.scheduler, workers, hasher, &[]));
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
        let (workers, hasher) = (self.shared.capacity().workers, self.shared.hasher());
        let record = self.records.get_mut(&key).ok_or(CompileError::NoSuchService(key))?;
        if record.settings.scheduler != settings.scheduler {
            record.memory = Arc::new(Memory::bind(settings.scheduler, workers, hasher, &candidates));
        }
        let began_calls = by_call(&record.settings);
        record.settings = settings;
        self.publish_service(key);
        if began_calls && !by_call(&settings) {
            self.renew_callers();
        }
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
        if by_call(&record.settings) {
            self.renew_callers();
        }
        Ok(())
    }

    pub(super) fn publish_service(&mut self, key: ServiceKey) {
        let Some(record) = self.records.get(&key) else { return };
        let listed = self.listed(record);
        let ServiceSettings { scheduler, scheduler_flags, .. } = record.settings;
        let family = key.family();
        let workers = self.shared.capacity().workers;
        remember(record, &self.sysctls);
        let scheduler =
            Scheduler::new((scheduler, scheduler_flags), family, &listed, Arc::clone(&record.memory), workers);
        // Before any worker picks by it: no change is missed.
        for one in &listed {
            self.shared.live.watch(one.candidate.id, scheduler.watches());
        }
        self.services.set(Arc::new(ServiceView::new(key, scheduler, &record.settings)));
        if by_call(&record.settings) {
            self.renew_callers();
        }
    }

    /// Looks who may begin calls: UDP's real servers with a port, of services by an address with one. Of services that share
    /// one, the call is the service's to which it was added last: the kernel's table has the newest in front.
    fn renew_callers(&mut self) {
        let services = self.records.iter().filter(|(key, record)| {
            by_call(&record.settings) && key.protocol() == Some(Protocol::Udp) && key.port() != 0
        });
        let of_service = services.flat_map(|(key, record)| record.destinations.iter().map(move |id| (*id, *key)));
        let mut callers: Vec<_> = of_service
            .filter_map(|(id, key)| {
                let slot = self.slots[id.0 as usize].as_ref()?;
                Some((slot.added, slot.destination.address, (id, key)))
            })
            .filter(|(_, address, _)| address.port() != 0)
            .collect();
        callers.sort_unstable_by_key(|(added, ..)| *added);
        self.callers = Arc::new(Callers::new(callers.into_iter().map(|(_, address, whose)| (address, whose))));
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
