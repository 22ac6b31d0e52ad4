//! Builds snapshots on the control side, one change at a time, sharing what did not change.
//!
//! Its operations are those of `ipvsadm`: services and destinations are added, edited and removed, and each brings the
//! scheduler's memory along as the kernel does.

mod listing;
#[cfg(test)]
mod neighbour_tests;
mod numbers;
mod path_mtus;
mod rehearsal;

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ulvs_model::{
    Destination, ForwardMethod, PersistenceEngine, Protocol, SchedulerKind, Service, ServiceKey, ServiceSettings,
    Sysctls, Weight,
};

use crate::counters::Totals;
use crate::proto::Timeouts;
use crate::sched::{Candidate, Edit, Listed, Memory, Scheduler};
use crate::shared::Shared;
use crate::time::Ticks;

use path_mtus::PathMtu;

use super::{
    Addresses, Callers, CompileError, Defence, DestinationId, DestinationView, Destinations, FtpPorts, Listener,
    Listeners, MarkRule, Marks, Neighbour, Network, NetworkView, PortId, ServiceView, Services, Snapshot, defence,
};

/// A service as the compiler keeps it.
#[derive(Debug)]
struct Record {
    settings: ServiceSettings,
    memory: Arc<Memory>,
    /// Newest first.
    destinations: Vec<DestinationId>,
    /// What removed destinations had counted.
    removed: Totals,
    /// Tells it from one of the same key that was removed.
    generation: u32,
}

/// One use of a destination number.
#[derive(Debug)]
struct Slot {
    service: ServiceKey,
    destination: Destination,
    /// Its last weight that was not 0, or the one it was added with (ipvs-facts A.12).
    last_weight: i32,
    generation: u32,
    /// In the service now; else remembered for its connections.
    available: bool,
    /// What the number had counted in earlier uses.
    base: Totals,
    /// The [generation](Record::generation) of the service it counts for.
    counts_for: u32,
    /// Since when it is removed and without connections, in seconds.
    idle_since: Option<u64>,
    /// It is or was reached by NAT, and is among the `translated`.
    is_translated: bool,
    /// As it is among the `listeners`: reached by NAT, and in its service now.
    listener: Option<Listener>,
}

/// The state behind snapshots.
#[derive(Debug)]
pub struct Compiler {
    shared: Arc<Shared>,
    records: HashMap<ServiceKey, Record>,
    slots: Vec<Option<Slot>>,
    /// The numbers in `slots` by their real servers' IP addresses.
    hosts: BTreeSet<(IpAddr, u32)>,
    free: Vec<DestinationId>,
    generations: u32,
    trash: HashMap<(ServiceKey, SocketAddr), DestinationId>,
    services: Services,
    marks: Arc<Marks>,
    callers: Arc<Callers>,
    destinations: Destinations,
    translated: Addresses,
    listeners: Listeners,
    network: Arc<NetworkView>,
    path_mtus: HashMap<IpAddr, PathMtu>,
    timeouts: Timeouts,
    sysctls: Sysctls,
    ftp_ports: FtpPorts,
    /// Room for more connections when it was looked at last.
    room: u64,
}

