//! Builds snapshots on the control side, one change at a time, sharing what did not change.
//!
//! Its operations are those of `ipvsadm`: services and destinations are added, edited and removed, and each brings the
//! scheduler's memory along as the kernel does.

mod destinations;
mod listing;
mod network;
#[cfg(test)]
mod network_tests;
mod numbers;
mod path_mtus;
mod rehearsal;
mod services;

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ulvs_model::{Destination, ServiceKey, ServiceSettings, Sysctls};

use crate::counters::Totals;
use crate::proto::Timeouts;
use crate::sched::{Cells, Memory};
use crate::shared::Shared;
use crate::time::Ticks;

use path_mtus::PathMtu;
use services::remember;

use super::{
    Addresses, Caller, Callers, Defence, DestinationId, Destinations, FtpPorts, Listener, Listeners, MarkRule, Marks,
    Network, NetworkView, RealServers, Services, Snapshot, SourceLimits, defence,
};

/// A service as the compiler keeps it.
#[derive(Debug)]
struct Record {
    settings: ServiceSettings,
    memory: Memory,
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
    /// When it was added last, in [`additions`](Compiler::additions).
    added: u64,
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
    /// As it is among the `callers`: in a service now whose real servers may begin calls.
    caller: Option<Caller>,
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
    /// How many destinations were added, those that came back included.
    additions: u64,
    trash: HashMap<(ServiceKey, SocketAddr), DestinationId>,
    services: Services,
    /// What schedulers of all services remember.
    cells: Cells,
    marks: Arc<Marks>,
    callers: Arc<Callers>,
    real_servers: RealServers,
    destinations: Destinations,
    translated: Addresses,
    listeners: Listeners,
    network: Arc<NetworkView>,
    /// Next hops of real servers may have changed since it was asked.
    is_other_hops: bool,
    path_mtus: HashMap<IpAddr, PathMtu>,
    timeouts: Timeouts,
    sysctls: Sysctls,
    /// Its sync daemon receives connections of another director.
    is_backup: bool,
    ftp_ports: FtpPorts,
    source_limits: Option<Arc<SourceLimits>>,
    /// Room for more connections when it was looked at last.
    room: u64,
}

impl Compiler {
    /// No services, no network.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            services: Services::default(),
            cells: Cells::new(shared.capacity().workers),
            marks: Arc::default(),
            callers: Arc::default(),
            shared,
            records: HashMap::new(),
            slots: Vec::new(),
            hosts: BTreeSet::new(),
            free: Vec::new(),
            generations: 0,
            additions: 0,
            trash: HashMap::new(),
            real_servers: RealServers::default(),
            destinations: Destinations::default(),
            translated: Addresses::default(),
            listeners: Listeners::default(),
            network: Arc::new(NetworkView::new(&Network::default(), 1)),
            is_other_hops: true,
            path_mtus: HashMap::new(),
            timeouts: Timeouts::default(),
            sysctls: Sysctls::default(),
            is_backup: false,
            ftp_ports: FtpPorts::default(),
            source_limits: None,
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
            stands_aside: self.is_backup && self.sysctls.backup_only != 0,
            ftp_ports: self.ftp_ports,
            defence: Defence::new(&self.sysctls, self.room),
            source_limits: self.source_limits.clone(),
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

    /// Says whether its sync daemon is a backup.
    pub const fn set_backup(&mut self, is_backup: bool) {
        self.is_backup = is_backup;
    }

    /// Changes which ports are of FTP's control connections; existing connections stay what they are.
    pub const fn set_ftp_ports(&mut self, ports: FtpPorts) {
        self.ftp_ports = ports;
    }

    /// Changes how many connections sources may begin. What they have begun counts on.
    pub fn set_source_limits(&mut self, limits: SourceLimits) {
        self.source_limits = limits.limit_any().then(|| {
            self.shared.sources.prepare();
            Arc::new(limits)
        });
    }

    /// Changes which packets have a firewall mark.
    pub fn set_marks(&mut self, rules: &[MarkRule]) {
        self.marks = Arc::new(Marks::new(rules));
    }

    /// Lets schedulers forget addresses nobody asks for. To be called once a minute (ipvs-facts A.13).
    pub fn forget_addresses(&self, now: Ticks) {
        self.records.values().filter_map(|record| record.memory.locality()).for_each(|locality| locality.collect(now));
    }
}
