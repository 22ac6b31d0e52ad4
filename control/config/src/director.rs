use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use ulvs_model::{Protocol, ServiceSet, Sysctls};

use crate::check::{Check, ServiceChecks};
use crate::{Device, Flows, Mac, Metrics, SourceLimits};

/// Everything the operator decides about a director. Only validation makes one, so a `Director` is always consistent:
/// names are unique, references lead somewhere, numbers are in range.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Director {
    pub(crate) dpdk: Dpdk,
    pub(crate) workers: Workers,
    pub(crate) connections: Connections,
    pub(crate) destinations: Destinations,
    pub(crate) api: Api,
    pub(crate) state: State,
    pub(crate) sysctls: Sysctls,
    pub(crate) ftp: Ftp,
    pub(crate) source_limits: SourceLimits,
    pub(crate) metrics: Metrics,
    pub(crate) console: Console,
    pub(crate) flows: Flows,
    pub(crate) neighbours: Neighbours,
    pub(crate) ports: Vec<Port>,
    pub(crate) static_routes: Vec<StaticRoute>,
    pub(crate) static_neighbours: Vec<StaticNeighbour>,
    pub(crate) mark_rules: Vec<MarkRule>,
    pub(crate) services: ServiceSet,
    pub(crate) checks: Vec<Check>,
    pub(crate) checked: Vec<ServiceChecks>,
}

impl Director {
    /// `[dpdk]`
    pub const fn dpdk(&self) -> &Dpdk {
        &self.dpdk
    }

    /// `[workers]`
    pub const fn workers(&self) -> &Workers {
        &self.workers
    }

    /// `[connections]`
    pub const fn connections(&self) -> &Connections {
        &self.connections
    }

    /// `[destinations]`
    pub const fn destinations(&self) -> &Destinations {
        &self.destinations
    }

    /// `[api]`
    pub const fn api(&self) -> &Api {
        &self.api
    }

    /// `[state]`
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// `[ipvs]`
    pub const fn sysctls(&self) -> &Sysctls {
        &self.sysctls
    }

    /// `[ftp]`
    pub const fn ftp(&self) -> &Ftp {
        &self.ftp
    }

    /// `[defence]`, and what services say instead.
    pub const fn source_limits(&self) -> &SourceLimits {
        &self.source_limits
    }

    /// `[metrics]`
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// `[console]`
    pub const fn console(&self) -> &Console {
        &self.console
    }

    /// `[flows]`
    pub const fn flows(&self) -> &Flows {
        &self.flows
    }

    /// `[neighbours]`
    pub const fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    /// Each `[[port]]`, at least one.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// Each `[[route]]`.
    pub fn static_routes(&self) -> &[StaticRoute] {
        &self.static_routes
    }

    /// Each `[[neighbour]]`.
    pub fn static_neighbours(&self) -> &[StaticNeighbour] {
        &self.static_neighbours
    }

    /// Each `[[mark]]`, in the order in which they count.
    pub fn mark_rules(&self) -> &[MarkRule] {
        &self.mark_rules
    }

    /// Each `[[service]]` with its real servers.
    pub const fn services(&self) -> &ServiceSet {
        &self.services
    }

    /// Each `[check.NAME]`.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The services whose real servers are checked.
    pub fn checked(&self) -> &[ServiceChecks] {
        &self.checked
    }

    /// The services alone.
    pub fn into_services(self) -> ServiceSet {
        self.services
    }
}

/// What DPDK's environment is started with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dpdk {
    /// Whether packet memory is in huge pages.
    pub huge_pages: bool,
    /// Packet memory in MiB.
    pub memory_mib: u32,
    /// Packet buffers in the pool; computed if absent.
    pub packets: Option<u32>,
    /// Further arguments to the EAL.
    pub eal_args: Vec<String>,
}

impl Default for Dpdk {
    fn default() -> Self {
        Self { huge_pages: true, memory_mib: 512, packets: None, eal_args: Vec::new() }
    }
}

/// What a worker does when there is nothing to do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PollMode {
    /// Polls on, for a dedicated director.
    #[default]
    Busy,
    /// Backs off to short sleeps, for laptops, labs and small machines.
    Adaptive,
}

/// The threads that forward.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Workers {
    /// The core of each worker: at least one, each once.
    pub cores: Vec<usize>,
    /// What idle workers do.
    pub poll: PollMode,
}

/// FTP's helper (ipvs-facts C.9).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ftp {
    /// Ports of services whose connections in NAT are read as FTP's control connections; none: the helper is off.
    pub ports: Vec<u16>,
}

