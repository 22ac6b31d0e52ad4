//! The numbers IPVS shows: snapshots taken every two seconds, and rates smoothed over them (ipvs-facts D.3).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::Notify;
use ulvs_engine::Shared;
use ulvs_engine::counters::Totals;
use ulvs_engine::snapshot::{DestinationId, ServiceStatus};
use ulvs_ipvs::{DestinationCounters, Stats};
use ulvs_model::ServiceKey;

/// Between two snapshots.
pub(crate) const PERIOD: Duration = Duration::from_secs(2);

/// Written by the control task, read by whoever lists.
#[derive(Debug)]
pub(crate) struct Board {
    shared: Arc<Shared>,
    services: RwLock<HashMap<ServiceKey, ServiceRow>>,
    /// All services together, those that are gone included.
    all: RwLock<Meter>,
    /// How many destination numbers had been in use at the last snapshot. The control task stores.
    destinations_used: AtomicU32,
    ticked: Notify,
}

#[derive(Debug, Default)]
struct ServiceRow {
    meter: Meter,
    destinations: HashMap<SocketAddr, (DestinationId, Meter)>,
}

/// One set of counters.
#[derive(Clone, Copy, Debug, Default)]
struct Meter {
    /// What was counted when the counters were zeroed last.
    base: Totals,
    /// The last snapshot.
    shown: Totals,
    /// Connections and packets a second times 2^10, bytes a second times 2^5, smoothed.
    rates: [i64; 5],
}

