//! What a rehearsal needs of the control side.

use std::net::IpAddr;
use std::sync::Arc;

use ulvs_model::{Destination, ServiceKey, ServiceSettings};
use ulvs_wire::Address;

use crate::sched::Scheduler;
use crate::shared::Shared;
use crate::snapshot::{DestinationId, PortId, ServiceView, Snapshot};
use crate::time::Ticks;

use super::Compiler;

impl Compiler {
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The port that packets from this address come in by, if they come the way that packets to it go.
    pub fn port_towards(&self, address: IpAddr) -> Option<PortId> {
        self.network.next_hop(address).map(|(port, _)| port)
    }

    /// Has a service in `snapshot` schedule as `worker` would, without anybody else being affected; its destinations,
    /// newest first. `address` is what the packet goes to.
    pub(crate) fn rehearse(
        &self,
        snapshot: &mut Snapshot,
        key: ServiceKey,
        (worker, address, now): (usize, Address, Ticks),
    ) -> Vec<(DestinationId, Destination)> {
        let Some(record) = self.records.get(&key) else { return Vec::new() };
        let listed = self.listed(record);
        let ServiceSettings { scheduler, scheduler_flags, .. } = record.settings;
        let memory = record.memory.copy(worker, address, self.shared.hasher(), now);
        let scheduler = Scheduler::new((scheduler, scheduler_flags), key.family(), &listed, memory, 1);
        snapshot.services.set(Arc::new(ServiceView::new(key, scheduler, &record.settings)));
        let destination = |id: &DestinationId| Some((*id, self.slots[id.0 as usize].as_ref()?.destination));
        record.destinations.iter().filter_map(destination).collect()
    }
}
