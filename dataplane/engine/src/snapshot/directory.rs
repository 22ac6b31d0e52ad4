//! Services by where packets go: a bucket on one cache line, in pages that snapshots share.
//!
//! A packet's place is in one bucket only, so that what a look reads can be asked for ahead: the bucket's line, then that of the
//! service its tag tells. Places come from the configuration: nobody in the network chooses who shares a bucket.

use std::sync::Arc;

use super::place::{Mixed, Place};
use super::services::ServiceView;

/// Buckets of a page: 2 KiB, which is what a change of one service copies.
const BUCKETS: usize = 32;
/// With more services for each bucket there are twice as many pages: of a full one's, few are then beside their bucket.
const FILL: usize = 4;

/// Services by their places.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    /// As many as a power of two.
    pages: Vec<Arc<Page>>,
    len: usize,
}

#[derive(Clone, Debug, Default)]
struct Page {
    buckets: [Bucket; BUCKETS],
    /// Those whose buckets are full.
    beside: Vec<Arc<ServiceView>>,
}

/// Services, and a byte of each one's place.
#[derive(Clone, Debug, Default)]
#[repr(C, align(64))]
struct Bucket {
    services: [Option<Arc<ServiceView>>; Self::SLOTS],
    /// From the lowest byte on, and in the highest one whether a service that belongs here is beside it.
    tags: u64,
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    const SLOTS: usize = 7;

    const OVER: u64 = 1 << 63;

    /// The slots that a service of this tag may be in: the highest bit of each one's byte. A slot that is free has a tag, too.
    #[inline(always)]
    fn likely(&self, tag: u8) -> u64 {
        const EACH: u64 = u64::from_ne_bytes([1; 8]);
        let differences = self.tags ^ (EACH * u64::from(tag));
        // The highest bit of each byte that is 0; of a byte above one, too, that is 1.
        differences.wrapping_sub(EACH) & !differences & (EACH << 7 ^ Self::OVER)
    }

    #[inline(always)]
    const fn is_over(&self) -> bool {
        self.tags & Self::OVER != 0
    }

    fn set_over(&mut self, over: bool) {
        self.tags = self.tags & !Self::OVER | if over { Self::OVER } else { 0 };
    }

    /// The service in the first of these slots.
    #[inline(always)]
    fn first(&self, slots: u64) -> Option<&Arc<ServiceView>> {
        self.services.get(slots.trailing_zeros() as usize / 8)?.as_ref()
    }

    #[inline(always)]
    fn find(&self, tag: u8, place: &Place) -> Option<&ServiceView> {
        let mut slots = self.likely(tag);
        while slots != 0 {
            if let Some(service) = self.first(slots)
                && service.is_at(place)
            {
                return Some(service);
            }
            slots &= slots - 1;
        }
        None
    }

    fn put(&mut self, tag: u8, service: Arc<ServiceView>) -> Result<(), Arc<ServiceView>> {
        match self.services.iter().position(Option::is_none) {
            Some(slot) => {
                self.services[slot] = Some(service);
                self.tags = self.tags & !(0xff << (8 * slot)) | u64::from(tag) << (8 * slot);
                Ok(())
            }
            None => Err(service),
        }
    }
}

impl Page {
    fn put(&mut self, at: Mixed, service: Arc<ServiceView>) {
        let bucket = &mut self.buckets[at.bucket()];
        if let Err(service) = bucket.put(at.tag(), service) {
            bucket.set_over(true);
            self.beside.push(service);
        }
    }

    fn find_mut(&mut self, at: Mixed, place: &Place) -> Option<&mut Arc<ServiceView>> {
        let mut all = self.buckets[at.bucket()].services.iter_mut().flatten().chain(&mut self.beside);
        all.find(|service| service.is_at(place))
    }

    fn remove(&mut self, at: Mixed, place: &Place) -> bool {
        if let Some(beside) = self.beside.iter().position(|service| service.is_at(place)) {
            self.beside.swap_remove(beside);
            return true;
        }
        let Self { buckets, beside } = self;
        let bucket = &mut buckets[at.bucket()];
        let Some(slot) = bucket.services.iter_mut().find(|slot| slot.as_ref().is_some_and(|one| one.is_at(place)))
        else {
            return false;
        };
        *slot = None;
        if let Some(back) = beside.iter().position(|one| one.place().mixed().bucket() == at.bucket()) {
            let service = beside.swap_remove(back);
            let _has_room = bucket.put(service.place().mixed().tag(), service);
        } else {
            bucket.set_over(false);
        }
        true
    }

