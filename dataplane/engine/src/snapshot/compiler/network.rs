//! What is known of the network, and the views of destinations that follow from it.

use std::net::IpAddr;
use std::sync::Arc;

use ulvs_model::{Destination, ForwardMethod};

use crate::snapshot::{DestinationId, DestinationView, Listener, Neighbour, Network, NetworkView, PortId};

use super::{Compiler, Slot};

impl Compiler {
    /// Changes what is known of the network.
    pub fn set_network(&mut self, network: &Network) {
        let generation = self.network.generation.wrapping_add(1);
        self.network = Arc::new(NetworkView::new(network, generation));
        self.refresh_all();
    }

    /// Changes what is known of neighbours, and nothing else of the network: takes time by those that changed, where
    /// [`set_network`](Self::set_network) takes it by all real servers.
    pub fn set_neighbours(&mut self, neighbours: &[Neighbour]) {
        let generation = self.network.generation.wrapping_add(1);
        let network = Arc::new(self.network.with_neighbours(neighbours, generation));
        let changed = self.network.changed_neighbours(&network);
        self.network = network;
        if changed.iter().any(|address| self.network.is_gateway(*address)) {
            return self.refresh_all();
        }
        for address in changed {
            self.refresh_address(address);
        }
    }

    /// Looks at the real servers with this address again.
    pub(super) fn refresh_address(&mut self, address: IpAddr) {
        let of_it: Vec<_> = self.hosts.range((address, 0)..=(address, u32::MAX)).map(|(_, id)| *id).collect();
        for id in of_it {
            self.refresh(DestinationId(id));
        }
    }

    pub(super) fn refresh_all(&mut self) {
        for at in 0..self.slots.len() {
            self.refresh(DestinationId(u32::try_from(at).unwrap_or(u32::MAX)));
        }
    }

    /// Next hops towards all real servers: what the kernel should keep resolved.
    pub fn next_hops(&self) -> impl Iterator<Item = (PortId, IpAddr)> + '_ {
        let used = self.slots.iter().flatten().filter(|slot| slot.available);
        used.filter_map(|slot| self.network.next_hop(slot.destination.ip()))
    }

    pub(super) fn refresh(&mut self, id: DestinationId) {
        let path_mtu = self.slots[id.0 as usize].as_ref().map_or(u16::MAX, |slot| self.path_mtu(slot.destination.ip()));
        if let Some(slot) = &mut self.slots[id.0 as usize] {
            let Destination { address, method, .. } = slot.destination;
            if method == ForwardMethod::Nat && !std::mem::replace(&mut slot.is_translated, true) {
                self.translated.add(address.ip());
            }
            let listens = slot.available && method == ForwardMethod::Nat;
            let listener = listens.then(|| Listener::new(&slot.service, address));
            self.listeners.replace(std::mem::replace(&mut slot.listener, listener), listener);
            let Slot { destination, generation, available, .. } = slot;
            let tunnels = (path_mtu, self.sysctls.pmtu_disc != 0);
            let view = DestinationView::new(destination, *generation, *available, &self.network, tunnels);
            self.destinations.set(id, view);
        }
    }
}
