use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::Name;

/// One of `GET /v1/checks`: a health check of a real server.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CheckStatus {
    /// The check's name in the file.
    pub check: String,
    /// `tcp`, `http`, `https`, `dns`, `udp`, `smtp`, `icmp`, `exec`, `agent`.
    #[serde(rename = "type")]
    pub kind: Name,
    /// The address and port that are asked; port 0 where there is none.
    pub address: SocketAddr,
    /// The services it counts for, as `tcp 192.0.2.100:80`.
    pub services: Vec<String>,
    /// Whether it passes.
    pub up: bool,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// Probes in a row that spoke against that.
    pub doubts: u32,
    /// Probes in a row it takes to change it.
    pub doubts_needed: u32,
    /// Percent of its weight that the real server should have.
    pub weight_percent: Option<u16>,
    /// A weight it should have instead of the configured one.
    pub weight: Option<u32>,
    /// Probes so far.
    pub probes: u64,
    /// Those that did not pass.
    pub failures: u64,
    /// Milliseconds the last one took.
    pub took_ms: f64,
    /// Why the last one did not pass; absent: it did, or there was none.
    pub reason: Option<String>,
}