    fn services(&self) -> impl Iterator<Item = &Arc<ServiceView>> {
        self.buckets.iter().flat_map(|bucket| bucket.services.iter().flatten()).chain(&self.beside)
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self { pages: vec![Arc::default()], len: 0 }
    }
}

impl Directory {
    /// The service of a place.
    #[inline(always)]
    pub(super) fn find(&self, place: &Place) -> Option<&ServiceView> {
        let at = place.mixed();
        let bucket = self.bucket(at);
        match bucket.find(at.tag(), place) {
            Some(service) => Some(service),
            None if bucket.is_over() => self.find_beside(place),
            None => None,
        }
    }

    #[cold]
    #[inline(never)]
    fn find_beside(&self, place: &Place) -> Option<&ServiceView> {
        self.page(place.mixed()).beside.iter().find(|service| service.is_at(place)).map(|service| &**service)
    }

    /// The service of a place, most likely: nothing of it is read.
    #[inline(always)]
    pub(super) fn guess(&self, place: &Place) -> Option<&ServiceView> {
        let at = place.mixed();
        let bucket = self.bucket(at);
        bucket.first(bucket.likely(at.tag())).map(|service| &**service)
    }

    #[inline(always)]
    fn page(&self, at: Mixed) -> &Page {
        &self.pages[at.page() & (self.pages.len() - 1)]
    }

    #[inline(always)]
    fn bucket(&self, at: Mixed) -> &Bucket {
        &self.page(at).buckets[at.bucket()]
    }

    #[cfg(all(test, not(loom)))]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Puts a service in, or into the place of the one that is at its; whether it is a new one.
    pub(super) fn set(&mut self, service: Arc<ServiceView>) -> bool {
        let at = service.place().mixed();
        if let Some(present) = self.page_mut(at).find_mut(at, service.place()) {
            *present = service;
            return false;
        }
        if self.len >= self.pages.len() * BUCKETS * FILL {
            self.grow();
        }
        self.page_mut(at).put(at, service);
        self.len += 1;
        true
    }

    /// Takes the service of a place out, if there is one.
    pub(super) fn remove(&mut self, place: &Place) -> bool {
        let at = place.mixed();
        let was = self.page_mut(at).remove(at, place);
        self.len -= usize::from(was);
        was
    }

    fn grow(&mut self) {
        let mut pages = vec![Page::default(); self.pages.len() * 2];
        let mask = pages.len() - 1;
        for service in self.pages.iter().flat_map(|page| page.services()) {
            let at = service.place().mixed();
            pages[at.page() & mask].put(at, Arc::clone(service));
        }
        self.pages = pages.into_iter().map(Arc::new).collect();
    }

    fn page_mut(&mut self, at: Mixed) -> &mut Page {
        let mask = self.pages.len() - 1;
        Arc::make_mut(&mut self.pages[at.page() & mask])
    }
}

impl Mixed {
    const fn tag(self) -> u8 {
        (self.0 >> 56) as u8
    }

    const fn bucket(self) -> usize {
        (self.0 >> 51) as usize % BUCKETS
    }

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

    fn service(number: u32, one_packet: bool) -> Arc<ServiceView> {
        let address = SocketAddr::from((std::net::Ipv4Addr::from_bits(0x0a00_0000 + number), 80));
        let settings = ServiceSettings { one_packet, ..ServiceSettings::default() };
        Arc::new(ServiceView::new(ServiceKey::new(Protocol::Udp, address), scheduler_of_nobody(), &settings))
    }

    proptest! {
        /// Whatever was set last is found, also of so many that they are beside their buckets, and a copy stays as it was.
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
                    prop_assert_eq!(directory.find(&place).map(|found| found.one_packet), map.get(&number).copied());
                    if let (Some(found), Some(guess)) = (directory.find(&place), directory.guess(&place)) {
                        prop_assert!(std::ptr::eq(found, guess) || place.mixed().tag() == guess.place().mixed().tag());
                    }
                }
            }
        }
    }

    /// Ports of one address, addresses with one port, and addresses and ports that differ in the same bits.
    #[test]
    fn places_that_are_alike_are_in_many_buckets() {
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
                directory.set(Arc::new(ServiceView::new(key, scheduler_of_nobody(), &ServiceSettings::default())));
            }
            let beside: usize = directory.pages.iter().map(|page| page.beside.len()).sum();
            assert!(beside < 100, "{beside} of 10,000 are beside their buckets");
        }
    }
}
