use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use ipnet::IpNet;
use ulvs_model::{
    ForwardMethod, PersistenceEngine, Protocol, SchedulerKind, ServiceKey, Sysctls, TunnelChecksum, TunnelType, Weight,
};

use crate::problems::{At, Span};
use crate::{
    Api, Check, Connections, Console, Destinations, Device, Dpdk, Flows, Ftp, Mac, Metrics, Neighbours, PollMode,
    SourceLimit, State,
};

/// What a source says, each value readable by itself; whether the values fit together is still open.
///
/// An absent value of what must be there was reported by the source already, and validation does not report it again.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) dpdk: Dpdk,
    pub(crate) workers: DraftWorkers,
    pub(crate) connections: Connections,
    pub(crate) destinations: Destinations,
    pub(crate) api: Api,
    pub(crate) state: State,
    pub(crate) sysctls: Sysctls,
    pub(crate) ftp: Ftp,
    /// `[defence]`
    pub(crate) source_limit: SourceLimit,
    pub(crate) metrics: Metrics,
    pub(crate) console: Console,
    pub(crate) flows: Flows,
    pub(crate) neighbours: Neighbours,
    pub(crate) ports: Vec<DraftPort>,
    pub(crate) static_routes: Vec<DraftRoute>,
    pub(crate) static_neighbours: Vec<DraftNeighbour>,
    pub(crate) mark_rules: Vec<DraftMarkRule>,
}

/// What the director's file and its drop-ins have alike.
#[derive(Debug)]
pub(crate) struct DraftFile {
    /// By name; absent if something of it is wrong.
    pub(crate) checks: Vec<(At<String>, Option<Check>)>,
    pub(crate) services: Vec<DraftService>,
}

#[derive(Debug, Default)]
pub(crate) struct DraftWorkers {
    pub(crate) cores: Option<At<Vec<At<usize>>>>,
    pub(crate) poll: PollMode,
}

#[derive(Debug)]
pub(crate) struct DraftPort {
    pub(crate) name: Option<At<String>>,
    pub(crate) device: Option<At<Device>>,
    pub(crate) queues: Option<At<u16>>,
    /// The twin's name, with a place if it was given.
    pub(crate) tap: Tap,
    pub(crate) mtu: Option<At<u16>>,
    pub(crate) mac: Option<Mac>,
    pub(crate) promiscuous: bool,
    pub(crate) addresses: Vec<At<IpNet>>,
    pub(crate) span: Span,
}

/// The kernel's twin of a port.
#[derive(Clone, Debug)]
pub(crate) enum Tap {
    /// `ulvs0` for the first port, and so on.
    Default,
    Named(At<String>),
    Off,
}

#[derive(Debug)]
pub(crate) struct DraftRoute {
    pub(crate) prefix: Option<At<IpNet>>,
    pub(crate) via: Option<At<IpAddr>>,
    pub(crate) port: Option<At<String>>,
}

#[derive(Debug)]
pub(crate) struct DraftNeighbour {
    pub(crate) address: Option<At<IpAddr>>,
    pub(crate) mac: Option<Mac>,
    pub(crate) port: Option<At<String>>,
}

#[derive(Debug)]
pub(crate) struct DraftMarkRule {
    pub(crate) mark: Option<u32>,
    pub(crate) source: Option<At<IpNet>>,
    pub(crate) destination: Option<At<IpNet>>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) source_ports: Vec<RangeInclusive<u16>>,
    pub(crate) destination_ports: Vec<RangeInclusive<u16>>,
    /// The director's port; absent if none was named.
    pub(crate) port: Option<At<String>>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct DraftService {
    /// What identifies it, where that is written.
    pub(crate) key: Option<At<ServiceKey>>,
    pub(crate) scheduler: SchedulerKind,
    /// The scheduler's, by name.
    pub(crate) flags: Vec<At<String>>,
    /// Seconds.
    pub(crate) persistence: Option<u32>,
    /// Whether something is written for them: what is wrong was reported.
    pub(crate) has_persistence: bool,
    pub(crate) netmask: Option<At<DraftNetmask>>,
    pub(crate) persistence_engine: Option<At<PersistenceEngine>>,
    pub(crate) one_packet: Option<At<bool>>,
    /// Absent: that of `[defence]`.
    pub(crate) source_limit: Option<SourceLimit>,
    pub(crate) real_servers: Vec<DraftRealServer>,
    pub(crate) checked: DraftChecked,
}

/// What of a service is about checks.
#[derive(Debug, Default)]
pub(crate) struct DraftChecked {
    /// Checks of real servers that name none themselves.
    pub(crate) checks: Vec<At<String>>,
    pub(crate) inhibit_on_failure: bool,
    pub(crate) quorum: Option<At<u32>>,
    pub(crate) hysteresis: u32,
    pub(crate) sorry_server: Option<DraftRealServer>,
    /// Where the first of the keys is that make no sense without checks.
    pub(crate) place: Option<At<()>>,
}

/// A netmask as it is written; whether it is one depends on the service's family.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DraftNetmask {
    Mask(Ipv4Addr),
    Length(u8),
}

/// What is said of a tunnel.
#[derive(Debug, Default)]
pub(crate) struct DraftTunnel {
    pub(crate) kind: Option<At<TunnelType>>,
    pub(crate) port: Option<At<u16>>,
    pub(crate) checksum: Option<At<TunnelChecksum>>,
}

#[derive(Debug)]
pub(crate) struct DraftRealServer {
    pub(crate) ip: Option<At<IpAddr>>,
    /// Absent: the service's.
    pub(crate) port: Option<u16>,
    pub(crate) method: Option<ForwardMethod>,
    /// Absent if something of it is wrong.
    pub(crate) tunnel: Option<DraftTunnel>,
    pub(crate) weight: Weight,
    pub(crate) upper_threshold: u32,
    pub(crate) lower_threshold: Option<At<u32>>,
    /// Absent: the service's.
    pub(crate) checks: Option<Vec<At<String>>>,
}
