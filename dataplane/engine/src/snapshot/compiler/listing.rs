//! What there is now: services and destinations with their counters.

use std::net::IpAddr;

use ulvs_model::ServiceKey;
use ulvs_wire::Family;

use crate::counters::Totals;
use crate::snapshot::{DestinationId, DestinationStatus, Lookup, Reach, ServiceStatus};

use super::Compiler;

impl Compiler {
    /// All services in the order of their keys.
    pub fn services(&self) -> Vec<ServiceStatus> {
        let mut keys: Vec<_> = self.records.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| self.service(key)).collect()
    }

    /// One service.
    pub fn service(&self, key: ServiceKey) -> Option<ServiceStatus> {
        let record = self.records.get(&key)?;
        let destinations: Vec<_> = record.destinations.iter().rev().filter_map(|&id| self.destination(id)).collect();
        let totals = destinations.iter().fold(record.removed, |sum, d| sum.plus(d.totals));
        Some(ServiceStatus { key, settings: record.settings, totals, destinations })
    }

    fn destination(&self, id: DestinationId) -> Option<DestinationStatus> {
        let slot = self.slots[id.0 as usize].as_ref()?;
        Some(DestinationStatus {
            id,
            destination: slot.destination,
            reach: self.reach(id, slot.destination.ip()),
            load: self.shared.load(id),
            templates: self.shared.templates.of(id),
            totals: self.totals(id),
        })
    }

    fn reach(&self, id: DestinationId, ip: IpAddr) -> Reach {
        if self.destinations.get(id).is_resolved() {
            return Reach::Resolved;
        }
        match self.network.lookup(ip.into(), Family::of(ip)) {
            Lookup::Unresolved { .. } => Reach::Unresolved,
            Lookup::Local => Reach::Local,
            Lookup::NoRoute | Lookup::Hop(_) => Reach::NoRoute,
        }
    }

    pub(super) fn totals(&self, id: DestinationId) -> Totals {
        let base = self.slots[id.0 as usize].as_ref().map_or_else(Totals::default, |slot| slot.base);
        self.shared.destination_totals(id).since(base)
    }
}
