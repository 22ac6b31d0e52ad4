//! Services by where packets go: tables of their [lines](ServiceLine), in pages that snapshots share.
//!
//! What a look reads is two cache lines, that of its page's tags and the service's own, so that both can be asked for ahead. Places
//! come from the configuration: nobody in the network chooses who shares a page.

use std::sync::Arc;

use hashbrown::HashTable;

use super::line::ServiceLine;
use super::place::{Mixed, Place};

/// With more services for each page there are twice as many pages. A page of so many is 2 KiB, which is what a change of one service
/// copies.
const FILL: usize = 24;

type Page = HashTable<ServiceLine>;

/// Services by their places.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    /// As many as a power of two.
    pages: Vec<Arc<Page>>,
    len: usize,
}

impl Default for Directory {
    fn default() -> Self {
        Self { pages: vec![Arc::default()], len: 0 }
    }
}

impl Directory {
    /// The service of a place.
    #[inline(always)]
    pub(super) fn find(&self, place: &Place) -> Option<&ServiceLine> {
        let at = place.mixed();
        self.page(at).find(at.tag(), |line| line.is_at(place))
    }

    /// The service of a place, most likely: nothing of it is read.
    #[inline(always)]
    pub(super) fn guess(&self, place: &Place) -> Option<&ServiceLine> {
        let at = place.mixed();
        self.page(at).find(at.tag(), |_| true)
    }

    #[inline(always)]
    fn page(&self, at: Mixed) -> &Page {
        &self.pages[at.page() & (self.pages.len() - 1)]
    }

    #[cfg(all(test, not(loom)))]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Puts a service in, or into the place of the one that is at its; whether it is a new one.
    pub(super) fn set(&mut self, service: ServiceLine) -> bool {
        let at = service.place().mixed();
        if let Some(present) = self.page_mut(at).find_mut(at.tag(), |line| line.is_at(service.place())) {
            *present = service;
            return false;
        }
        if self.len >= self.pages.len() * FILL {
            self.grow();
        }
        put(self.page_mut(at), service);
        self.len += 1;
        true
    }

    /// Takes the service of a place out, if there is one.
    pub(super) fn remove(&mut self, place: &Place) -> bool {
        let at = place.mixed();
        let Ok(found) = self.page_mut(at).find_entry(at.tag(), |line| line.is_at(place)) else { return false };
        found.remove();
        self.len -= 1;
        true
    }

    fn grow(&mut self) {
        let mut pages = vec![Page::new(); self.pages.len() * 2];
        let mask = pages.len() - 1;
        for service in self.pages.iter().flat_map(|page| page.iter()) {
            put(&mut pages[service.place().mixed().page() & mask], service.clone());
        }
        self.pages = pages.into_iter().map(Arc::new).collect();
    }

    fn page_mut(&mut self, at: Mixed) -> &mut Page {
        let mask = self.pages.len() - 1;
        Arc::make_mut(&mut self.pages[at.page() & mask])
    }
}

fn put(page: &mut Page, service: ServiceLine) {
    page.insert_unique(service.place().mixed().tag(), service, |line| line.place().mixed().tag());
}

impl Mixed {
    /// What tells places of a page apart, in the highest bits and in the lowest, as tables want it.
    #[inline(always)]
    const fn tag(self) -> u64 {
        self.0.rotate_left(16)
    }

    /// Of other bits than [`tag`](Self::tag)'s, unless pages are thousands.
    #[inline(always)]
    const fn page(self) -> usize {
        (self.0 >> 31) as usize
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::HashMap;
    use std::net::SocketAddr;

    use proptest::prelude::*;
    use ulvs_model::{Protocol, ServiceKey, ServiceSettings};

    use super::*;
    use crate::sched::tests::scheduler_of_nobody;
    use crate::snapshot::ServiceView;

    fn line(key: ServiceKey, settings: &ServiceSettings) -> ServiceLine {
        ServiceLine::new(Arc::new(ServiceView::new(key, scheduler_of_nobody(), settings)))
    }

    fn service(number: u32, one_packet: bool) -> ServiceLine {
        let address = SocketAddr::from((std::net::Ipv4Addr::from_bits(0x0a00_0000 + number), 80));
        let settings = ServiceSettings { one_packet, ..ServiceSettings::default() };
        line(ServiceKey::new(Protocol::Udp, address), &settings)
    }

    proptest! {
        /// Whatever was set last is found, and a copy stays as it was.
        #[test]
        fn it_is_as_a_map(operations in proptest::collection::vec((0u32..2000, 0u8..4), 1..4000)) {
            let (mut directory, mut map) = (Directory::default(), HashMap::new());
            let mut copy = None;
            for (at, (number, what)) in operations.iter().enumerate() {
                let one = service(*number, at % 2 == 0);
                let was = if *what == 0 {
                    (directory.remove(one.place()), map.remove(number).is_some())
                } else {
                    (!directory.set(one), map.insert(*number, at % 2 == 0).is_some())
                };
                prop_assert_eq!(was.0, was.1);
                if at == operations.len() / 2 {
                    copy = Some((directory.clone(), map.clone()));
                }
            }
            for (directory, map) in [Some((directory, map)), copy].into_iter().flatten() {
                prop_assert_eq!(directory.len(), map.len());
                for number in 0..2000 {
                    let place = *service(number, false).place();
                    prop_assert_eq!(directory.find(&place).map(|found| found.service().one_packet), map.get(&number).copied());
                    if let (Some(found), Some(guess)) = (directory.find(&place), directory.guess(&place)) {
                        prop_assert!(std::ptr::eq(found, guess) || place.mixed().tag() >> 57 == guess.place().mixed().tag() >> 57);
                    }
                }
            }
        }
    }

    /// Ports of one address, addresses with one port, and addresses and ports that differ in the same bits.
    #[test]
    fn places_that_are_alike_are_on_many_pages() {
        let port = |number: u32| u16::try_from(80 + number % 100).unwrap();
        let v4 =
            |number: u32| SocketAddr::from((std::net::Ipv4Addr::from_bits(0x0a00_0000 + number / 100), port(number)));
        let v6 = |number: u32| {
            let address = std::net::Ipv6Addr::from_bits(0xfd << 120 | u128::from(number / 100));
            SocketAddr::from((address, port(number)))
        };
        for address in [&v4 as &dyn Fn(u32) -> SocketAddr, &v6] {
            let mut directory = Directory::default();
            for number in 0..10_000 {
                let key = ServiceKey::new(Protocol::Tcp, address(number));
                directory.set(line(key, &ServiceSettings::default()));
            }
            let fullest = directory.pages.iter().map(|page| page.len()).max();
            assert!(fullest < Some(2 * FILL), "{fullest:?} of 10,000 are on one page");
        }
    }
}
