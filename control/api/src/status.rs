use serde::{Deserialize, Serialize};

use crate::{Name, PassTimes};

/// `GET /v1/status`: the director as a whole.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Status {
    /// Version of ulvsd.
    pub version: String,
    /// Process id of ulvsd.
    pub pid: u32,
    /// Seconds since start.
    pub uptime_seconds: u64,
    /// Generation of the newest published snapshot.
    pub generation: u64,
    /// Each worker, in the order of their ids.
    pub workers: Vec<WorkerStatus>,
    /// Each port, in the file's order.
    pub ports: Vec<PortStatus>,
    /// The connection table.
    pub connections: Occupancy,
    /// Every reason packets are dropped for, those that never happened included.
    pub drops: Vec<ReasonCount>,
    /// Every reason packets are given to the kernel for, those that never happened included.
    pub punts: Vec<ReasonCount>,
}

/// One worker. Every packet it received was forwarded, punted or dropped.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct WorkerStatus {
    /// Its number, from 0.
    pub id: usize,
    /// The core it is pinned to.
    pub core: usize,
    /// Generation of the snapshot it forwards with.
    pub generation: u64,
    /// Packets received from ports.
    pub packets_in: u64,
    /// Packets forwarded to real servers and clients.
    pub forwarded: u64,
    /// Packets given to the kernel.
    pub punted: u64,
    /// Packets dropped, for any reason.
    pub dropped: u64,
    /// Connections it created.
    pub connections: u64,
    /// Rounds of its poll loop.
    pub loops: u64,
    /// The share of its time in rounds that found packets, 0 to 1; sleep is no part of that time.
    pub busy_ratio: f64,
    /// How long the rounds took.
    #[serde(default)]
    pub pass_times: PassTimes,
}

/// One port.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct PortStatus {
    /// The operator's name for it.
    pub name: String,
    /// PCI address or virtual device, as in the file.
    pub device: String,
    /// DPDK's driver.
    pub driver: String,
    /// MAC address.
    pub mac: String,
    /// The largest IP packet in bytes.
    pub mtu: u16,
    /// Whether there is a link.
    pub link_up: bool,
    /// Speed of the link in Mbit/s; absent: unknown.
    pub speed_mbps: Option<u32>,
    /// The kernel's twin; absent: none.
    pub tap: Option<String>,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets the device dropped because no worker fetched them in time.
    pub rx_missed: u64,
    /// Packets lost because the pool was empty.
    pub rx_no_mbuf: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets the device did not take.
    pub tx_dropped: u64,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Occupancy {
    /// Entries there can be.
    pub capacity: u64,
    /// Entries there are.
    pub live: u64,
    /// Those among them that are no connections: each remembers a client's real server.
    #[serde(default)]
    pub templates: u64,
}

/// How often something happened for a reason.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ReasonCount {
    /// The reason's name, as in metrics.
    pub reason: Name,
    /// What it means, in a sentence.
    pub description: Name,
    /// Packets.
    pub count: u64,
}
