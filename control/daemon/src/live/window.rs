//! Which of the services are shown: searched, sorted, and cut.

use std::cmp::Ordering;

use ulvs_api::{LiveRealServer, LiveService, LiveServices, LiveServicesQuery, ServiceTotals};

use super::services::{Row, Seen};
use super::state::{self, gravity};
use crate::status::Sources;

/// The window that is asked for.
pub(super) fn of(seen: &Seen, sources: &Sources, query: &LiveServicesQuery) -> LiveServices {
    let chosen = chosen(&seen.rows, query);
    let count = query.count.unwrap_or(LiveServicesQuery::PAGE).min(LiveServicesQuery::MOST);
    let window = chosen.iter().skip(query.from).take(count);
    let services = sources.services.look(|table| {
        let live = |row: &&Row| {
            let mut status = sources.service(&row.service, table);
            let servers = std::mem::take(&mut status.real_servers);
            let each = row.each.iter().copied().chain(std::iter::repeat(None));
            let live = servers.into_iter().zip(each).map(|(status, rates)| {
                let state = state::of_real_server(&status).into();
                LiveRealServer { state, status, rates }
            });
            LiveService {
                name: row.name.clone(),
                state: row.state().into(),
                status,
                size: row.size,
                usable: row.usable,
                active_connections: row.active,
                inactive_connections: row.inactive,
                rates: row.rates,
                history: row.history.clone(),
                live: if query.real_servers { live.collect() } else { Vec::new() },
            }
        };
        window.map(live).collect()
    });
    LiveServices { at: seen.at, totals: totals(&seen.rows), found: chosen.len(), services }
}

fn totals(rows: &[Row]) -> ServiceTotals {
    let mut totals = ServiceTotals { services: rows.len(), ..ServiceTotals::default() };
    for row in rows {
        totals.real_servers += row.size;
        totals.usable += row.usable;
        match row.state() {
            "degraded" => totals.degraded += 1,
            "down" => totals.down += 1,
            "empty" => totals.empty += 1,
            _ => {}
        }
    }
    totals
}

/// Those that fit, sorted.
fn chosen<'a>(rows: &'a [Row], query: &LiveServicesQuery) -> Vec<&'a Row> {
    let wanted = query.search.to_lowercase();
    let scheduler = |row: &Row| row.service.settings.scheduler.name();
    let fits = |row: &&Row| {
        query.name.as_ref().is_none_or(|name| *name == row.name)
            && (wanted.is_empty() || row.name.to_lowercase().contains(&wanted) || scheduler(row) == wanted)
            && query.state.as_deref().is_none_or(|state| match state {
                "problem" => row.state() != "up",
                state => row.state() == state,
            })
    };
    let mut chosen: Vec<&Row> = rows.iter().filter(fits).collect();
    if let Some(order) = query.sort.as_deref().and_then(order) {
        // Stable: what is alike stays in the order in which it was added, second by second.
        chosen.sort_by(|one, other| if query.descending { order(other, one) } else { order(one, other) });
    }
    chosen
}

fn order(name: &str) -> Option<fn(&Row, &Row) -> Ordering> {
    Some(match name {
        "name" => |one, other| one.service.key.cmp(&other.service.key),
        "state" => |one, other| gravity(one.state()).cmp(&gravity(other.state())),
        "scheduler" => |one, other| one.service.settings.scheduler.name().cmp(other.service.settings.scheduler.name()),
        "connections" => |one, other| {
            one.rates.unwrap_or_default().connections.total_cmp(&other.rates.unwrap_or_default().connections)
        },
        "packets" => {
            |one, other| one.rates.unwrap_or_default().packets().total_cmp(&other.rates.unwrap_or_default().packets())
        }
        "bytes" => {
            |one, other| one.rates.unwrap_or_default().bytes().total_cmp(&other.rates.unwrap_or_default().bytes())
        }
        "active" => |one, other| one.active.cmp(&other.active),
        "real_servers" => |one, other| one.size.cmp(&other.size),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ulvs_api::Rates;
    use ulvs_engine::counters::Totals;
    use ulvs_engine::snapshot::ServiceStatus;
    use ulvs_model::{Protocol, ServiceKey, ServiceSettings};

    use super::*;

    fn row(address: &str, (size, usable): (usize, usize), packets_in: f64) -> Row {
        let key = ServiceKey::new(Protocol::Tcp, address.parse().unwrap());
        let totals = Totals::default();
        let service = ServiceStatus { key, settings: ServiceSettings::default(), totals, destinations: Vec::new() };
        Row {
            name: key.to_string(),
            service,
            size,
            usable,
            active: 0,
            inactive: 0,
            rates: Some(Rates { packets_in, ..Rates::default() }),
            each: Vec::new(),
            history: Vec::new(),
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row("192.0.2.9:80", (2, 2), 5.0),
            row("192.0.2.10:80", (2, 0), 0.0),
            row("[2001:DB8::1]:443", (2, 1), 50.0),
            row("192.0.2.1:8080", (0, 0), 5.0),
        ]
    }

    fn names(query: &LiveServicesQuery) -> Vec<String> {
        chosen(&rows(), query).iter().map(|row| row.name.strip_prefix("tcp ").unwrap().to_owned()).collect()
    }

    fn sorted(by: &str, descending: bool) -> Vec<String> {
        names(&LiveServicesQuery { sort: Some(by.to_owned()), descending, ..LiveServicesQuery::default() })
    }

    #[test]
    fn services_are_sorted_by_what_is_shown() {
        let added = ["192.0.2.9:80", "192.0.2.10:80", "[2001:db8::1]:443", "192.0.2.1:8080"];
        assert_eq!(names(&LiveServicesQuery::default()), added);
        assert_eq!(sorted("unknown", true), added);
        assert_eq!(sorted("packets", true), [added[2], added[0], added[3], added[1]]);
        assert_eq!(sorted("state", true), [added[1], added[2], added[3], added[0]]);
        // By number, not by text.
        assert_eq!(sorted("name", false), [added[3], added[0], added[1], added[2]]);
    }

    #[test]
    fn services_are_found_by_parts_of_their_names_and_by_their_state() {
        let search =
            |search: &str| names(&LiveServicesQuery { search: search.to_owned(), ..LiveServicesQuery::default() });
        assert_eq!(search("2001:DB8"), ["[2001:db8::1]:443"]);
        assert_eq!(search(":80").len(), 3);
        assert_eq!(search("wlc").len(), 4);
        assert_eq!(search("nothing"), [""; 0]);
        let state =
            |state: &str| names(&LiveServicesQuery { state: Some(state.to_owned()), ..LiveServicesQuery::default() });
        assert_eq!(state("problem").len(), 3);
        assert_eq!(state("down"), ["192.0.2.10:80"]);
        let name = Some("tcp 192.0.2.1:80".to_owned());
        assert_eq!(names(&LiveServicesQuery { name, ..LiveServicesQuery::default() }), [""; 0]);
    }

    #[test]
    fn totals_are_over_all_services() {
        let expected = ServiceTotals { services: 4, degraded: 1, down: 1, empty: 1, real_servers: 6, usable: 3 };
        assert_eq!(totals(&rows()), expected);
    }
}
