use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::Name;

/// `GET /v1/conns?limit=&cursor=`: some of the connections.
///
/// Connections come and go between two pages; each that lives through the whole walk is seen once.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionPage {
    /// At most `limit` connections.
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

/// The query of `GET /v1/conns`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionQuery {
    /// The most connections to answer with; the server may answer with fewer. Absent: [`Self::PAGE`].
    pub limit: Option<usize>,
    /// Where to go on, a page's `next_cursor`. Absent: the beginning.
    pub cursor: Option<u64>,
}

impl ConnectionQuery {
    /// Connections of a page when no limit is given, and the most there are on one.
    pub const PAGE: usize = 1000;
}
