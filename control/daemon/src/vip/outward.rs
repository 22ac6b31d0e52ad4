//! The way out: from a virtual address's real server to a frame that the data path would send.

use std::net::IpAddr;

use ulvs_engine::snapshot::PortId;
use ulvs_kernel::KernelState;
use ulvs_model::{Encapsulation, ForwardMethod};

use super::registry::Way;
use super::tunnel::Tunnel;
use crate::devices::DirectorPort;

const TYPE_IPV4: [u8; 2] = [0x08, 0x00];
const TYPE_IPV6: [u8; 2] = [0x86, 0xdd];

/// Where packets of a way leave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Outward {
    pub(super) port: PortId,
    /// Both hardware addresses, as a frame begins with.
    macs: [u8; 12],
    /// The director's address that replies come to.
    pub(super) source: IpAddr,
    tunnel: Option<Tunnel>,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Missing {
    /// The kernel has no route by a port, or no address there.
    Way,
    /// The hardware address of a neighbour: of which interface, and which address.
    Neighbour(u32, IpAddr),
}

impl Outward {
    pub(super) fn find(
        way: &Way,
        encapsulation: Encapsulation,
        ports: &[DirectorPort],
        kernel: &KernelState,
    ) -> Result<Self, Missing> {
        let (_, route) = kernel.route(way.real_server).ok_or(Missing::Way)?;
        let found = route.next_hops.iter().find_map(|hop| {
            let at = ports.iter().position(|port| port.tap.as_ref().is_some_and(|tap| tap.index() == hop.ifindex))?;
            Some((hop, at, ports.get(at)?.mac))
        });
        let (hop, at, own) = found.ok_or(Missing::Way)?;
        let next = hop.gateway.unwrap_or(way.real_server);
        let known = kernel.neighbour(hop.ifindex, next).and_then(ulvs_kernel::state::Neighbour::usable_mac);
        let mac = known.ok_or(Missing::Neighbour(hop.ifindex, next))?;
        let local = |like: IpAddr| local(kernel, hop.ifindex, like, way.vip);
        let source = way.source.or_else(|| local(way.vip)).ok_or(Missing::Way)?;
        let tunnel = match way.method {
            ForwardMethod::Tun => {
                let preferred = route.preferred_source.filter(|one| one.is_ipv4() == way.real_server.is_ipv4());
                let source = preferred.or_else(|| local(way.real_server)).ok_or(Missing::Way)?;
                Some(Tunnel { source, destination: way.real_server, encapsulation })
            }
            ForwardMethod::Dr | ForwardMethod::Nat => None,
        };
        let mut macs = [0; 12];
        macs[..6].copy_from_slice(&mac);
        macs[6..].copy_from_slice(&own);
        Ok(Self { port: PortId(u16::try_from(at).unwrap_or(u16::MAX)), macs, source, tunnel })
    }

    /// The frame that a packet is sent in. Absent if it is too long for a tunnel.
    pub(super) fn frame(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let mut frame = self.macs.to_vec();
        let wrapped = self.tunnel.as_ref().map(|tunnel| tunnel.wrap(packet));
        let packet = match &wrapped {
            None => packet,
            Some(wrapped) => wrapped.as_deref()?,
        };
        frame.extend(if packet.first()? >> 4 == 4 { TYPE_IPV4 } else { TYPE_IPV6 });
        frame.extend(packet);
        Some(frame)
    }
}

/// An address of the director's that a real server can answer: of the family of `like`, on this interface rather than on
/// another, and of a network rather than alone, as virtual addresses are.
fn local(kernel: &KernelState, ifindex: u32, like: IpAddr, vip: IpAddr) -> Option<IpAddr> {
    let fits = kernel.addresses.iter().filter(|(_, net)| {
        let ip = net.addr();
        let is_link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        ip.is_ipv4() == like.is_ipv4() && ip != vip && !is_link_local
    });
    let worth = |&&(index, net): &&(u32, ipnet::IpNet)| {
        (index == ifindex, net.prefix_len() < net.max_prefix_len(), net.contains(&like))
    };
    fits.max_by_key(worth).map(|(_, net)| net.addr())
}
