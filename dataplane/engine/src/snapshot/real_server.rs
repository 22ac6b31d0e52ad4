//! Real servers as packets are sent to them: once for all services that they are in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ulvs_model::{Encapsulation, ForwardMethod};
use ulvs_wire::{Address, Family};

use crate::forward::tun;

use super::{Lookup, NetworkView, PortId};

/// What a packet to a real server needs, on one cache line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct RealServerView {
    pub(crate) address: Address,
    /// Source of the outer header in TUN.
    pub(crate) tunnel_source: Address,
    /// Destination and source hardware address towards it.
    pub(crate) ethernet: [u8; 12],
    pub(crate) port: PortId,
    pub(crate) mtu: u16,
    /// The longest packet for a tunnel that is IP in IP with path MTU discovery; 0 if it is not, or its way is too narrow.
    pub(crate) longest_in_tunnel: u16,
    pub(crate) encapsulation: Encapsulation,
    family: Family,
    has_hop: bool,
    has_source: bool,
}

const _: () = assert!(size_of::<RealServerView>() == 64);

impl RealServerView {
    /// The one of no destination.
    pub(super) const NOBODY: Self = Self {
        address: Address(0),
        tunnel_source: Address(0),
        ethernet: [0; 12],
        port: PortId(0),
        mtu: 0,
        longest_in_tunnel: 0,
        encapsulation: Encapsulation::IpIp,
        family: Family::V4,
        has_hop: false,
        has_source: false,
    };

    fn new(
        (address, encapsulation): (IpAddr, Encapsulation),
        network: &NetworkView,
        (path_mtu, pmtu_disc): (u16, bool),
    ) -> Self {
        let family = Family::of(address);
        let source = network.source_for(address);
        let mut view = Self {
            address: address.into(),
            tunnel_source: source.map_or(Address(0), Address::from),
            encapsulation,
            family,
            has_source: source.is_some(),
            ..Self::NOBODY
        };
        if let Lookup::Hop(hop) = network.lookup(view.address, family)
            && let Some(hop) = network.hop(hop)
        {
            (view.ethernet, view.port, view.mtu) = (hop.ethernet, hop.port, hop.mtu.min(path_mtu));
            if encapsulation == Encapsulation::IpIp && pmtu_disc {
                view.longest_in_tunnel = tun::mtu(family, view.mtu, 0).unwrap_or(0);
            }
            view.has_hop = true;
        }
        view
    }

    #[inline]
    pub(crate) const fn family(&self) -> Family {
        self.family
    }

    /// Packets can be sent to it by this method.
    pub(super) fn is_reached_by(&self, method: ForwardMethod) -> bool {
        self.has_hop && (self.has_source || method != ForwardMethod::Tun)
    }
}

/// The real servers that there are, by what tells them apart. For the control side.
#[derive(Debug, Default)]
pub(crate) struct RealServers {
    known: HashMap<(IpAddr, Encapsulation), Arc<RealServerView>>,
    /// With so many, those that no destination has are looked for.
    enough: usize,
}

impl RealServers {
    /// So many are kept without a look.
    const FEW: usize = 64;

    /// The one of this address and tunnel, as the network is now: the same for all that ask until it changes.
    pub(super) fn get(
        &mut self,
        of: (IpAddr, Encapsulation),
        network: &NetworkView,
        tunnels: (u16, bool),
    ) -> Arc<RealServerView> {
        let view = RealServerView::new(of, network, tunnels);
        if let Some(known) = self.known.get(&of)
            && **known == view
        {
            return Arc::clone(known);
        }
        if self.known.len() > self.enough {
            self.known.retain(|_, known| Arc::strong_count(known) > 1);
            self.enough = Self::FEW.max(2 * self.known.len());
        }
        let view = Arc::new(view);
        self.known.insert(of, Arc::clone(&view));
        view
    }
}
