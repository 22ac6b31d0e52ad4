//! Setting a port up.

#![expect(unsafe_code, reason = "calls of the C ethdev library")]

use std::ptr;

use dpdk_sys as sys;

use super::{FRAME_OVERHEAD, Port, PortConfig, PortError, RxOffloads, Setting, StartedPort, State, TxOffloads};
use crate::{Errno, Mempool};

/// What RSS may hash: addresses, and ports of TCP and UDP. Each device does some of these.
pub(super) const RSS_FLOWS: u64 = sys::DPDK_RSS_IPV4
    | sys::DPDK_RSS_IPV4_TCP
    | sys::DPDK_RSS_IPV4_UDP
    | sys::DPDK_RSS_IPV6
    | sys::DPDK_RSS_IPV6_TCP
    | sys::DPDK_RSS_IPV6_UDP;

/// What a device was actually given.
pub(super) struct Applied {
    pub(super) rx_offloads: RxOffloads,
    pub(super) tx_offloads: TxOffloads,
    pub(super) ignored: Vec<Setting>,
}

impl Port {
    /// Sets the port up, all receive queues with one pool, and starts it.
    ///
    /// What a driver does not implement among MTU, MAC, promiscuous mode, multicast and RSS is left out and listed by
    /// [`StartedPort::ignored`]; offloads it lacks are left out as well.
    ///
    /// # Errors
    /// [`PortError`]. When it comes from the driver itself, the device is closed.
    pub fn configure(self, config: &PortConfig, pool: &Mempool) -> Result<StartedPort, PortError> {
        self.configure_with_pools(config, std::slice::from_ref(pool))
    }

    /// As [`configure`](Self::configure), the receive queues taking the pools in turn.
    ///
    /// # Errors
    /// [`PortError`]. When it comes from the driver itself, the device is closed.
    pub fn configure_with_pools(mut self, config: &PortConfig, pools: &[Mempool]) -> Result<StartedPort, PortError> {
        let info = self.dev_info()?;
        self.check(config, pools)?;
        // From here on the device may point to the pools, whatever fails.
        self.state = State::Configured;
        self.pools.extend_from_slice(pools);
        let mut applied = self.configure_device(config, &info)?;
        self.set_up_queues(config, &info, &applied, pools)?;
        self.apply_address(config, &mut applied.ignored)?;
        // SAFETY: configured, with all queues set up.
        let returned = unsafe { sys::rte_eth_dev_start(self.id) };
        Errno::check(returned).map_err(self.failed("starting"))?;
        self.state = State::Started;
        self.apply_reception(config, &mut applied.ignored)?;
        Ok(StartedPort::new(self, config, applied))
    }

    /// What can be known to fail before the device is touched.
    fn check(&self, config: &PortConfig, pools: &[Mempool]) -> Result<(), PortError> {
        let info = self.info()?;
        let (rx, tx) = (config.rx_queues, config.tx_queues);
        if rx > info.max_rx_queues {
            return Err(PortError::queues(&self.name, &info.driver, "receive", info.max_rx_queues, rx));
        }
        if tx > info.max_tx_queues {
            return Err(PortError::queues(&self.name, &info.driver, "transmit", info.max_tx_queues, tx));
        }
        let Some(room) = pools.iter().map(Mempool::data_room).min() else {
            return Err(PortError::NoPool { port: self.name.clone() });
        };
        if let Some(mtu) = config.mtu
            && !config.rx_offloads.contains(RxOffloads::SCATTER)
        {
            let wanted = u32::from(mtu) + u32::from(FRAME_OVERHEAD);
            if wanted > u32::from(room) {
                return Err(PortError::Mtu { port: self.name.clone(), mtu, room, wanted });
            }
        }
        Ok(())
    }

