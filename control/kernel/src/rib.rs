//! All routes of the mirrored interfaces, and the best of each prefix.
//!
//! The kernel's notifications alone do not tell the table. It identifies a route by more than it shows, drops IPv4
//! routes without a word when a link or an address goes, and reports parts of IPv6 multipath routes. So a
//! notification is applied where its meaning is certain, and answered with [`Applied::Uncertain`] elsewhere: the
//! table is then read again.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::state::Route;

/// The tables that are mirrored, in the order the kernel asks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Local,
    Main,
}

/// A route as the kernel told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) prefix: IpNet,
    pub(crate) table: Table,
    /// `None`: it leaves through interfaces that are not mirrored.
    pub(crate) route: Option<Route>,
    pub(crate) metric: u32,
}

/// What a notification says of an [`Entry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// It is there now, beside what was there.
    Added,
    /// It stands in for the one with the same prefix, table and metric.
    Replaced,
    /// It is gone.
    Removed,
}

/// The effect of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    Nothing,
    /// The prefix's routes changed.
    Changed,
    /// The routes must be read again.
    Uncertain,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Rib {
    prefixes: BTreeMap<IpNet, Vec<Stored>>,
}

#[derive(Debug, Clone)]
struct Stored {
    key: (Table, u32),
    route: Route,
    /// Another route with the same key stands behind this one.
    shadows: bool,
}

impl Rib {
    /// Builds the table from a dump. Of entries with one key, the first is in force.
    pub(crate) fn from_dump(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut rib = Self::default();
        for Entry { prefix, table, route, metric } in entries {
            let Some(route) = route else { continue };
            let key = (table, metric);
            let routes = rib.prefixes.entry(prefix).or_default();
            match routes.binary_search_by_key(&key, |stored| stored.key) {
                Ok(at) => routes[at].shadows = true,
                Err(at) => routes.insert(at, Stored { key, route, shadows: false }),
            }
        }
        rib
    }

    pub(crate) fn apply(&mut self, entry: &Entry, verb: Verb) -> Applied {
        let key = (entry.table, entry.metric);
        let routes = self.prefixes.get_mut(&entry.prefix);
        let found = routes.and_then(|routes| {
            let at = routes.binary_search_by_key(&key, |stored| stored.key).ok()?;
            Some((routes, at))
        });
        match (found, &entry.route, verb) {
            (None, None, _) | (None, Some(_), Verb::Removed) | (Some(_), None, Verb::Removed) => Applied::Nothing,
            (None, Some(route), _) => {
                let routes = self.prefixes.entry(entry.prefix).or_default();
                let at = routes.partition_point(|stored| stored.key < key);
                routes.insert(at, Stored { key, route: route.clone(), shadows: false });
                Applied::Changed
            }
            (Some((routes, at)), _, _) if routes[at].shadows => Applied::Uncertain,
            (Some((routes, at)), Some(route), Verb::Removed) if routes[at].route == *route => {
                routes.remove(at);
                if routes.is_empty() {
                    self.prefixes.remove(&entry.prefix);
                }
                Applied::Changed
            }
            (Some((routes, at)), Some(route), _) if routes[at].route == *route => Applied::Nothing,
            (Some((routes, at)), Some(route), Verb::Replaced) => {
                routes[at].route = route.clone();
                Applied::Changed
            }
            (Some(_), _, _) => Applied::Uncertain,
        }
    }

    /// The route in force for exactly this prefix.
    pub(crate) fn best(&self, prefix: &IpNet) -> Option<&Route> {
        self.prefixes.get(prefix)?.first().map(|stored| &stored.route)
    }

    /// The routes in force.
    pub(crate) fn all_best(&self) -> BTreeMap<IpNet, Route> {
        self.prefixes.iter().filter_map(|(prefix, routes)| Some((*prefix, routes.first()?.route.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::NextHop;

    fn entry(metric: u32, gateway: &str) -> Entry {
        let hop = NextHop { ifindex: 1, gateway: Some(gateway.parse().unwrap()), weight: 1 };
        let route = Route { next_hops: vec![hop], preferred_source: None, metric, mtu: None };
        Entry { prefix: "0.0.0.0/0".parse().unwrap(), table: Table::Main, route: Some(route), metric }
    }

    fn gateway(rib: &Rib) -> Option<String> {
        let route = rib.best(&"0.0.0.0/0".parse().unwrap())?;
        Some(route.next_hops[0].gateway?.to_string())
    }

    #[test]
    fn lowest_metric_wins_and_the_next_takes_over() {
        let mut rib = Rib::default();
        assert_eq!(rib.apply(&entry(20, "10.0.0.2"), Verb::Added), Applied::Changed);
        assert_eq!(rib.apply(&entry(10, "10.0.0.1"), Verb::Added), Applied::Changed);
        assert_eq!(gateway(&rib).as_deref(), Some("10.0.0.1"));
        assert_eq!(rib.apply(&entry(10, "10.0.0.1"), Verb::Removed), Applied::Changed);
        assert_eq!(gateway(&rib).as_deref(), Some("10.0.0.2"));
        assert_eq!(rib.apply(&entry(20, "10.0.0.2"), Verb::Removed), Applied::Changed);
        assert_eq!(gateway(&rib), None);
        assert!(rib.all_best().is_empty());
    }

    #[test]
    fn the_local_table_comes_first() {
        let mut local = entry(50, "10.0.0.9");
        local.table = Table::Local;
        let rib = Rib::from_dump([entry(0, "10.0.0.1"), local]);
        assert_eq!(gateway(&rib).as_deref(), Some("10.0.0.9"));
    }

    #[test]
    fn replacement_is_certain_and_addition_beside_is_not() {
        let mut rib = Rib::from_dump([entry(0, "10.0.0.1")]);
        assert_eq!(rib.apply(&entry(0, "10.0.0.1"), Verb::Added), Applied::Nothing);
        assert_eq!(rib.apply(&entry(0, "10.0.0.2"), Verb::Replaced), Applied::Changed);
        assert_eq!(gateway(&rib).as_deref(), Some("10.0.0.2"));
        assert_eq!(rib.apply(&entry(0, "10.0.0.3"), Verb::Added), Applied::Uncertain);
        assert_eq!(rib.apply(&entry(0, "10.0.0.3"), Verb::Removed), Applied::Uncertain);
    }

    #[test]
    fn a_shadowed_route_makes_everything_uncertain() {
        let mut rib = Rib::from_dump([entry(0, "10.0.0.1"), entry(0, "10.0.0.2")]);
        assert_eq!(gateway(&rib).as_deref(), Some("10.0.0.1"));
        assert_eq!(rib.apply(&entry(0, "10.0.0.1"), Verb::Removed), Applied::Uncertain);
    }

    #[test]
    fn a_route_replaced_by_one_elsewhere_is_read_again() {
        let mut elsewhere = entry(0, "10.0.0.1");
        elsewhere.route = None;
        let mut rib = Rib::from_dump([entry(0, "10.0.0.1")]);
        assert_eq!(rib.apply(&elsewhere, Verb::Removed), Applied::Nothing);
        assert_eq!(rib.apply(&elsewhere, Verb::Replaced), Applied::Uncertain);
        assert_eq!(Rib::default().apply(&elsewhere, Verb::Replaced), Applied::Nothing);
    }
}
