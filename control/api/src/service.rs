use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{Drain, Name};

/// One service of `GET /v1/services`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServiceStatus {
    /// `tcp`, `udp`, `sctp`; `fwm` if it is a service by firewall mark.
    pub protocol: Name,
    /// Virtual IP address and port. Of a service by mark `0.0.0.0:0` or `[::]:0`, which tells its address family.
    pub address: SocketAddr,
    /// The firewall mark of its packets; absent: it is a service by address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// IPVS's name: `rr`, `wlc`, `mh` and so on.
    pub scheduler: Name,
    /// The scheduler's flags: `sh-fallback`, `sh-port`, `mh-fallback`, `mh-port`.
    #[serde(default)]
    pub flags: Vec<Name>,
    /// Who set it: `file`, `netlink` (ipvsadm, keepalived) or `api`.
    #[serde(default)]
    pub owner: Name,
    /// An entry of the file that is not as the file says: netlink or the API edited it since.
    #[serde(default)]
    pub edited: bool,
    /// Whether enough of its real servers are up; absent: none of them is checked.
    #[serde(default)]
    pub quorum: Option<bool>,
    /// Seconds a client keeps its real server after its last new connection; absent: it doesn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<u32>,
    /// Clients that are the same under it are taken for one: `255.255.255.0`, or the length of an IPv6 prefix; absent:
    /// each is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netmask: Option<String>,
    /// What else tells clients apart: `sip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence_engine: Option<String>,
    /// Each datagram is scheduled by itself.
    #[serde(default)]
    pub one_packet: bool,
    /// Traffic of the service.
    pub counters: Counters,
    /// Its real servers in the order they were added.
    pub real_servers: Vec<RealServerStatus>,
}

/// One real server as a service sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RealServerStatus {
    /// IP address and port.
    pub address: SocketAddr,
    /// `nat`, `dr`, `tun`.
    pub method: Name,
    /// What kind of tunnel: `ipip`, `gue`, `gre`; absent: the method is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tun_type: Option<Name>,
    /// UDP port of the far end of `gue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tun_port: Option<u16>,
    /// Checksum of the header of `gue` and `gre`: `nocsum`, `csum`, `remcsum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tun_checksum: Option<Name>,
    /// Share of new connections; 0: gets no new ones.
    pub weight: u32,
    /// The weight that was set: `weight` is less while something keeps it from that.
    #[serde(default)]
    pub configured_weight: u32,
    /// Whether packets are sent to it; not while it is taken out.
    #[serde(default = "yes")]
    pub forwarded: bool,
    /// What its health checks say: `up`, `down`; empty: it has none.
    #[serde(default)]
    pub health: Name,
    /// Whether an operator has it emptied.
    #[serde(default)]
    pub drain: Drain,
    /// When it is taken out at the latest, in seconds since 1970, because it is drained so; absent: nothing takes it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<u64>,
    /// Connections from which on it is overloaded and gets no new ones; 0: none.
    #[serde(default)]
    pub upper_threshold: u32,
    /// Connections below which it no longer is; 0: three quarters of the upper threshold.
    #[serde(default)]
    pub lower_threshold: u32,
    /// Whether it is overloaded.
    #[serde(default)]
    pub overloaded: bool,
    /// Connections in state ESTABLISHED, and UDP's.
    pub active_connections: u64,
    /// Connections in any other state.
    pub inactive_connections: u64,
    /// Who set it: `file`, `netlink` (ipvsadm, keepalived) or `api`.
    #[serde(default)]
    pub owner: Name,
    /// An entry of the file that is not as the file says: netlink or the API edited it since.
    #[serde(default)]
    pub edited: bool,
    /// Clients that are to keep it.
    #[serde(default)]
    pub persistent_clients: u64,
    /// Whether the director knows the way to it.
    pub neighbour: Neighbour,
    /// Traffic of the real server for this service.
    pub counters: Counters,
}

impl RealServerStatus {
    /// How it is reached, in ipvsadm's words: `nat`, `tun`, `tun gue 6080 csum`, `tun gre`.
    pub fn way(&self) -> String {
        let mut words = self.method.to_string();
        let Some(kind) = self.tun_type.as_deref().filter(|kind| *kind != "ipip") else { return words };
        words.extend([" ", kind]);
        if let Some(port) = self.tun_port {
            words.extend([" ", &port.to_string()]);
        }
        if let Some(checksum) = self.tun_checksum.as_deref().filter(|checksum| *checksum != "nocsum") {
            words.extend([" ", checksum]);
        }
        words
    }
}

const fn yes() -> bool {
    true
}

/// Whether the director knows the way to a real server.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Neighbour {
    /// The next hop's MAC address is known.
    Resolved,
    /// The next hop has not answered yet.
    Unresolved,
    /// No route leads there.
    NoRoute,
}

/// Traffic since start, IPVS's five counters.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counters {
    /// Connections scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients; 0 for DR and TUN, whose replies don't pass the director.
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
}
