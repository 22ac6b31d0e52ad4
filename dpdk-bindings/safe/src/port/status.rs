//! What a port is and what it has done.

#![expect(unsafe_code, reason = "calls of the C ethdev library")]

use std::{
    ffi::{CStr, c_char, c_uint},
    ptr,
};

use dpdk_sys as sys;

use super::{Port, PortError, RxOffloads, TxOffloads};
use crate::Errno;

/// What a device is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// The driver's name, such as `net_af_packet` or `net_mlx5`.
    pub driver: String,
    /// Most receive queues it can have.
    pub max_rx_queues: u16,
    /// Most transmit queues it can have.
    pub max_tx_queues: u16,
    /// NUMA socket it sits on, if on one.
    pub socket: Option<u32>,
    /// The kernel's index of the interface under it, if there is one.
    pub if_index: Option<u32>,
    /// Receive offloads it has.
    pub rx_offloads: RxOffloads,
    /// Transmit offloads it has.
    pub tx_offloads: TxOffloads,
    /// Whether it can hash TCP or UDP flows for RSS.
    pub rss: bool,
    /// Smallest MTU, in bytes.
    pub min_mtu: u16,
    /// Largest MTU, in bytes.
    pub max_mtu: u16,
}

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whether frames can pass.
    pub up: bool,
    /// Speed in Mbit/s; `None` when the driver does not know.
    pub mbps: Option<u32>,
    /// Whether both directions can be used at once.
    pub full_duplex: bool,
}

/// Counters since the port was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortStats {
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets the NIC dropped because no descriptor was free: the workers are too slow.
    pub rx_missed: u64,
    /// Packets received with errors.
    pub rx_errors: u64,
    /// Packets not received because the pool was empty.
    pub rx_no_mbuf: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
}

impl Port {
    /// What the device is and can do.
    ///
    /// # Errors
    /// [`PortError::Call`] when the driver says no.
    pub fn info(&self) -> Result<PortInfo, PortError> {
        let raw = self.dev_info()?;
        // SAFETY: the device exists.
        let socket = unsafe { sys::rte_eth_dev_socket_id(self.id) };
        // SAFETY: a static string of the driver's.
        let driver = unsafe { CStr::from_ptr(raw.driver_name) }.to_string_lossy().into_owned();
        Ok(PortInfo {
            driver,
            max_rx_queues: raw.max_rx_queues,
            max_tx_queues: raw.max_tx_queues,
            socket: u32::try_from(socket).ok(),
            if_index: (raw.if_index != 0).then_some(raw.if_index),
            rx_offloads: RxOffloads::from_bits(raw.rx_offload_capa),
            tx_offloads: TxOffloads::from_bits(raw.tx_offload_capa),
            rss: raw.flow_type_rss_offloads & super::setup::RSS_FLOWS != 0,
            min_mtu: raw.min_mtu,
            max_mtu: raw.max_mtu,
        })
    }

    /// The MAC address.
    ///
    /// # Errors
    /// [`PortError::Call`] when the driver says no.
    pub fn mac(&self) -> Result<[u8; 6], PortError> {
        let _control = self.control();
        let mut mac = sys::rte_ether_addr::default();
        // SAFETY: the device exists and `mac` takes the result.
        let returned = unsafe { sys::rte_eth_macaddr_get(self.id, &raw mut mac) };
        Errno::check(returned).map_err(self.failed("reading the MAC address"))?;
        Ok(mac.addr_bytes)
    }

    /// The largest IP packet, in bytes.
    ///
    /// # Errors
    /// [`PortError::Call`] when the driver says no.
    pub fn mtu(&self) -> Result<u16, PortError> {
        let _control = self.control();
        let mut mtu = 0;
        // SAFETY: the device exists and `mtu` takes the result.
        let returned = unsafe { sys::rte_eth_dev_get_mtu(self.id, &raw mut mtu) };
        Errno::check(returned).map_err(self.failed("reading the MTU"))?;
        Ok(mtu)
    }

