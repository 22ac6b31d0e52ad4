//! Destinations by number, with everything a packet to them needs, in pages that snapshots share.

use std::sync::Arc;

use ulvs_model::{Destination, Encapsulation, ForwardMethod, Weight};
use ulvs_wire::{Address, Family};

use crate::forward::tun;

use super::{DestinationId, Lookup, NetworkView, PortId};

const PAGE: usize = 256;

/// A destination on one cache line. A number no destination has is `UNUSED`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct DestinationView {
    pub(crate) address: Address,
    /// Source of the outer header in TUN.
    pub(crate) tunnel_source: Address,
    /// Destination and source hardware address towards it.
    pub(crate) ethernet: [u8; 12],
    pub(crate) port: PortId,
    pub(crate) mtu: u16,
    /// The longest packet for a tunnel that is IP in IP with path MTU discovery; 0 if it is not, or its way is too narrow.
    pub(crate) longest_in_tunnel: u16,
    pub(crate) generation: u32,
    /// Port of the real server.
    pub(crate) destination_port: u16,
    pub(crate) method: ForwardMethod,
    flags: u8,
    pub(crate) encapsulation: Encapsulation,
}

const _: () = assert!(size_of::<DestinationView>() == 64);

impl DestinationView {
    const UNUSED: Self = Self {
        address: Address(0),
        tunnel_source: Address(0),
        ethernet: [0; 12],
        port: PortId(0),
        mtu: 0,
        longest_in_tunnel: 0,
        generation: 0,
        destination_port: 0,
        method: ForwardMethod::Dr,
        flags: 0,
        encapsulation: Encapsulation::IpIp,
    };
    const AVAILABLE: u8 = 1;
    const RESOLVED: u8 = 2;
    const V6: u8 = 4;
    const QUIESCENT: u8 = 8;

    pub(crate) fn new(
        destination: &Destination,
        generation: u32,
        available: bool,
        network: &NetworkView,
        (path_mtu, pmtu_disc): (u16, bool),
    ) -> Self {
        let Destination { address, method, encapsulation, weight, .. } = *destination;
        let family = Family::of(address.ip());
        let flag = |flag, on| if on { flag } else { 0 };
        let mut view = Self {
            address: address.ip().into(),
            generation,
            destination_port: address.port(),
            method,
            encapsulation,
            flags: flag(Self::AVAILABLE, available)
                | flag(Self::V6, family == Family::V6)
                | flag(Self::QUIESCENT, weight == Weight::QUIESCENT),
            ..Self::UNUSED
        };
        let source = network.source_for(address.ip());
        view.tunnel_source = source.map_or(Address(0), Address::from);
        if let Lookup::Hop(hop) = network.lookup(view.address, family)
            && let Some(hop) = network.hop(hop)
            && (source.is_some() || method != ForwardMethod::Tun)
        {
            (view.ethernet, view.port, view.mtu) = (hop.ethernet, hop.port, hop.mtu.min(path_mtu));
            if encapsulation == Encapsulation::IpIp && pmtu_disc {
                view.longest_in_tunnel = tun::mtu(family, view.mtu, 0).unwrap_or(0);
            }
            view.flags |= Self::RESOLVED;
        }
        view
    }

    /// In a service now, as this use of its number.
    #[inline]
    pub(crate) const fn serves(&self, generation: u32) -> bool {
        self.flags & Self::AVAILABLE != 0 && self.generation == generation
    }

    /// Its weight is 0.
    pub(crate) const fn is_quiescent(&self) -> bool {
        self.flags & Self::QUIESCENT != 0
    }

    /// Packets can be sent to it.
    #[inline]
    pub(crate) const fn is_resolved(&self) -> bool {
        self.flags & Self::RESOLVED != 0
    }

    #[inline]
    pub(crate) const fn family(&self) -> Family {
        if self.flags & Self::V6 != 0 { Family::V6 } else { Family::V4 }
    }
}

/// All destinations of a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destinations(Vec<Arc<[DestinationView; PAGE]>>);

impl Destinations {
    #[inline]
    pub(crate) fn get(&self, id: DestinationId) -> &DestinationView {
        let at = id.0 as usize;
        match self.0.get(at / PAGE) {
            Some(page) => &page[at % PAGE],
            None => unused(),
        }
    }

    /// Writes a destination; only its page is copied, and only if a snapshot shares it.
    pub(crate) fn set(&mut self, id: DestinationId, view: DestinationView) {
        let at = id.0 as usize;
        while self.0.len() <= at / PAGE {
            self.0.push(Arc::new([DestinationView::UNUSED; PAGE]));
        }
        Arc::make_mut(&mut self.0[at / PAGE])[at % PAGE] = view;
    }
}

/// What a number beyond all pages stands for. A function that is never likely makes it a branch, where a choice of two addresses
/// would take each packet some instructions.
#[cold]
#[inline(never)]
fn unused() -> &'static DestinationView {
    static NONE: DestinationView = DestinationView::UNUSED;
    &NONE
}
