//! EAL, the packet pool, the ports and their TAP twins.

use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use dpdk::{Eal, LogLevel, Mempool, MempoolConfig, Port, PortConfig, StartedPort};
use ulvs_config::{Device, Director, Port as PortSettings};
use ulvs_kernel::Tap;
use ulvs_worker::Exception;
use ulvs_worker::ports::MbufFrame;

use crate::words::counted;

/// Descriptors of each queue.
const DESCRIPTORS: u16 = 1024;
/// Mbufs each worker keeps at hand.
const CACHE: u32 = 256;
/// Bytes of a frame that an mbuf holds at least: some drivers take no smaller buffers.
const DATA_ROOM: u16 = 2048;

/// A port of the director and its twin in the kernel.
#[derive(Debug)]
pub(crate) struct DirectorPort {
    pub(crate) settings: PortSettings,
    pub(crate) mac: [u8; 6],
    pub(crate) driver: String,
    pub(crate) tap: Option<Tap>,
    /// Whether its NIC was taken from ulvsd.
    pub(crate) is_lost: AtomicBool,
}

/// Initialises EAL for the director's devices.
pub(crate) fn eal(director: &Director) -> Result<Eal> {
    let settings = director.dpdk();
    let mut builder = Eal::builder()
        .memory_mib(settings.memory_mib)
        .file_prefix(format!("ulvs{}", std::process::id()))
        .log_level(LogLevel::Warning);
    if !settings.huge_pages {
        builder = builder.no_huge();
    }
    for port in director.ports() {
        builder = match &port.device {
            Device::Pci(address) => builder.pci(address),
            Device::Vdev { .. } => builder.vdev(port.device.to_string()),
        };
    }
    for argument in &settings.eal_args {
        builder = builder.arg(argument);
    }
    Ok(builder.init()?)
}

/// The pool all packets come from.
pub(crate) fn pool(eal: &Eal, director: &Director) -> Result<Mempool> {
    let queues: usize = director.ports().len() * director.workers().cores.len();
    let needed = u32::try_from(queues).unwrap_or(u32::MAX).saturating_mul(2 * u32::from(DESCRIPTORS));
    let workers = u32::try_from(director.workers().cores.len()).unwrap_or(u32::MAX);
    let waiting = u32::try_from(director.neighbours().queue).unwrap_or(u32::MAX);
    let at_hand = workers.saturating_mul(2 * CACHE + 512 + waiting);
    // Under way between workers and kernel.
    let exceptions = u32::try_from(Exception::<MbufFrame>::capacity(director.ports().len())).unwrap_or(u32::MAX);
    let count = needed.saturating_add(at_hand).saturating_add(exceptions);
    // One less than a power of two fills the pool's ring.
    let count = director.dpdk().packets.unwrap_or_else(|| count.checked_next_power_of_two().unwrap_or(count) - 1);
    let longest = director.ports().iter().map(|port| port.mtu).max().unwrap_or(1500);
    let data_room = DATA_ROOM.max(longest.saturating_add(dpdk::port::FRAME_OVERHEAD));
    let config = MempoolConfig { count, cache: CACHE, data_room, socket: None };
    let given = || format!("`memory` of [dpdk] is {} MiB", director.dpdk().memory_mib);
    Mempool::new(eal, "packets", &config).with_context(given)
}

/// Finds, configures and starts every port, and makes its TAP twin.
pub(crate) fn start(eal: &Eal, pool: &Mempool, director: &Director) -> Result<(Vec<StartedPort>, Vec<DirectorPort>)> {
    let workers = u16::try_from(director.workers().cores.len()).context("too many workers")?;
    let mut started = Vec::new();
    let mut ports = Vec::new();
    for settings in director.ports() {
        let port = start_port(eal, pool, settings, workers).with_context(|| format!("port \"{}\"", settings.name))?;
        let mac = port.mac()?;
        let driver = port.info()?.driver;
        let tap = match &settings.tap {
            Some(name) => Some(Tap::create(name, mac, settings.mtu)?),
            None => None,
        };
        tracing::info!(
            "port {}: {} ({driver}), {}, MTU {}, {}, TAP {}",
            settings.name,
            settings.device,
            ulvs_kernel::tap::Mac(mac),
            settings.mtu,
            counted(port.rx_queues(), "queue"),
            settings.tap.as_deref().unwrap_or("none"),
        );
        started.push(port);
        ports.push(DirectorPort { settings: settings.clone(), mac, driver, tap, is_lost: AtomicBool::new(false) });
    }
    Ok((started, ports))
}

fn start_port(eal: &Eal, pool: &Mempool, settings: &PortSettings, workers: u16) -> Result<StartedPort> {
    let port = Port::find(eal, settings.device.id())?;
    let config = PortConfig {
        rx_queues: settings.queues.unwrap_or(workers),
        tx_queues: workers,
        rx_desc: DESCRIPTORS,
        tx_desc: DESCRIPTORS,
        mtu: Some(settings.mtu),
        mac: settings.mac.map(ulvs_config::Mac::octets),
        promiscuous: settings.promiscuous,
        // Neighbour discovery, VRRP and routing protocols are the kernel's, by way of the TAP.
        all_multicast: settings.tap.is_some(),
        ..PortConfig::default()
    };
    let started = port.configure(&config, pool)?;
    for setting in started.ignored() {
        tracing::debug!("port {}: the driver does not implement {setting:?}", settings.name);
    }
    if settings.mac.is_some() && started.ignored().contains(&dpdk::port::Setting::Mac) {
        bail!("the device can't take another hardware address: leave out `mac`");
    }
    Ok(started)
}