impl Compiler {
    /// No services, no network.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            services: Services::new(shared.hasher()),
            marks: Arc::default(),
            callers: Arc::default(),
            shared,
            records: HashMap::new(),
            slots: Vec::new(),
            hosts: BTreeSet::new(),
            free: Vec::new(),
            generations: 0,
            trash: HashMap::new(),
            destinations: Destinations::default(),
            translated: Addresses::default(),
            listeners: Listeners::default(),
            network: Arc::new(NetworkView::new(&Network::default(), 1)),
            path_mtus: HashMap::new(),
            timeouts: Timeouts::default(),
            sysctls: Sysctls::default(),
            ftp_ports: FtpPorts::default(),
            room: u64::MAX,
        }
    }

    /// The view as it is now. Cheap: it shares everything with the compiler.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            services: self.services.clone(),
            marks: Arc::clone(&self.marks),
            callers: Arc::clone(&self.callers),
            destinations: self.destinations.clone(),
            translated: self.translated.clone(),
            listeners: self.listeners.clone(),
            network: Arc::clone(&self.network),
            timeouts: self.timeouts,
            sysctls: self.sysctls,
            ftp_ports: self.ftp_ports,
            defence: Defence::new(&self.sysctls, self.room),
        }
    }

    /// Changes timeouts; connections take them at their next packet.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) {
        self.timeouts = timeouts;
    }

    /// IPVS's switches as they are set.
    pub const fn sysctls(&self) -> Sysctls {
        self.sysctls
    }

    /// IPVS's switches as they show themselves: of those that act when room is scarce, 2 says that it is.
    pub fn shown_sysctls(&self) -> Sysctls {
        defence::shown(&self.sysctls, self.room)
    }

    /// Looks whether room in the connection table is scarce, to be called once a second (ipvs-facts B.10); whether
    /// defences act otherwise than before.
    pub fn look_at_room(&mut self) -> bool {
        let taken = self.shared.connections() + self.shared.templates.all();
        let room = (self.shared.table.capacity() as u64).saturating_sub(taken);
        let before = Defence::new(&self.sysctls, std::mem::replace(&mut self.room, room));
        before != Defence::new(&self.sysctls, room)
    }

    /// Sets IPVS's switches.
    pub fn set_sysctls(&mut self, sysctls: Sysctls) {
        let changes_tunnels = sysctls.pmtu_disc != self.sysctls.pmtu_disc;
        self.sysctls = sysctls;
        self.records.values().for_each(|record| remember(record, &sysctls));
        if changes_tunnels {
            self.refresh_all();
        }
    }

    /// Changes which ports are of FTP's control connections; existing connections stay what they are.
    pub const fn set_ftp_ports(&mut self, ports: FtpPorts) {
        self.ftp_ports = ports;
    }

    /// Changes which packets have a firewall mark.
    pub fn set_marks(&mut self, rules: &[MarkRule]) {
        self.marks = Arc::new(Marks::new(rules));
    }

    /// Changes what is known of the network.
    pub fn set_network(&mut self, network: &Network) {
        let generation = self.network.generation.wrapping_add(1);
        self.network = Arc::new(NetworkView::new(network, generation));
        self.refresh_all();
    }

    /// Changes what is known of neighbours, and nothing else of the network: takes time by those that changed, where
    /// [`set_network`](Self::set_network) takes it by all real servers.
    pub fn set_neighbours(&mut self, neighbours: &[Neighbour]) {
        let generation = self.network.generation.wrapping_add(1);
        let network = Arc::new(self.network.with_neighbours(neighbours, generation));
        let changed = self.network.changed_neighbours(&network);
        self.network = network;
        if changed.iter().any(|address| self.network.is_gateway(*address)) {
            return self.refresh_all();
        }
        for address in changed {
            self.refresh_address(address);
        }
    }

    /// Looks at the real servers with this address again.
    fn refresh_address(&mut self, address: IpAddr) {
        let of_it: Vec<_> = self.hosts.range((address, 0)..=(address, u32::MAX)).map(|(_, id)| *id).collect();
        for id in of_it {
            self.refresh(DestinationId(id));
        }
    }

    fn refresh_all(&mut self) {
        for at in 0..self.slots.len() {
            self.refresh(DestinationId(u32::try_from(at).unwrap_or(u32::MAX)));
        }
    }

    /// Next hops towards all real servers: what the kernel should keep resolved.
    pub fn next_hops(&self) -> impl Iterator<Item = (PortId, IpAddr)> + '_ {
        let used = self.slots.iter().flatten().filter(|slot| slot.available);
        used.filter_map(|slot| self.network.next_hop(slot.destination.ip()))
    }

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
        record.settings = settings;
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
        self.renew_callers();
        Ok(())
    }

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

    /// Lets schedulers forget addresses nobody asks for. To be called once a minute (ipvs-facts A.13).
    pub fn forget_addresses(&self, now: Ticks) {
        self.records.values().filter_map(|record| record.memory.locality()).for_each(|locality| locality.collect(now));
    }

    fn find(&self, key: ServiceKey, address: SocketAddr) -> Result<DestinationId, CompileError> {
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

    fn room_for(&self, count: usize) -> Result<(), CompileError> {
        let most = self.shared.capacity().destinations;
        let unused = (most as usize).saturating_sub(self.slots.len());
        if unused + self.free.len() < count { Err(CompileError::TooManyDestinations(most)) } else { Ok(()) }
    }

    fn add(&mut self, key: ServiceKey, destination: Destination) -> Result<(), CompileError> {
        let id = match self.trash.remove(&(key, destination.address)) {
            Some(id) => self.revive(id, destination),
            None => self.allot(key, destination)?,
        };
        self.shared.live.limit(id, destination.thresholds);
        self.refresh(id);
        if let Some(record) = self.records.get_mut(&key) {
            record.destinations.insert(0, id);
        }
        self.edited(key, Edit::Added);
        Ok(())
    }

    fn refresh(&mut self, id: DestinationId) {
        let path_mtu = self.slots[id.0 as usize].as_ref().map_or(u16::MAX, |slot| self.path_mtu(slot.destination.ip()));
        if let Some(slot) = &mut self.slots[id.0 as usize] {
            let Destination { address, method, .. } = slot.destination;
            if method == ForwardMethod::Nat && !std::mem::replace(&mut slot.is_translated, true) {
                self.translated.add(address.ip());
            }
            let listens = slot.available && method == ForwardMethod::Nat;
            let listener = listens.then(|| Listener::new(&slot.service, address));
            self.listeners.replace(std::mem::replace(&mut slot.listener, listener), listener);
            let Slot { destination, generation, available, .. } = slot;
            let tunnels = (path_mtu, self.sysctls.pmtu_disc != 0);
            let view = DestinationView::new(destination, *generation, *available, &self.network, tunnels);
            self.destinations.set(id, view);
        }
    }

    fn listed(&self, record: &Record) -> Vec<Listed> {
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

    fn candidates(&self, key: ServiceKey) -> Result<Vec<Candidate>, CompileError> {
        let record = self.records.get(&key).ok_or(CompileError::NoSuchService(key))?;
        Ok(self.listed(record).iter().map(|one| one.candidate).collect())
    }

    /// Brings the scheduler's memory along with a change that was just made.
    fn edited(&self, key: ServiceKey, edit: Edit) {
        if let (Some(record), Ok(candidates)) = (self.records.get(&key), self.candidates(key)) {
            record.memory.edited(record.settings.scheduler, edit, &candidates);
        }
    }

    fn publish_service(&mut self, key: ServiceKey) {
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
        if by_call(&record.settings) || !self.callers.is_empty() {
            self.renew_callers();
        }
    }

    /// Looks who may begin calls: UDP's real servers with a port, of services by an address with one.
    fn renew_callers(&mut self) {
        let services = self.records.iter().filter(|(key, record)| {
            by_call(&record.settings) && key.protocol() == Some(Protocol::Udp) && key.port() != 0
        });
        let callers = services.flat_map(|(key, record)| {
            let listed = self.listed(record).into_iter().filter(|one| one.address.port() != 0);
            listed.map(|one| (one.address, (one.candidate.id, *key)))
        });
        self.callers = Arc::new(Callers::new(callers));
    }
}

/// Whether the service's real servers may begin calls.
fn by_call(settings: &ServiceSettings) -> bool {
    settings.persistence.is_some_and(|persistence| persistence.engine == Some(PersistenceEngine::Sip))
}

/// How long the service's scheduler remembers addresses, if it does (ipvs-facts A.13, A.14).
fn remember(record: &Record, sysctls: &Sysctls) {
    let is_lblc = record.settings.scheduler == SchedulerKind::Lblc;
    if let Some(locality) = record.memory.locality() {
        locality.expire_after(if is_lblc { sysctls.lblc_expiration } else { sysctls.lblcr_expiration });
    }
}

/// Whether a scheduler can have so many destinations.
fn fits(key: ServiceKey, scheduler: SchedulerKind, count: usize) -> Result<(), CompileError> {
    match scheduler.most_destinations() {
        Some(most) if count > most => Err(CompileError::TooManyForScheduler(key, scheduler)),
        _ => Ok(()),
    }
}
