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
    /// What else tells routes with one key apart in the kernel: kind, protocol and scope. Without it the late news of a
    /// removal, told after a dump, would take the twin that the dump found.
    pub(crate) origin: [u8; 3],
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
    /// As in [`Entry`].
    route: Option<Route>,
    origin: [u8; 3],
    /// Another route with the same key may stand behind this one.
    shadows: bool,
}

impl Rib {
    /// Builds the table from a dump. Of entries with one key, the first that can be used is in force.
    pub(crate) fn from_dump(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut rib = Self::default();
        for Entry { prefix, table, route, metric, origin } in entries {
            let key = (table, metric);
            let routes = rib.prefixes.entry(prefix).or_default();
            match routes.binary_search_by_key(&key, |stored| stored.key) {
                Ok(at) => {
                    routes[at].shadows = true;
                    if routes[at].route.is_none() {
                        routes[at].route = route;
                        routes[at].origin = origin;
                    }
                }
                Err(at) => routes.insert(at, Stored { key, route, origin, shadows: false }),
            }
        }
        rib
    }

    pub(crate) fn apply(&mut self, entry: &Entry, verb: Verb) -> Applied {
        let key = (entry.table, entry.metric);
        let routes = self.prefixes.entry(entry.prefix).or_default();
        let applied = match (routes.binary_search_by_key(&key, |stored| stored.key), verb) {
            (Err(_), Verb::Removed) => Applied::Nothing,
            (Err(at), Verb::Added | Verb::Replaced) => {
                routes.insert(at, Stored { key, route: entry.route.clone(), origin: entry.origin, shadows: false });
                Applied::Changed
            }
            (Ok(at), _) if routes[at].shadows => Applied::Uncertain,
            (Ok(at), Verb::Replaced) => {
                routes[at].route.clone_from(&entry.route);
                routes[at].origin = entry.origin;
                Applied::Changed
            }
            (Ok(at), _) if routes[at].route != entry.route || routes[at].origin != entry.origin => Applied::Uncertain,
            (Ok(at), Verb::Removed) => {
                routes.remove(at);
                Applied::Changed
            }
            // Told twice, or another one that differs in what is not kept, such as a window size.
            (Ok(at), Verb::Added) => {
                routes[at].shadows = true;
                Applied::Nothing
            }
        };
        if routes.is_empty() {
            self.prefixes.remove(&entry.prefix);
        }
        applied
    }

    /// The route in force for exactly this prefix.
    pub(crate) fn best(&self, prefix: &IpNet) -> Option<&Route> {
        best(self.prefixes.get(prefix)?)
    }

    /// The routes in force.
    pub(crate) fn all_best(&self) -> impl Iterator<Item = (&IpNet, &Route)> {
        self.prefixes.iter().filter_map(|(prefix, routes)| Some((prefix, best(routes)?)))
    }
}

fn best(routes: &[Stored]) -> Option<&Route> {
    routes.iter().find_map(|stored| stored.route.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::NextHop;

    fn entry(metric: u32, gateway: &str) -> Entry {
        let hop = NextHop { ifindex: 1, gateway: Some(gateway.parse().unwrap()), weight: 1 };
        let route = Route { next_hops: vec![hop], preferred_source: None, metric, mtu: None };
        Entry {
            prefix: "0.0.0.0/0".parse().unwrap(),
            table: Table::Main,
            route: Some(route),
            metric,
            origin: [1, 4, 0],
        }
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
        assert_eq!(rib.all_best().count(), 0);
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
    fn a_route_told_twice_may_be_two() {
        let mut rib = Rib::from_dump([entry(0, "10.0.0.1")]);
        assert_eq!(rib.apply(&entry(0, "10.0.0.1"), Verb::Added), Applied::Nothing);
        assert_eq!(rib.apply(&entry(0, "10.0.0.1"), Verb::Removed), Applied::Uncertain);
    }

    #[test]
    fn the_late_removal_of_a_twin_takes_nothing() {
        let mut twin = entry(0, "10.0.0.1");
        twin.origin[1] = 12;
        let mut rib = Rib::from_dump([entry(0, "10.0.0.1")]);
        assert_eq!(rib.apply(&twin, Verb::Removed), Applied::Uncertain);
        assert_eq!(gateway(&rib).as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn routes_elsewhere_are_known_but_not_used() {
        let mut elsewhere = entry(0, "10.0.0.1");
        elsewhere.route = None;
        let mut rib = Rib::from_dump([entry(0, "10.0.0.1"), entry(5, "10.0.0.5")]);
        assert_eq!(rib.apply(&elsewhere, Verb::Removed), Applied::Uncertain);
        assert_eq!(rib.apply(&elsewhere, Verb::Replaced), Applied::Changed);
        assert_eq!(gateway(&rib).as_deref(), Some("10.0.0.5"));
        assert_eq!(rib.apply(&entry(0, "10.0.0.2"), Verb::Replaced), Applied::Changed);
        assert_eq!(gateway(&rib).as_deref(), Some("10.0.0.2"));
        let both = Rib::from_dump([elsewhere, entry(0, "10.0.0.1")]);
        assert_eq!(gateway(&both).as_deref(), Some("10.0.0.1"));
    }
}