impl Board {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            services: RwLock::default(),
            all: RwLock::default(),
            destinations_used: AtomicU32::new(0),
            ticked: Notify::new(),
        }
    }

    /// Takes a snapshot of everything.
    ///
    /// `destinations_used`: how many destination numbers have been in use. Without `estimates` all stay as they were when there
    /// were last: what came meanwhile is in the next that there are (ipvs-facts D.3).
    pub(crate) fn tick(&self, statuses: &[ServiceStatus], destinations_used: u32, estimates: bool) {
        self.destinations_used.store(destinations_used, Relaxed);
        if !estimates {
            // Connections are listed as they are.
            return self.ticked.notify_waiters();
        }
        let all = self.all_totals();
        self.all.write().unwrap_or_else(PoisonError::into_inner).tick(all);
        let mut services = self.write();
        let mut old = std::mem::take(&mut *services);
        for status in statuses {
            let mut row = updated(old.remove(&status.key).unwrap_or_default(), status);
            row.meter.tick(status.totals);
            for one in &status.destinations {
                if let Some((_, meter)) = row.destinations.get_mut(&one.destination.address) {
                    meter.tick(one.totals);
                }
            }
            services.insert(status.key, row);
        }
        self.ticked.notify_waiters();
    }

    /// Waits for the next snapshot.
    pub(crate) async fn ticked(&self) {
        self.ticked.notified().await;
    }

    /// Follows a change of a service; `None`: it is gone.
    pub(crate) fn update(&self, key: ServiceKey, status: Option<&ServiceStatus>) {
        let mut services = self.write();
        let old = services.remove(&key);
        if let Some(status) = status {
            services.insert(key, updated(old.unwrap_or_default(), status));
        }
    }

    /// Lets the counters of a service and its destinations begin at zero.
    pub(crate) fn zero(&self, status: &ServiceStatus) {
        if let Some(row) = self.write().get_mut(&status.key) {
            row.meter = Meter::zeroed(status.totals);
            for one in &status.destinations {
                if let Some((_, meter)) = row.destinations.get_mut(&one.destination.address) {
                    *meter = Meter::zeroed(one.totals);
                }
            }
        }
    }

    /// Lets the numbers of all services together begin at zero.
    pub(crate) fn zero_all(&self) {
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = Meter::zeroed(self.all_totals());
    }

    /// The numbers of all services together.
    pub(crate) fn all(&self) -> Stats {
        self.all.read().unwrap_or_else(PoisonError::into_inner).stats()
    }

    /// What each worker has counted since it was started, up to now.
    pub(crate) fn workers(&self) -> Vec<Stats> {
        let totals = self.shared.totals_of_workers(self.destinations_used.load(Relaxed));
        totals.into_iter().map(|counted| Meter { shown: counted, ..Meter::default() }.stats()).collect()
    }

    /// What all workers have counted up to now.
    pub(super) fn all_totals(&self) -> Totals {
        let each = self.shared.totals_of_workers(self.destinations_used.load(Relaxed));
        each.into_iter().fold(Totals::default(), Totals::plus)
    }

    /// A service's numbers; zeros if there is none.
    pub(super) fn service(&self, key: ServiceKey) -> Stats {
        self.read().get(&key).map_or_else(Stats::default, |row| row.meter.stats())
    }

    /// A destination's numbers, and its connections as they are now.
    pub(super) fn destination(&self, key: ServiceKey, address: SocketAddr) -> DestinationCounters {
        let services = self.read();
        let Some((id, meter)) = services.get(&key).and_then(|row| row.destinations.get(&address)) else {
            return DestinationCounters::default();
        };
        let load = self.shared.load(*id);
        let persistent = u32::try_from(self.shared.templates.of(*id)).unwrap_or(u32::MAX);
        DestinationCounters { active: load.active, inactive: load.inactive(), persistent, stats: meter.stats() }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<ServiceKey, ServiceRow>> {
        self.services.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<ServiceKey, ServiceRow>> {
        self.services.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The row with a meter for each destination there is, and no other.
fn updated(mut row: ServiceRow, status: &ServiceStatus) -> ServiceRow {
    let mut old = std::mem::take(&mut row.destinations);
    for one in &status.destinations {
        let address = one.destination.address;
        let meter = old.remove(&address).map_or_else(Meter::default, |(_, meter)| meter);
        row.destinations.insert(address, (one.id, meter));
    }
    row
}

impl Meter {
    fn zeroed(totals: Totals) -> Self {
        Self { base: totals, ..Self::default() }
    }

    fn tick(&mut self, totals: Totals) {
        let now = totals.since(self.base);
        let delta = now.since(self.shown);
        self.shown = now;
        let deltas = [delta.connections, delta.packets_in, delta.packets_out, delta.bytes_in, delta.bytes_out];
        for ((rate, delta), scale) in self.rates.iter_mut().zip(deltas).zip([9, 9, 9, 4, 4]) {
            let measured = i64::try_from(delta).unwrap_or(i64::MAX >> scale).saturating_mul(1 << scale);
            *rate += (measured - *rate) >> 2;
        }
    }

    fn stats(&self) -> Stats {
        let packets = |rate: i64| u64::try_from((rate + 0x1ff) >> 10).unwrap_or(0);
        let bytes = |rate: i64| u64::try_from((rate + 0xf) >> 5).unwrap_or(0);
        Stats {
            connections: self.shown.connections,
            packets_in: self.shown.packets_in,
            packets_out: self.shown.packets_out,
            bytes_in: self.shown.bytes_in,
            bytes_out: self.shown.bytes_out,
            connection_rate: packets(self.rates[0]),
            packet_rate_in: packets(self.rates[1]),
            packet_rate_out: packets(self.rates[2]),
            byte_rate_in: bytes(self.rates[3]),
            byte_rate_out: bytes(self.rates[4]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a running kernel listed after each of its snapshots of a flow of 50 packets a second, and after it (ipvs-facts D.3):
    /// connections, packets and bytes, in and out.
    #[test]
    fn rates_are_the_kernels() {
        #[derive(serde::Deserialize)]
        struct Tick {
            counters: [u64; 5],
            rates: [u64; 5],
        }
        let ticks: Vec<Tick> = serde_json::from_str(include_str!("../../tests/vectors/estimator.json")).unwrap();
        let mut meter = Meter::default();
        for (at, Tick { counters, rates }) in ticks.iter().enumerate() {
            let [connections, packets_in, packets_out, bytes_in, bytes_out] = *counters;
            meter.tick(Totals { connections, packets_in, packets_out, bytes_in, bytes_out });
            let stats = meter.stats();
            let shown = [
                stats.connection_rate,
                stats.packet_rate_in,
                stats.packet_rate_out,
                stats.byte_rate_in,
                stats.byte_rate_out,
            ];
            assert_eq!(shown, *rates, "tick {at}");
        }
        assert!(ticks.len() > 17);
    }

    /// With `run_estimation` 0 what is listed stands still, and with 1 it has what came meanwhile (ipvs-facts D.3; seen on a running
    /// kernel).
    #[test]
    fn without_estimation_counters_stand_still() {
        let capacity = ulvs_engine::Capacity { connections: 1024, destinations: 4, workers: 1 };
        let board = Board::new(Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap()));
        let key = ServiceKey::new(ulvs_model::Protocol::Tcp, "192.0.2.100:80".parse().unwrap());
        let totals = Totals { connections: 1, packets_in: 3, bytes_in: 120, ..Totals::default() };
        let status =
            ServiceStatus { key, settings: ulvs_model::ServiceSettings::default(), totals, destinations: Vec::new() };
        board.update(key, Some(&status));
        board.tick(std::slice::from_ref(&status), 0, false);
        assert_eq!(board.service(key), Stats::default());
        board.tick(&[status], 0, true);
        let shown = board.service(key);
        assert_eq!((shown.connections, shown.packets_in, shown.bytes_in), (1, 3, 120));
    }

    #[test]
    fn zeroing_keeps_counting() {
        let mut meter = Meter::zeroed(Totals { packets_in: 100, ..Totals::default() });
        meter.tick(Totals { packets_in: 107, ..Totals::default() });
        assert_eq!(meter.stats().packets_in, 7);
    }
}
