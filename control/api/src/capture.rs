use serde::{Deserialize, Serialize};

use crate::Explanation;

/// To be posted to `/v1/capture`: packets as workers see them. The answer is pcapng, and ends with what ends it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct CaptureRequest {
    /// Which packets: classic BPF for Ethernet, as libpcap compiles it. Empty: all.
    #[serde(default)]
    pub program: Vec<Instruction>,
    /// The filter in tcpdump's language, for whoever reads the capture.
    #[serde(default)]
    pub filter: String,
    /// Bytes of each packet to keep. Absent: all.
    #[serde(default)]
    pub snaplen: Option<u32>,
    /// Packets after which it ends; one that comes in and leaves is one. Absent: none.
    #[serde(default)]
    pub count: Option<u64>,
    /// Seconds after which it ends. Absent: none.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// Only packets that come in or leave by the port with this name.
    #[serde(default)]
    pub port: Option<String>,
    /// Only packets that are dropped.
    #[serde(default)]
    pub dropped: bool,
}

/// An instruction of classic BPF: code, jt, jf and k of `struct bpf_insn`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Instruction(pub u16, pub u8, pub u8, pub u32);

/// A line of the answer to a [`CaptureRequest`] that is posted to `/v1/trace`: JSON, one line for each packet.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceLine {
    /// What happened to a packet.
    Packet {
        /// Nanoseconds since 1970.
        time: u64,
        /// The worker that had it.
        worker: usize,
        /// What happened.
        explanation: Explanation,
    },
    /// The last line.
    End {
        /// Packets that were told of.
        packets: u64,
        /// Packets that were not, because they came faster than they were read.
        lost: u64,
    },
}