impl Ftp {
    /// The most ports, as of IPVS's module.
    pub const MOST: usize = 8;
}

impl Default for Ftp {
    fn default() -> Self {
        Self { ports: vec![21] }
    }
}

/// The connection table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connections {
    /// The most connections at a time.
    pub capacity: u32,
    /// Idle time of an established TCP connection.
    pub timeout_tcp: Duration,
    /// Idle time of a TCP connection after a FIN.
    pub timeout_tcp_fin: Duration,
    /// Idle time of a UDP connection.
    pub timeout_udp: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            capacity: 1 << 20,
            timeout_tcp: Duration::from_secs(900),
            timeout_tcp_fin: Duration::from_secs(120),
            timeout_udp: Duration::from_secs(300),
        }
    }
}

/// The table of real servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destinations {
    /// The most real servers over all services.
    pub capacity: u32,
}

impl Default for Destinations {
    fn default() -> Self {
        Self { capacity: 1 << 18 }
    }
}

/// The JSON API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Api {
    /// The unix socket it listens on, an absolute path.
    pub socket: PathBuf,
}

impl Default for Api {
    fn default() -> Self {
        Self { socket: PathBuf::from("/run/ulvs/api.sock") }
    }
}

/// What outlives the process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct State {
    /// The folder it is kept in, an absolute path; absent: nothing is kept.
    pub folder: Option<PathBuf>,
}

impl Default for State {
    fn default() -> Self {
        Self { folder: Some(PathBuf::from("/var/lib/ulvs")) }
    }
}

/// The web console.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Console {
    /// Where it is served; absent: nowhere.
    pub listen: Option<SocketAddr>,
    /// The file, an absolute path, with the token of those who may change something; absent: nobody may.
    pub token_file: Option<PathBuf>,
    /// Names of hosts that browsers may know it by, beside `localhost` and addresses; in lower case.
    pub names: Vec<String>,
}

impl Default for Console {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from(([127, 0, 0, 1], 9478))), token_file: None, names: Vec::new() }
    }
}

/// Packets that wait for the kernel to resolve a neighbour.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Neighbours {
    /// How long a packet waits.
    pub wait: Duration,
    /// How many packets may wait at a time, for each worker.
    pub queue: usize,
}

impl Default for Neighbours {
    fn default() -> Self {
        Self { wait: Duration::from_secs(1), queue: 256 }
    }
}

/// A NIC or virtual device the director forwards on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Port {
    /// The operator's name for it, unique.
    pub name: String,
    /// The device, unique.
    pub device: Device,
    /// RX and TX queues; absent: as many as there are workers. Never more than there are workers.
    pub queues: Option<u16>,
    /// The interface name of the kernel's twin, unique; absent: the port has no twin.
    pub tap: Option<String>,
    /// The largest IP packet in bytes.
    pub mtu: u16,
    /// The MAC address; absent: the device's own.
    pub mac: Option<Mac>,
    /// Whether frames for other MAC addresses are received.
    pub promiscuous: bool,
    /// Addresses of the TAP twin, with the prefixes that are on the link.
    pub addresses: Vec<IpNet>,
}

/// A route that wins over what the kernel says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StaticRoute {
    /// Where it leads, without host bits.
    pub prefix: IpNet,
    /// The gateway, of the prefix's family; absent: the prefix is on the link.
    pub via: Option<IpAddr>,
    /// The port's place in [`Director::ports`].
    pub port: usize,
}

/// Packets that have a firewall mark; of what is absent any. The first rule that a packet fits counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MarkRule {
    /// The mark; 0: none.
    pub mark: u32,
    /// Where packets come from, without host bits.
    pub source: Option<IpNet>,
    /// Where they go to, without host bits.
    pub destination: Option<IpNet>,
    /// Their transport protocol.
    pub protocol: Option<Protocol>,
    /// Their source port is in one of these; none: whatever it is.
    pub source_ports: Vec<RangeInclusive<u16>>,
    /// Their destination port is in one of these; none: whatever it is.
    pub destination_ports: Vec<RangeInclusive<u16>>,
    /// The place in [`Director::ports`] of the port they come in by.
    pub port: Option<usize>,
}

/// A neighbour that wins over what the kernel says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StaticNeighbour {
    /// Its IP address.
    pub address: IpAddr,
    /// Its MAC address, of one station.
    pub mac: Mac,
    /// The port's place in [`Director::ports`].
    pub port: usize,
}
