//! Routes over links that went up or down, found some at a time among a million.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;
use ulvs_kernel::state::{Link, Route};
use ulvs_prefixes::Prefixes;

/// Routes that are looked at in one go, a tenth of a millisecond's work.
const LOOKED_AT: usize = 1024;

/// A search under way.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Over {
    /// By their numbers.
    links: BTreeSet<u32>,
    /// The last route that was looked at.
    at: Option<IpNet>,
}

impl Over {
    /// For routes over the links that went up or down, or are there no longer; `None`: none did.
    pub(super) fn changed(before: &BTreeMap<u32, Link>, now: &BTreeMap<u32, Link>) -> Option<Self> {
        let is_up = |links: &BTreeMap<u32, Link>, link: u32| links.get(&link).is_some_and(|link| link.up);
        let mut links: BTreeSet<_> = before.keys().chain(now.keys()).copied().collect();
        links.retain(|&link| is_up(before, link) != is_up(now, link));
        (!links.is_empty()).then_some(Self { links, at: None })
    }

    /// For all that two are for, from the beginning if there is another link.
    pub(super) fn both(under_way: Option<Self>, new: Option<Self>) -> Option<Self> {
        match (under_way, new) {
            (Some(one), Some(other)) => {
                Some(Self { links: one.links.union(&other.links).copied().collect(), at: None })
            }
            (one, other) => one.or(other),
        }
    }

    /// Adds prefixes whose routes lead over one of the links to those that are `found`; whether there are more to look at.
    pub(super) fn search(&mut self, routes: &Prefixes<Arc<Route>>, found: &mut Vec<IpNet>) -> bool {
        match self.at {
            None => self.look_at(routes.iter(), found),
            Some(at) => self.look_at(routes.after(&at), found),
        }
    }

    fn look_at<'a>(
        &mut self,
        mut routes: impl Iterator<Item = (IpNet, &'a Arc<Route>)>,
        found: &mut Vec<IpNet>,
    ) -> bool {
        for _ in 0..LOOKED_AT {
            let Some((prefix, route)) = routes.next() else { return false };
            self.at = Some(prefix);
            if route.next_hops.iter().any(|hop| self.links.contains(&hop.ifindex)) {
                found.push(prefix);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ulvs_kernel::state::NextHop;

    use super::*;

    fn links(up: &[(u32, bool)]) -> BTreeMap<u32, Link> {
        let link = |up| Link { name: String::new(), mac: [0; 6], mtu: 1500, up };
        up.iter().map(|&(index, up)| (index, link(up))).collect()
    }

    fn route(over: &[u32]) -> Arc<Route> {
        let hop = |&ifindex: &u32| NextHop { ifindex, gateway: None, weight: 1 };
        Arc::new(Route { next_hops: over.iter().map(hop).collect(), preferred_source: None, metric: 0, mtu: None })
    }

    fn prefix(number: u32) -> IpNet {
        IpNet::new(Ipv4Addr::from_bits(number << 8).into(), 24).unwrap()
    }

    #[test]
    fn what_went_up_or_down_has_changed() {
        let before = links(&[(1, true), (2, false), (3, true)]);
        let of = |now: &[(u32, bool)]| Over::changed(&before, &links(now)).map(|over| Vec::from_iter(over.links));
        assert_eq!(of(&[(1, true), (2, false), (3, true)]), None);
        assert_eq!(of(&[(1, false), (2, false), (3, true), (4, false)]), Some(vec![1]));
        assert_eq!(of(&[(1, true), (2, true), (5, true)]), Some(vec![2, 3, 5]));
    }

    /// Routes may come and go meanwhile: what is new is told by other ways.
    #[test]
    fn a_search_comes_by_every_route_a_bounded_number_at_a_time() {
        let kinds = [&[1][..], &[2], &[3, 1], &[]];
        let mut routes: Prefixes<_> =
            (0..5000).map(|number| (prefix(number), route(kinds[number as usize % 4]))).collect();
        let mut over = Over::changed(&links(&[(1, true)]), &links(&[])).unwrap();
        let (mut found, mut goes) = (Vec::new(), 1);
        while over.search(&routes, &mut found) {
            assert!(found.len() <= goes * LOOKED_AT);
            goes += 1;
            // The one that the search stands at goes.
            routes.set(&over.at.unwrap(), None);
        }
        assert_eq!(goes, 5);
        let expected: Vec<_> = (0..5000).filter(|number| number % 2 == 0).map(prefix).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn another_link_begins_the_search_anew() {
        let of = |link| Over::changed(&links(&[(link, true)]), &links(&[]));
        let under_way = of(1).map(|over| Over { at: Some(prefix(7)), ..over });
        assert_eq!(Over::both(None, of(2)), of(2));
        let on = Over::both(under_way, None).unwrap();
        assert_eq!(on.at, Some(prefix(7)));
        let both = Over::both(Some(on), of(2)).unwrap();
        assert_eq!((Vec::from_iter(both.links), both.at), (vec![1, 2], None));
    }
}
