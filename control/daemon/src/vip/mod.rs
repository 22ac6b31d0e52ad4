//! Health checks through the data path to the virtual address, for direct routing and tunnelling.
//!
//! The kernel can't ask a virtual address of one certain real server: often it is its own address. So each real server of each
//! virtual address has an address of ours, which the kernel routes to a TUN device. What a probe sends there gets the virtual
//! address for its destination and one of the director's for its source, and leaves as the data path would send it: to the
//! real server's hardware address, or in a tunnel. What comes back is caught before it reaches the kernel's twin of the port.
//! docs/design/0006-checks-through-vip.md says why.

mod error;
mod outward;
mod packet;
mod registry;
mod translator;
mod tunnel;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tokio::sync::{mpsc, watch};
use ulvs_config::Director;
use ulvs_kernel::{KernelState, Netlink, Resolver, Tap, address};

pub(crate) use registry::{Registry, Way};
pub(crate) use translator::Translator;

/// The TUN device's name.
const DEVICE: &str = "ulvs-checks";
/// Leaves room for a tunnel's header of either family on a way of the usual 1500 bytes, and for IPv6's least MTU.
const MTU: u16 = 1440;
/// The device's networks. IPv4's is of the reserved class, which no network uses and Linux takes; IPv6's is a local one.
const NETWORK_V4: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(240, 117, 0, 1), 16);
const NETWORK_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfd75, 0x6c76, 0x7300, 0, 0, 0, 0, 1), 64);
/// Neighbours that wait to be asked for. More are asked for with the next packets.
const ASKED: usize = 256;

/// What checks through virtual addresses need.
#[derive(Debug)]
pub(crate) struct Vip {
    /// The TUN device, from when on a check needs it.
    pub(crate) device: OnceLock<Tap>,
    pub(crate) registry: Registry,
    /// Absent without a TAP: then nothing that comes back could be caught.
    pub(crate) kernel: Option<watch::Receiver<Arc<KernelState>>>,
    /// Neighbours to be asked for: the index of a TAP, and an address on it.
    unresolved: mpsc::Sender<(u32, IpAddr)>,
}

impl Vip {
    /// Nothing yet. Neighbours are asked for in a task of their own.
    pub(crate) fn new(kernel: Option<(watch::Receiver<Arc<KernelState>>, Resolver)>) -> Self {
        let (unresolved, asked) = mpsc::channel(ASKED);
        let (kernel, resolver) = kernel.unzip();
        if let Some(resolver) = resolver {
            tokio::spawn(resolve(resolver, asked));
        }
        Self { device: OnceLock::new(), registry: Registry::default(), kernel, unresolved }
    }

    /// Makes the device if a check of this file needs it, and it is not there.
    ///
    /// # Errors
    /// A sentence: why such checks can't be asked.
    pub(crate) async fn prepare(&self, said: &Director) -> Result<()> {
        if self.device.get().is_some() || !said.checks().iter().any(|check| check.through_vip) {
            return Ok(());
        }
        if self.kernel.is_none() {
            return Err(anyhow!(
                "checks through the virtual address need a port with a TAP: give one `tap`, or leave out `through`"
            ));
        }
        let device = Tap::create_tun(DEVICE, MTU).context("checks through the virtual address")?;
        let netlink = Netlink::open()?;
        address::assign(&netlink, device.index(), NETWORK_V4.into()).await?;
        // A kernel without IPv6 has no such services either.
        if let Err(error) = address::assign(&netlink, device.index(), IpNet::V6(NETWORK_V6)).await {
            tracing::warn!("virtual addresses of IPv6 can't be checked: {error}");
        }
        // Nobody else makes one: files are followed one after the other.
        let _ = self.device.set(device);
        Ok(())
    }

    /// A packet waits for this neighbour's hardware address.
    fn ask_for(&self, ifindex: u32, address: IpAddr) {
        // If too many wait it is asked for again with the next packet.
        let _ = self.unresolved.try_send((ifindex, address));
    }
}

async fn resolve(resolver: Resolver, mut asked: mpsc::Receiver<(u32, IpAddr)>) {
    while let Some((ifindex, address)) = asked.recv().await {
        if let Err(error) = resolver.resolve(ifindex, address).await {
            tracing::debug!("{address}: {error}");
        }
    }
}
