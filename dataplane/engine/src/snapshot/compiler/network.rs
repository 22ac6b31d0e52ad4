//! What is known of the network, and the views of destinations that follow from it.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use ulvs_model::{Destination, ForwardMethod};

use crate::snapshot::{
    AddressPair, DestinationId, DestinationView, Listener, Neighbour, Network, NetworkView, Port, PortId, Route,
};

use super::{Compiler, Slot};

impl Compiler {
    /// Changes what is known of the network.
    pub fn set_network(&mut self, network: &Network) {
        let generation = self.network.generation.wrapping_add(1);
        self.set_view(NetworkView::new(network, generation));
        self.refresh_all();
    }

    /// Changes the MTUs and hardware addresses of ports, of which there are as many as before. Takes time by neighbours and
    /// real servers, not by routes.
    pub fn set_ports(&mut self, ports: &[Port]) {
        let generation = self.network.generation.wrapping_add(1);
        self.set_view(self.network.with_ports(ports, generation));
        self.refresh_all();
    }

    /// Changes what is known of neighbours, and nothing else of the network: takes time by those that changed, where
    /// [`set_network`](Self::set_network) takes it by all real servers.
    pub fn set_neighbours(&mut self, neighbours: &[Neighbour]) {
        let generation = self.network.generation.wrapping_add(1);
        let network = self.network.with_neighbours(neighbours, generation);
        let changed = self.network.changed_neighbours(&network);
        self.network = Arc::new(network);
        let gateways: HashSet<_> = changed.iter().filter(|address| self.network.is_gateway(**address)).collect();
        if !gateways.is_empty() {
            let behind: Vec<_> = self.hosts_with_hops().filter(|(_, (_, next))| gateways.contains(next)).collect();
            for (host, _) in behind {
                self.refresh_address(host);
            }
        }
        for address in &changed {
            self.refresh_address(*address);
        }
    }

    /// Changes routes: the one that a prefix has now, if it has one. Takes time by the changes and by the real servers whose
    /// addresses are in their prefixes, not by all routes.
    pub fn set_routes(&mut self, changes: &[(IpNet, Option<Route>)]) {
        let generation = self.network.generation.wrapping_add(1);
        self.set_view(self.network.with_ways(|ways, ports| ways.set_routes(changes, ports), generation));
        let of_prefix = |(prefix, _): &(IpNet, _)| (prefix.network(), 0)..=(prefix.broadcast(), u32::MAX);
        let behind: BTreeSet<_> =
            changes.iter().flat_map(|change| self.hosts.range(of_prefix(change))).map(|(_, id)| *id).collect();
        for id in behind {
            self.refresh(DestinationId(id));
        }
    }

    /// Changes the director's own addresses, and nothing else of the network.
    pub fn set_addresses(&mut self, addresses: &[(PortId, IpNet)]) {
        let generation = self.network.generation.wrapping_add(1);
        self.set_view(self.network.with_ways(|ways, _| ways.set_addresses(addresses), generation));
        self.refresh_all();
    }

    /// The next hops of real servers may be others in it.
    fn set_view(&mut self, network: NetworkView) {
        self.network = Arc::new(network);
        self.is_other_hops = true;
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
        let is_used = |host: &IpAddr| {
            let mut of_it = self.hosts.range((*host, 0)..=(*host, u32::MAX));
            of_it.any(|(_, id)| self.slots[*id as usize].as_ref().is_some_and(|slot| slot.available))
        };
        self.hosts_with_hops().filter(move |(host, _)| is_used(host)).map(|(_, hop)| hop)
    }

    /// All hosts of real servers, those included that are remembered for their connections, with their next hops.
    fn hosts_with_hops(&self) -> impl Iterator<Item = (IpAddr, (PortId, IpAddr))> + '_ {
        let mut last = None;
        // A host's numbers stand beside each other.
        let hosts = self.hosts.iter().filter(move |(host, _)| last.replace(*host) != Some(*host));
        hosts.filter_map(|(host, _)| Some((*host, self.network.next_hop(*host)?)))
    }

    /// Whether [`next_hops`](Self::next_hops) may be others than when this was asked last.
    pub const fn next_hops_changed(&mut self) -> bool {
        std::mem::replace(&mut self.is_other_hops, false)
    }

    pub(super) fn refresh(&mut self, id: DestinationId) {
        self.refresh_caller(id);
        let path_mtu = self.slots[id.0 as usize].as_ref().map_or(u16::MAX, |slot| self.path_mtu(slot.destination.ip()));
        if let Some(slot) = &mut self.slots[id.0 as usize] {
            let Destination { address, method, .. } = slot.destination;
            if method == ForwardMethod::Nat && !std::mem::replace(&mut slot.is_translated, true) {
                self.translated.add(address.ip());
            }
            self.is_other_hops |= slot.available != self.destinations.get(id).serves(slot.generation);
            let listens = slot.available && method == ForwardMethod::Nat;
            let listener = listens.then(|| Listener::new(&slot.service, address));
            self.listeners.replace(std::mem::replace(&mut slot.listener, listener), listener);
            let Slot { destination, generation, available, .. } = slot;
            let tunnels = (path_mtu, self.sysctls.pmtu_disc != 0);
            let real_server = self.real_servers.get((address.ip(), destination.encapsulation), &self.network, tunnels);
            let view = DestinationView::new(destination, *generation, *available, real_server);
            self.destinations.set(id, view);
            if let Some(pair) = AddressPair::of(&slot.service, address, *generation) {
                self.destinations.set_pair(id, pair);
            }
        }
    }
}
