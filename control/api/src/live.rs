use serde::{Deserialize, Serialize};

use crate::{Name, RealServerStatus, ServiceStatus, Status};

/// `GET /v1/live`: the director as it is, and how it was in each of the last seconds.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Live {
    /// As of now.
    pub status: Status,
    /// The last seconds that were asked for, the oldest first.
    pub samples: Vec<Sample>,
}

/// The query of `GET /v1/live`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LiveQuery {
    /// Only samples after this time, in milliseconds since 1970.
    #[serde(default)]
    pub since: u64,
}

/// What a director did in about a second. Rates are per second.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Sample {
    /// The end of that second, in milliseconds since 1970 (UTC).
    pub at: u64,
    /// Connections scheduled, packets and bytes of all services.
    pub rates: Rates,
    /// Connections there were at the end.
    pub connections: u64,
    /// Each worker, in the order of their ids.
    pub workers: Vec<WorkerSample>,
    /// Packets dropped for each reason for which there were any.
    pub drops: Vec<(Name, f64)>,
    /// Packets given to the kernel.
    pub punted: f64,
}

/// What a worker did in that second.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct WorkerSample {
    /// The share of it in rounds that found packets, 0 to 1.
    pub busy: f64,
    /// Packets received from ports.
    pub packets_in: f64,
    /// Packets forwarded.
    pub forwarded: f64,
    /// Packets dropped.
    pub dropped: f64,
}

/// IPVS's five counters, per second.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Rates {
    /// Connections scheduled.
    pub connections: f64,
    /// Packets from clients.
    pub packets_in: f64,
    /// Packets to clients; 0 for DR and TUN.
    pub packets_out: f64,
    /// Bytes from clients.
    pub bytes_in: f64,
    /// Bytes to clients.
    pub bytes_out: f64,
}

/// `GET /v1/live/services`: some of the services with their rates, sorted and chosen by ulvsd, so that a table of thousands is
/// looked at a window at a time.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct LiveServices {
    /// When they were looked at, in milliseconds since 1970 (UTC): at most once a second.
    pub at: u64,
    /// Over all services, those that are not asked for included.
    pub totals: ServiceTotals,
    /// How many fit the search.
    pub found: usize,
    /// The window that was asked for.
    pub services: Vec<LiveService>,
}

/// All services together.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServiceTotals {
    /// Services there are.
    pub services: usize,
    /// Those that have a real server they can use, and another one that they can't.
    pub degraded: usize,
    /// Those whose real servers can't be used, each of them.
    pub down: usize,
    /// Those without real servers.
    pub empty: usize,
    /// Real servers there are, over all services.
    pub real_servers: usize,
    /// Those that get new connections.
    pub usable: usize,
}

/// One service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LiveService {
    /// As other requests name it: `tcp 192.0.2.100:80`, `mark 7`.
    pub name: String,
    /// `up`, `degraded`, `down`, `empty`: see [`ServiceTotals`].
    pub state: Name,
    /// As it is, but without its real servers: `live` has them.
    #[serde(flatten)]
    pub status: ServiceStatus,
    /// Real servers it has.
    pub size: usize,
    /// Those that get new connections.
    pub usable: usize,
    /// Connections of all its real servers in an active state.
    pub active_connections: u64,
    /// The same in any other state.
    pub inactive_connections: u64,
    /// Absent: nobody has asked in the seconds before.
    pub rates: Option<Rates>,
    /// Packets per second, both ways, in each of the last seconds in which somebody asked; the oldest first, a minute at most.
    pub history: Vec<f32>,
    /// Its real servers, if they were asked for.
    pub live: Vec<LiveRealServer>,
}

/// One real server of a service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LiveRealServer {
    /// `up`, `quiescent`, `draining`, `removed`, `down`, `overloaded`, `unreachable`.
    pub state: Name,
    /// As it is.
    #[serde(flatten)]
    pub status: RealServerStatus,
    /// Absent: nobody has asked in the seconds before.
    pub rates: Option<Rates>,
}

/// The query of `GET /v1/live/services`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LiveServicesQuery {
    /// Only services in whose name, or scheduler, this is; upper case counts as lower.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub search: String,
    /// Only the service with exactly this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `problem`: only services that are not `up`; else those of this state. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `name`, `state`, `connections`, `packets`, `bytes`, `active`, `real_servers`, `scheduler`; absent: as they were added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// The greatest first.
    #[serde(default)]
    pub descending: bool,
    /// The first row of the window, from 0.
    #[serde(default)]
    pub from: usize,
    /// The most rows of the window; absent: [`Self::PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// With their real servers.
    #[serde(default)]
    pub real_servers: bool,
}

impl LiveServicesQuery {
    /// Rows of a window when no count is given.
    pub const PAGE: usize = 50;
    /// The most rows there are in a window.
    pub const MOST: usize = 200;
}

impl Rates {
    /// Packets both ways.
    pub const fn packets(&self) -> f64 {
        self.packets_in + self.packets_out
    }

    /// Bytes both ways.
    pub const fn bytes(&self) -> f64 {
        self.bytes_in + self.bytes_out
    }
}
