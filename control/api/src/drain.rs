use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::Name;

/// `POST /v1/drain`: what an operator wants of a real server, apart from its weight.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DrainRequest {
    /// `tcp`, `udp`, `sctp`, `fwm`: as the service has it.
    pub protocol: Name,
    /// The service's virtual IP address and port, as the service has it.
    pub service: SocketAddr,
    /// The service's firewall mark, if it is one by mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// The real server's IP address and port.
    pub real_server: SocketAddr,
    /// What is wanted.
    pub drain: Drain,
    /// With `quiescent`: it is taken out once it is empty, and after so many seconds in any case; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_within: Option<u32>,
    /// Only tell what would change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// The query of `GET /v1/drain`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DrainQuery {
    /// `tcp`, `udp`, `sctp`, `fwm`: as the service has it.
    pub protocol: Name,
    /// The service's virtual IP address and port, as the service has it.
    pub service: SocketAddr,
    /// The service's firewall mark, if it is one by mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// The real server's IP address and port.
    pub real_server: SocketAddr,
}

/// `GET /v1/drain`: how far a real server is emptied.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct DrainStatus {
    /// What is wanted of it.
    pub drain: Drain,
    /// When it is taken out at the latest, in seconds since 1970; absent: nothing takes it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<u64>,
    /// Connections in state ESTABLISHED, and UDP's.
    pub active_connections: u64,
    /// Connections in any other state: those that have ended are among them for a while.
    pub inactive_connections: u64,
    /// Clients that are to keep it, by persistence.
    #[serde(default)]
    pub persistent_clients: u64,
}

/// One of `GET /v1/drains`: a real server that is being emptied, or was taken out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Drained {
    /// `tcp`, `udp`, `sctp`, `fwm`: as the service has it.
    pub protocol: Name,
    /// The service's virtual IP address and port, as the service has it.
    pub service: SocketAddr,
    /// The service's firewall mark, if it is one by mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// The real server's IP address and port.
    pub real_server: SocketAddr,
    /// How far it is.
    #[serde(flatten)]
    pub status: DrainStatus,
}

/// Whether a real server is being emptied.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Drain {
    /// It is not.
    #[default]
    No,
    /// It keeps its connections and gets no new ones.
    Quiescent,
    /// It was emptied and taken out. It comes back with `No`.
    Removed,
}

/// What a request has changed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Changed {
    /// A line for each change; none: it was so already.
    pub changes: Vec<String>,
}