    /// The link's state. Does not wait for a link that is coming up.
    ///
    /// # Errors
    /// [`PortError::Call`] when the driver says no.
    pub fn link(&self) -> Result<Link, PortError> {
        let _control = self.control();
        let mut raw = sys::dpdk_link::default();
        // SAFETY: the device exists and `raw` takes the result.
        let returned = unsafe { sys::dpdk_link_get_nowait(self.id, &raw mut raw) };
        Errno::check(returned).map_err(self.failed("reading the link's state"))?;
        // 0 is "none" and the largest number "unknown".
        let mbps = (raw.mbps != 0 && raw.mbps != u32::MAX).then_some(raw.mbps);
        Ok(Link { up: raw.up, mbps, full_duplex: raw.full_duplex })
    }

    /// Sets the link up.
    ///
    /// # Errors
    /// [`PortError::Call`], with [`Errno::ENOTSUP`] for drivers that cannot.
    pub fn set_link_up(&self) -> Result<(), PortError> {
        let _control = self.control();
        // SAFETY: the device exists.
        let returned = unsafe { sys::rte_eth_dev_set_link_up(self.id) };
        Errno::check(returned).map(|_| ()).map_err(self.failed("setting the link up"))
    }

    /// Sets the link down: the other end sees it.
    ///
    /// # Errors
    /// [`PortError::Call`], with [`Errno::ENOTSUP`] for drivers that cannot.
    pub fn set_link_down(&self) -> Result<(), PortError> {
        let _control = self.control();
        // SAFETY: the device exists.
        let returned = unsafe { sys::rte_eth_dev_set_link_down(self.id) };
        Errno::check(returned).map(|_| ()).map_err(self.failed("setting the link down"))
    }

    /// The counters every driver has.
    ///
    /// # Errors
    /// [`PortError::Call`] when the driver says no.
    pub fn stats(&self) -> Result<PortStats, PortError> {
        let _control = self.control();
        let mut raw = sys::rte_eth_stats::default();
        // SAFETY: the device exists and `raw` takes the result.
        let returned = unsafe { sys::rte_eth_stats_get(self.id, &raw mut raw) };
        Errno::check(returned).map_err(self.failed("reading the statistics"))?;
        Ok(PortStats {
            rx_packets: raw.ipackets,
            rx_bytes: raw.ibytes,
            rx_missed: raw.imissed,
            rx_errors: raw.ierrors,
            rx_no_mbuf: raw.rx_nombuf,
            tx_packets: raw.opackets,
            tx_bytes: raw.obytes,
            tx_errors: raw.oerrors,
        })
    }

    /// All counters of this driver, by name.
    ///
    /// # Errors
    /// [`PortError::Call`] when the driver says no.
    pub fn xstats(&self) -> Result<Vec<(String, u64)>, PortError> {
        let _control = self.control();
        // SAFETY: without room, only the number is returned.
        let count = unsafe { sys::rte_eth_xstats_get_names(self.id, ptr::null_mut(), 0) };
        let count = Errno::check(count).map_err(self.failed("counting the extended statistics"))?;
        let mut names = vec![sys::rte_eth_xstat_name::default(); count as usize];
        // SAFETY: there is room for `count` names.
        let returned = unsafe { sys::rte_eth_xstats_get_names(self.id, names.as_mut_ptr(), count as c_uint) };
        Errno::check(returned).map_err(self.failed("naming the extended statistics"))?;
        let mut values = vec![sys::rte_eth_xstat::default(); count as usize];
        // SAFETY: there is room for `count` values.
        let returned = unsafe { sys::rte_eth_xstats_get(self.id, values.as_mut_ptr(), count as c_uint) };
        let got = Errno::check(returned).map_err(self.failed("reading the extended statistics"))?;
        let named = values.iter().take(got as usize).filter_map(|stat| {
            let name = names.get(usize::try_from(stat.id).ok()?)?;
            Some((text(&name.name), stat.value))
        });
        Ok(named.collect())
    }

    pub(super) fn dev_info(&self) -> Result<sys::rte_eth_dev_info, PortError> {
        let _control = self.control();
        let mut raw = sys::rte_eth_dev_info::default();
        // SAFETY: the device exists and `raw` takes the result.
        let returned = unsafe { sys::rte_eth_dev_info_get(self.id, &raw mut raw) };
        Errno::check(returned).map_err(self.failed("reading the device's abilities"))?;
        Ok(raw)
    }
}

/// The text in a fixed-size field.
fn text(field: &[c_char]) -> String {
    let bytes: Vec<u8> = field.iter().map(|&c| c.cast_unsigned()).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
