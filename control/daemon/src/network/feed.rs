//! Tells the compiler what is new of the network, and nothing of the rest, which may be a full routing table.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use ulvs_config::Director;
use ulvs_engine::snapshot::{self, Compiler, Network, PortId};
use ulvs_kernel::state::Route;
use ulvs_kernel::{KernelState, resolve::Wanted};
use ulvs_prefixes::Prefixes;

use super::over::Over;
use crate::devices::DirectorPort;
use crate::network;

/// Routes that are brought to the compiler at once, in much less than [`TIME`].
const AT_ONCE: usize = 64;
/// How long routes are brought to it one after the other, for which requests wait.
const TIME: Duration = Duration::from_millis(1);

/// What the compiler was told.
pub(crate) struct Feed {
    ports: Arc<[DirectorPort]>,
    kernel: Arc<KernelState>,
    /// All but the kernel's routes.
    network: Network,
    /// The file's routes, which go before the kernel's, by their prefixes.
    fixed: HashMap<IpNet, snapshot::Route>,
    /// The kernel's routes, with those that are still behind.
    routes: Prefixes<Arc<Route>>,
    /// Prefixes whose routes the compiler is still to be told.
    behind: Vec<IpNet>,
    /// The search for others of them: routes over links that went up or down.
    over: Option<Over>,
    gateways: Gateways,
}

impl Feed {
    /// Nothing was told yet.
    pub(crate) fn new(ports: Arc<[DirectorPort]>) -> Self {
        Self {
            ports,
            kernel: Arc::default(),
            network: Network::default(),
            fixed: HashMap::new(),
            routes: Prefixes::default(),
            behind: Vec::new(),
            over: None,
            gateways: Gateways::default(),
        }
    }

