//! What a port is to be.

use super::{RxOffloads, TxOffloads};

/// What to set a port up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortConfig {
    /// Receive queues, numbered from 0.
    pub rx_queues: u16,
    /// Transmit queues, numbered from 0.
    pub tx_queues: u16,
    /// Descriptors of each receive queue, before the device's limits are applied.
    pub rx_desc: u16,
    /// Descriptors of each transmit queue, before the device's limits are applied.
    pub tx_desc: u16,
    /// Largest IP packet in bytes; the device's default when `None`.
    pub mtu: Option<u16>,
    /// MAC address; the device's own when `None`.
    pub mac: Option<[u8; 6]>,
    /// Whether to receive frames that are addressed to others.
    pub promiscuous: bool,
    /// Whether to receive frames that are addressed to a group, whichever.
    pub all_multicast: bool,
    /// Whether to spread flows over the receive queues by a hash of their addresses and ports. What the device does not
    /// hash is left out.
    pub rss: bool,
    /// Receive offloads to use where the device has them.
    pub rx_offloads: RxOffloads,
    /// Transmit offloads to use where the device has them.
    pub tx_offloads: TxOffloads,
}

impl Default for PortConfig {
    /// One queue each way with 1024 descriptors, RSS if there come to be more, no offloads.
    fn default() -> Self {
        Self {
            rx_queues: 1,
            tx_queues: 1,
            rx_desc: 1024,
            tx_desc: 1024,
            mtu: None,
            mac: None,
            promiscuous: false,
            all_multicast: false,
            rss: true,
            rx_offloads: RxOffloads::NONE,
            tx_offloads: TxOffloads::NONE,
        }
    }
}

/// A setting that drivers need not implement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// [`PortConfig::mtu`].
    Mtu,
    /// [`PortConfig::mac`].
    Mac,
    /// [`PortConfig::promiscuous`].
    Promiscuous,
    /// [`PortConfig::all_multicast`].
    AllMulticast,
    /// [`PortConfig::rss`].
    Rss,
}
