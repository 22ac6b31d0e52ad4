use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::Name;

/// `GET /v1/conns?limit=&cursor=&client=&service=&real=&state=&protocol=`: some of the connections.
///
/// Connections come and go between two pages; each that lives through the whole walk is seen once.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionPage {
    /// At most `limit` connections. A page may have few, or none, and yet another follow: a search takes a bounded time for
    /// each page.
    pub connections: Vec<Connection>,
    /// What to give as `cursor` for the next page; absent: this was the last.
    pub next_cursor: Option<u64>,
}

/// One connection.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Connection {
    /// `tcp`, `udp`, `sctp`.
    pub protocol: Name,
    /// IPVS's name of the state, as `ESTABLISHED`.
    pub state: Name,
    /// Seconds until it is forgotten, if no packet comes.
    pub expires_seconds: u64,
    /// The client's address and port.
    pub client: SocketAddr,
    /// The service's address and port.
    #[serde(rename = "virtual")]
    pub service: SocketAddr,
    /// The real server's address and port.
    pub real_server: SocketAddr,
    /// `nat`, `dr`, `tun`.
    pub method: Name,
}

/// Which connections are meant: those that fit all that is said.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionFilter {
    /// The client is in this prefix, as `192.0.2.0/24`, or is this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The service has this address, and port if one is given: `198.51.100.1:80`, `[2001:db8::1]:80`, `2001:db8::1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The real server has this address, and port if one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real: Option<String>,
    /// The state has this name, as `SYN_RECV`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The protocol has this name, as `tcp`; `ip`: templates of services by firewall mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// The query of `GET /v1/conns`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionQuery {
    /// The most connections to answer with; the server may answer with fewer, or none though others follow. Absent:
    /// [`Self::PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where to go on, a page's `next_cursor`. Absent: the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    /// Which connections.
    #[serde(flatten)]
    pub filter: ConnectionFilter,
}

impl ConnectionQuery {
    /// Connections of a page when no limit is given, and the most there are on one.
    pub const PAGE: usize = 1000;
}

/// The query of `GET /v1/conns/count`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionCountQuery {
    /// What to count by. Absent: all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<CountBy>,
    /// The most groups to answer with, those with most connections. Absent: [`Self::GROUPS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Which connections.
    #[serde(flatten)]
    pub filter: ConnectionFilter,
}

impl ConnectionCountQuery {
    /// Groups when no limit is given.
    pub const GROUPS: usize = 20;
    /// The most groups there are in an answer.
    pub const MOST_GROUPS: usize = 1000;
}

/// What connections have in common that are counted together.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CountBy {
    /// The client's address.
    Client,
    /// Protocol, virtual address and port.
    Service,
    /// The real server's address and port.
    Real,
    /// The state.
    State,
}

/// `GET /v1/conns/count?by=&limit=`: how many connections there are.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionCount {
    /// All that fit the filter, templates included.
    pub connections: u64,
    /// Those of a group, most first; empty if nothing was said to count by.
    #[serde(default)]
    pub groups: Vec<ConnectionGroup>,
    /// Each group has at most so many more than it says, and one that is missing has at most so many; 0 unless there are
    /// more than 65,536 groups.
    #[serde(default)]
    pub uncertainty: u64,
}

/// Connections that have something in common.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionGroup {
    /// What they have in common: `192.0.2.7`, `tcp 198.51.100.1:80`, `10.0.0.11:8080`, `ESTABLISHED`.
    pub name: String,
    /// How many there are.
    pub connections: u64,
}
