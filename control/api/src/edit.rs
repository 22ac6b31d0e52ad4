use serde::{Deserialize, Serialize};

/// `POST /v1/services`: edits of services and real servers, made in their order and in one step, all or none. Answered with
/// [`Changed`](crate::Changed), or with a [`Failure`](crate::Failure) that names the field.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EditRequest {
    /// Only tell what would change.
    #[serde(default)]
    pub dry_run: bool,
    /// What to do: `{"add_service": {"service": "tcp 192.0.2.100:80", "scheduler": "wrr"}}`.
    pub edits: Vec<Edit>,
}

/// One edit. Of what is added a field that is absent has its default, of what is edited it stays what it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Add a service without real servers.
    AddService(ServiceEdit),
    /// Edit a service: its connections and real servers stay.
    EditService(ServiceEdit),
    /// Remove a service with its real servers.
    RemoveService(ServiceName),
    /// Add a real server to a service.
    AddRealServer(RealServerEdit),
    /// Edit a real server of a service: its connections stay, and keep the method they were made with.
    EditRealServer(RealServerEdit),
    /// Remove a real server from a service.
    RemoveRealServer(RealServerName),
}

/// A service to be removed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceName {
    /// `tcp 192.0.2.100:80`, `udp [2001:db8::100]:53`, `mark 7`, `mark 7 (IPv6)`; a colon may stand for the first space.
    pub service: String,
}

/// A service to be added or edited.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEdit {
    /// As in [`ServiceName`].
    pub service: String,
    /// IPVS's name: `rr`, `wlc`, `mh` and so on. Default: `wlc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// The scheduler's flags: `sh-fallback`, `sh-port`, `mh-fallback`, `mh-port`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<String>>,
    /// Seconds a client keeps its real server after its last new connection; 0: it doesn't. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<u32>,
    /// Clients that are the same under it are taken for one: `255.255.255.0`, or the length of a prefix, as `24`. Default: each
    /// is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netmask: Option<String>,
    /// What else tells clients apart: `sip`, the Call-ID of SIP by UDP; empty: nothing. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence_engine: Option<String>,
    /// Whether each UDP datagram is scheduled by itself. Default: not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_packet: Option<bool>,
}

/// A real server to be removed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RealServerName {
    /// Its service, as in [`ServiceName`].
    pub service: String,
    /// `10.0.0.11:8080`, or without the port if it is the service's.
    pub real_server: String,
}

/// A real server to be added or edited.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RealServerEdit {
    /// Its service, as in [`ServiceName`].
    pub service: String,
    /// `10.0.0.11:8080`, or without the port if it is the service's.
    pub real_server: String,
    /// `nat`, `dr`, `tun`. It has to be said of a real server that is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What kind of tunnel, if the method is `tun`: `ipip`, `gue`, `gre`. Default: `ipip`; of a real server that is edited, a type
    /// other than before has a port and a checksum of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tun_type: Option<String>,
    /// UDP port of the far end, of `gue` alone, which needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tun_port: Option<u16>,
    /// Checksum of the tunnel's header: `nocsum`, `csum`, `remcsum`. Default: `nocsum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tun_checksum: Option<String>,
    /// Share of new connections; 0: gets no new ones. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Connections from which on it is overloaded and gets no new ones; 0: never. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_threshold: Option<u32>,
    /// Connections below which it no longer is; 0: three quarters of the upper threshold. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_threshold: Option<u32>,
}