    /// The addresses on ports.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.network.addresses.iter().map(|(_, net)| net.addr())
    }

    /// Whether there are routes left for [`go_on`](Self::go_on).
    pub(crate) const fn is_behind(&self) -> bool {
        !self.behind.is_empty() || self.over.is_some()
    }

    /// Tells the compiler what is new; whether anything was. Of very many routes only the first.
    pub(crate) fn follow(&mut self, director: &Director, kernel: Arc<KernelState>, compiler: &mut Compiler) -> bool {
        let network = network::compile(&self.ports, director, &kernel);
        let before = std::mem::replace(&mut self.network, network);
        // An interface that goes up or down is another way for routes that are the same.
        let over = Over::changed(&self.kernel.links, &kernel.links);
        self.kernel = kernel;
        if self.network.ports.len() != before.ports.len() {
            self.tell_all(compiler);
            return true;
        }
        self.over = Over::both(self.over.take(), over);
        let has_other_ports = self.network.ports != before.ports;
        if has_other_ports {
            compiler.set_ports(&self.network.ports);
        }
        let mut is_new = has_other_ports;
        is_new |= self.network.routes != before.routes && self.tell_fixed(compiler);
        if self.network.addresses != before.addresses {
            compiler.set_addresses(&self.network.addresses);
            is_new = true;
        }
        if self.network.neighbours != before.neighbours {
            compiler.set_neighbours(&self.network.neighbours);
            is_new = true;
        }
        self.go_on(compiler) || is_new
    }

    /// Tells the compiler some of the routes that it is behind with; whether there were any.
    pub(crate) fn go_on(&mut self, compiler: &mut Compiler) -> bool {
        let began = Instant::now();
        self.take_routes();
        let is_new = self.is_behind();
        while self.is_behind() && began.elapsed() < TIME {
            if self.behind.is_empty() {
                self.search();
                continue;
            }
            let rest = self.behind.len().saturating_sub(AT_ONCE);
            let prefixes = self.behind.split_off(rest);
            let changes: Vec<_> = prefixes.into_iter().map(|prefix| (prefix, self.route(prefix))).collect();
            compiler.set_routes(&changes);
        }
        // Others may have changed meanwhile.
        self.take_routes();
        is_new
    }

    /// The neighbours the kernel should keep resolved: next hops of real servers, and gateways.
    pub(crate) fn wanted(&self, next_hops: impl Iterator<Item = (PortId, IpAddr)>) -> Wanted {
        let next_hops = next_hops.filter_map(|(port, address)| Some((network::index_of(&self.ports, port)?, address)));
        let gateways = self.gateways.0.keys().copied();
        let gateways = gateways.filter(|(index, _)| network::port_of(&self.ports, *index).is_some());
        Arc::new(next_hops.chain(gateways).collect::<BTreeSet<_>>())
    }

    fn route(&self, prefix: IpNet) -> Option<snapshot::Route> {
        if let Some(fixed) = self.fixed.get(&prefix) {
            return Some(*fixed);
        }
        network::route(&self.ports, &self.kernel, prefix, self.routes.get(&prefix)?)
    }

    /// Follows the file's routes; whether any are others. They are few, and in force when a reload is answered.
    fn tell_fixed(&mut self, compiler: &mut Compiler) -> bool {
        let fixed = self.network_fixed();
        let before = std::mem::replace(&mut self.fixed, fixed);
        let mut prefixes: BTreeSet<_> = before.keys().chain(self.fixed.keys()).copied().collect();
        prefixes.retain(|prefix| before.get(prefix) != self.fixed.get(prefix));
        let changes: Vec<_> = prefixes.into_iter().map(|prefix| (prefix, self.route(prefix))).collect();
        compiler.set_routes(&changes);
        !changes.is_empty()
    }

    /// Of equal prefixes the first counts.
    fn network_fixed(&self) -> HashMap<IpNet, snapshot::Route> {
        let mut fixed = HashMap::new();
        for route in &self.network.routes {
            fixed.entry(route.prefix.trunc()).or_insert(*route);
        }
        fixed
    }

    /// Everything, at the beginning.
    fn tell_all(&mut self, compiler: &mut Compiler) {
        self.fixed = self.network_fixed();
        self.over = None;
        self.behind.clear();
        self.take_routes();
        self.behind.clear();
        let kernels =
            self.routes.iter().filter_map(|(prefix, route)| network::route(&self.ports, &self.kernel, prefix, route));
        let mut network = self.network.clone();
        network.routes.extend(kernels);
        compiler.set_network(&network);
    }

    /// Goes on searching for routes over links that went up or down.
    fn search(&mut self) {
        let Some(over) = &mut self.over else { return };
        let is_over = !over.search(&self.routes, &mut self.behind);
        self.behind.retain(|prefix| !self.fixed.contains_key(prefix));
        if is_over {
            self.over = None;
        }
    }

    /// Looks which of the kernel's routes are others now, unless it is still behind with those before.
    fn take_routes(&mut self) {
        if !self.behind.is_empty() {
            return;
        }
        let before = std::mem::replace(&mut self.routes, self.kernel.routes.clone());
        let Self { fixed, routes, behind, gateways, .. } = self;
        routes.changes(&before, |prefix, route| {
            gateways.replace(before.get(&prefix), route);
            if !fixed.contains_key(&prefix) {
                behind.push(prefix);
            }
        });
    }
}

/// The gateways of the kernel's routes, by interface, each with the number of routes over it.
#[derive(Default)]
struct Gateways(HashMap<(u32, IpAddr), usize>);

impl Gateways {
    fn replace(&mut self, before: Option<&Arc<Route>>, now: Option<&Arc<Route>>) {
        let over = |route: Option<&Arc<Route>>| -> Vec<_> {
            let hops = route.into_iter().flat_map(|route| &route.next_hops);
            hops.filter_map(|hop| Some((hop.ifindex, hop.gateway?))).collect()
        };
        for gateway in over(now) {
            *self.0.entry(gateway).or_default() += 1;
        }
        for gateway in over(before) {
            if let Some(routes) = self.0.get_mut(&gateway) {
                *routes -= 1;
                if *routes == 0 {
                    self.0.remove(&gateway);
                }
            }
        }
    }
}
