//! The numbers of destinations: taken, kept for connections after the destination is removed, and given back.

use ulvs_model::{Destination, ServiceKey};

use crate::snapshot::{CompileError, DestinationId, DestinationView};

use super::{Compiler, Slot};

/// Seconds a removed destination without connections is remembered (ipvs-facts B.8).
const TRASH_SECONDS: u64 = 120;

impl Compiler {
    /// Forgets removed destinations that have had no connection for two minutes. `now` in seconds, of any origin.
    pub fn empty_trash(&mut self, now: u64) {
        let mut forgotten = Vec::new();
        for (&key, &id) in &self.trash {
            let Some(slot) = self.slots[id.0 as usize].as_mut() else { continue };
            if self.shared.load(id).total > 0 || self.shared.templates.of(id) > 0 {
                slot.idle_since = None;
            } else if now.saturating_sub(*slot.idle_since.get_or_insert(now)) >= TRASH_SECONDS {
                forgotten.push((key, id));
            }
        }
        // In the order of their numbers, whatever order the trash is in: what happens is the same each time.
        forgotten.sort_unstable_by_key(|(_, id)| id.0);
        for (key, id) in forgotten {
            self.trash.remove(&key);
            if let Some(slot) = self.slots[id.0 as usize].take() {
                self.hosts.remove(&(slot.destination.ip(), id.0));
                if slot.is_translated {
                    self.translated.remove(slot.destination.ip());
                }
            }
            self.free.push(id);
        }
    }

    pub(super) fn revive(&mut self, id: DestinationId, destination: Destination) -> DestinationId {
        let (totals, counted) = (self.totals(id), self.shared.destination_totals(id));
        if let Some(slot) = self.slots[id.0 as usize].as_mut() {
            (slot.destination, slot.available, slot.idle_since) = (destination, true, None);
            slot.last_weight = destination.weight.get();
            if let Some(record) = self.records.get_mut(&slot.service) {
                if slot.counts_for == record.generation {
                    // Its counters come back with it, so the service no longer keeps them for it.
                    record.removed = record.removed.since(totals);
                } else {
                    // The service was made anew meanwhile, and counts from 0.
                    (slot.counts_for, slot.base) = (record.generation, counted);
                }
            }
        }
        id
    }

    pub(super) fn allot(
        &mut self,
        service: ServiceKey,
        destination: Destination,
    ) -> Result<DestinationId, CompileError> {
        self.room_for(1)?;
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            let id = DestinationId(u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX));
            self.shared.prepare_for(id);
            id
        });
        self.hosts.insert((destination.ip(), id.0));
        self.generations = (self.generations + 1) & DestinationView::GENERATIONS;
        let counts_for = self.records.get(&service).map_or(0, |record| record.generation);
        self.slots[id.0 as usize] = Some(Slot {
            service,
            destination,
            last_weight: destination.weight.get(),
            generation: self.generations,
            added: 0,
            available: true,
            base: self.shared.destination_totals(id),
            counts_for,
            idle_since: None,
            is_translated: false,
            listener: None,
            caller: None,
        });
        Ok(id)
    }

    pub(super) fn retire(&mut self, id: DestinationId) {
        if let Some(slot) = self.slots[id.0 as usize].as_mut() {
            (slot.available, slot.idle_since) = (false, None);
            self.trash.insert((slot.service, slot.destination.address), id);
        }
        self.refresh(id);
    }
}