    fn configure_device(&self, config: &PortConfig, info: &sys::rte_eth_dev_info) -> Result<Applied, PortError> {
        let _control = self.control();
        let mut applied = Applied {
            rx_offloads: config.rx_offloads & RxOffloads::from_bits(info.rx_offload_capa),
            tx_offloads: config.tx_offloads & TxOffloads::from_bits(info.tx_offload_capa),
            ignored: Vec::new(),
        };
        let mut raw = sys::rte_eth_conf::default();
        let flows = RSS_FLOWS & info.flow_type_rss_offloads;
        let several = config.rx_queues > 1;
        if config.rss && flows != 0 && (several || config.rx_offloads.contains(RxOffloads::RSS_HASH)) {
            raw.rxmode.mq_mode = sys::rte_eth_rx_mq_mode::RTE_ETH_MQ_RX_RSS;
            raw.rx_adv_conf.rss_conf.rss_hf = flows;
        } else {
            if config.rss && several {
                applied.ignored.push(Setting::Rss);
            }
            // DPDK refuses a hash that nothing computes.
            applied.rx_offloads = RxOffloads::from_bits(applied.rx_offloads.bits() & !RxOffloads::RSS_HASH.bits());
        }
        raw.rxmode.offloads = applied.rx_offloads.bits();
        raw.txmode.offloads = applied.tx_offloads.bits();
        // SAFETY: the device is stopped, and `raw` is copied.
        let returned =
            unsafe { sys::rte_eth_dev_configure(self.id, config.rx_queues, config.tx_queues, &raw const raw) };
        Errno::check(returned).map_err(self.failed("configuring"))?;
        Ok(applied)
    }

    fn set_up_queues(
        &self,
        config: &PortConfig,
        info: &sys::rte_eth_dev_info,
        applied: &Applied,
        pools: &[Mempool],
    ) -> Result<(), PortError> {
        let _control = self.control();
        let (mut rx_desc, mut tx_desc) = (config.rx_desc, config.tx_desc);
        // SAFETY: the device is configured; both numbers are adjusted in place.
        let returned = unsafe { sys::rte_eth_dev_adjust_nb_rx_tx_desc(self.id, &raw mut rx_desc, &raw mut tx_desc) };
        Errno::check(returned).map_err(self.failed("adjusting the number of descriptors"))?;
        // SAFETY: the device exists.
        let socket = unsafe { sys::rte_eth_dev_socket_id(self.id) }.cast_unsigned();
        let mut rx_conf = info.default_rxconf;
        rx_conf.offloads = applied.rx_offloads.bits();
        let mut tx_conf = info.default_txconf;
        tx_conf.offloads = applied.tx_offloads.bits();
        for (queue, pool) in (0..config.rx_queues).zip(pools.iter().cycle()) {
            let pool = pool.as_ptr();
            // SAFETY: configured and stopped; the port keeps the pool until the device is closed.
            let returned =
                unsafe { sys::rte_eth_rx_queue_setup(self.id, queue, rx_desc, socket, &raw const rx_conf, pool) };
            Errno::check(returned).map_err(self.failed("setting a receive queue up"))?;
        }
        for queue in 0..config.tx_queues {
            // SAFETY: configured and stopped.
            let returned = unsafe { sys::rte_eth_tx_queue_setup(self.id, queue, tx_desc, socket, &raw const tx_conf) };
            Errno::check(returned).map_err(self.failed("setting a transmit queue up"))?;
        }
        Ok(())
    }

    fn apply_address(&self, config: &PortConfig, ignored: &mut Vec<Setting>) -> Result<(), PortError> {
        let _control = self.control();
        if let Some(mtu) = config.mtu {
            // SAFETY: the device is configured.
            let returned = unsafe { sys::rte_eth_dev_set_mtu(self.id, mtu) };
            if !Errno::supported(returned).map_err(self.failed("setting the MTU"))? {
                ignored.push(Setting::Mtu);
            }
        }
        if let Some(addr_bytes) = config.mac {
            let mut mac = sys::rte_ether_addr { addr_bytes };
            // SAFETY: the device is configured, and `mac` is copied.
            let returned = unsafe { sys::rte_eth_dev_default_mac_addr_set(self.id, ptr::from_mut(&mut mac)) };
            if !Errno::supported(returned).map_err(self.failed("setting the MAC address"))? {
                ignored.push(Setting::Mac);
            }
        }
        Ok(())
    }

    fn apply_reception(&self, config: &PortConfig, ignored: &mut Vec<Setting>) -> Result<(), PortError> {
        let _control = self.control();
        if config.promiscuous {
            // SAFETY: the device exists.
            let returned = unsafe { sys::rte_eth_promiscuous_enable(self.id) };
            if !Errno::supported(returned).map_err(self.failed("setting promiscuous mode"))? {
                ignored.push(Setting::Promiscuous);
            }
        }
        if config.all_multicast {
            // SAFETY: the device exists.
            let returned = unsafe { sys::rte_eth_allmulticast_enable(self.id) };
            if !Errno::supported(returned).map_err(self.failed("receiving all multicast"))? {
                ignored.push(Setting::AllMulticast);
            }
        }
        Ok(())
    }
}
