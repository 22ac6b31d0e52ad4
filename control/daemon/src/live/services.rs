use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use ulvs_api::Rates;
use ulvs_engine::snapshot::{DestinationStatus, Reach, ServiceStatus};
use ulvs_model::ServiceKey;

use super::history::rates;
use super::state;
use crate::status::Sources;

/// After so long without a viewer rates begin anew.
pub(super) const FORGET: Duration = Duration::from_secs(10);
/// Points of a service's history.
const POINTS: usize = 60;

/// All services at one time.
pub(super) struct Seen {
    pub(super) when: Instant,
    /// The same in milliseconds since 1970.
    pub(super) at: u64,
    /// In the order they were added.
    pub(super) rows: Vec<Row>,
    places: HashMap<ServiceKey, usize>,
}

/// A service, and what of it can be searched and sorted by.
pub(super) struct Row {
    pub(super) service: ServiceStatus,
    pub(super) name: String,
    /// Real servers, those that are taken out among them.
    pub(super) size: usize,
    /// Those that get new connections.
    pub(super) usable: usize,
    pub(super) active: u64,
    pub(super) inactive: u64,
    pub(super) rates: Option<Rates>,
    /// Of each destination of `service`.
    pub(super) each: Vec<Option<Rates>>,
    pub(super) history: Vec<f32>,
}

impl Seen {
    /// `before`: the look before, from which rates are counted. `now`: the same time twice.
    pub(super) fn new(
        services: Vec<ServiceStatus>,
        sources: &Sources,
        before: Option<&Self>,
        (when, at): (Instant, u64),
    ) -> Self {
        let before = before.filter(|before| when.duration_since(before.when) < FORGET);
        let seconds = before.map_or(1.0, |before| when.duration_since(before.when).as_secs_f64()).max(0.001);
        let size = |service: &ServiceStatus, entries: Option<usize>| entries.unwrap_or(service.destinations.len());
        let entries: Vec<_> = sources.services.look(|table| {
            let count = |key: ServiceKey| table.service(&key.into()).map(|entry| entry.destinations().count());
            services.iter().map(|service| count(service.key)).collect()
        });
        let row = |(service, entries): (ServiceStatus, Option<usize>)| {
            let old = before.and_then(|before| before.row(service.key));
            Row { size: size(&service, entries), ..Row::new(service, old, seconds) }
        };
        let rows: Vec<_> = services.into_iter().zip(entries).map(row).collect();
        let places = rows.iter().enumerate().map(|(place, row)| (row.service.key, place)).collect();
        Self { when, at, rows, places }
    }

    fn row(&self, key: ServiceKey) -> Option<&Row> {
        self.rows.get(*self.places.get(&key)?)
    }
}

impl Row {
    fn new(service: ServiceStatus, old: Option<&Self>, seconds: f64) -> Self {
        let all = &service.destinations;
        let rates = old.map(|old| rates(service.totals, old.service.totals, seconds));
        let mut history = old.map(|old| old.history.clone()).unwrap_or_default();
        if let Some(rates) = &rates {
            if history.len() == POINTS {
                history.remove(0);
            }
            #[expect(clippy::cast_possible_truncation, reason = "a point of a small drawing")]
            history.push(rates.packets() as f32);
        }
        Self {
            name: service.key.to_string(),
            size: all.len(),
            usable: all.iter().filter(|one| is_usable(one)).count(),
            active: all.iter().map(|one| u64::from(one.load.active)).sum(),
            inactive: all.iter().map(|one| u64::from(one.load.inactive())).sum(),
            each: all.iter().enumerate().map(|(place, one)| rates_of(one, place, old, seconds)).collect(),
            rates,
            history,
            service,
        }
    }

    pub(super) fn state(&self) -> &'static str {
        state::of_service(self.size, self.usable)
    }
}

/// Whether new connections go there and arrive, as [`state::of_real_server`] has it.
fn is_usable(one: &DestinationStatus) -> bool {
    let is_reached = match one.reach {
        Reach::Resolved | Reach::Local => true,
        Reach::Unresolved => one.totals.packets_in == 0,
        Reach::NoRoute => false,
    };
    is_reached && one.destination.weight.get() > 0 && !one.load.overloaded
}

/// The destination is mostly where it was the time before.
fn rates_of(one: &DestinationStatus, place: usize, old: Option<&Row>, seconds: f64) -> Option<Rates> {
    let all = &old?.service.destinations;
    let is_it = |before: &&DestinationStatus| before.destination.address == one.destination.address;
    let before = all.get(place).filter(is_it).or_else(|| all.iter().find(is_it))?;
    Some(rates(one.totals, before.totals, seconds))
}
