use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::Name;

/// To be posted to `/v1/explain`: a packet that comes in now; [`Explanation`] says what would happen to it. Nothing happens.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ExplainRequest {
    /// The packet by its addresses; or `frame`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<ExplainFlow>,
    /// The packet as it is, with its Ethernet header, in hexadecimal digits. It is taken for addressed to the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<String>,
    /// The port that it comes in by. Absent: the one that leads to its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The worker that has it: schedulers remember for each of them where they are. Absent: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<usize>,
}

/// A packet by its addresses.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ExplainFlow {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes to.
    pub destination: SocketAddr,
    /// TCP's flags, as `syn` or `fin,ack`. Absent: `syn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
}

/// What would happen to a packet, or did.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Explanation {
    /// The packet.
    pub packet: String,
    /// Step by step.
    pub stages: Vec<Stage>,
    /// `forward`, `fragment`, `kernel`, `drop`, `reject`, `wait` or `hold`.
    pub verdict: Name,
    /// Why it is dropped or the kernel's: a word of the metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Name>,
    /// The real server of its connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real_server: Option<SocketAddr>,
    /// The packet as it leaves, or the error about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaves: Option<String>,
    /// What to do if this is not as it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// A step of an explanation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Stage {
    /// `receive`, `connection`, `service`, `persistence`, `schedule`, `rewrite`, `verdict`.
    pub stage: Name,
    /// What happens there, sentences.
    pub says: String,
}
