//! Destinations by number, with everything a packet to them needs, in pages that snapshots share.

use std::sync::{Arc, LazyLock};

use ulvs_model::{Destination, ForwardMethod, Weight};
use ulvs_wire::{Family, FlowKey};

use super::DestinationId;
use super::pairs::{AddressPair, AddressPairs};
use super::real_server::RealServerView;

const PAGE: usize = 256;

/// A destination: a real server in a service. Four are on a cache line. A number no destination has is one of nobody.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct DestinationView {
    pub(crate) real_server: Arc<RealServerView>,
    /// Which use of its number it is, and what keeps packets from it: `removed:1 | unresolved:1 | generation:30`. One comparison
    /// with what a connection has tells whether its packets go on.
    word: u32,
    /// Port of the real server.
    pub(crate) destination_port: u16,
    pub(crate) method: ForwardMethod,
    is_quiescent: bool,
}

const _: () = assert!(size_of::<DestinationView>() == 16);

impl DestinationView {
    const REMOVED: u32 = 1 << 31;
    const UNRESOLVED: u32 = 1 << 30;
    /// The numbers of uses.
    pub(super) const GENERATIONS: u32 = Self::UNRESOLVED - 1;

    pub(crate) fn new(
        destination: &Destination,
        generation: u32,
        available: bool,
        real_server: Arc<RealServerView>,
    ) -> Self {
        debug_assert!(generation <= Self::GENERATIONS, "a generation has 30 bits");
        let Destination { address, method, weight, .. } = *destination;
        let flag = |flag, on| if on { flag } else { 0 };
        Self {
            word: generation
                | flag(Self::REMOVED, !available)
                | flag(Self::UNRESOLVED, !real_server.is_reached_by(method)),
            destination_port: address.port(),
            method,
            is_quiescent: weight == Weight::QUIESCENT,
            real_server,
        }
    }

    fn of_nobody() -> Self {
        let real_server = Arc::new(RealServerView::NOBODY);
        let word = Self::REMOVED | Self::UNRESOLVED;
        Self { real_server, word, destination_port: 0, method: ForwardMethod::Dr, is_quiescent: false }
    }

    /// Which use of its number it is.
    #[inline]
    pub(crate) const fn generation(&self) -> u32 {
        self.word & Self::GENERATIONS
    }

    /// In a service now, as this use of its number, and packets can be sent to it.
    #[inline]
    pub(crate) const fn takes(&self, generation: u32) -> bool {
        self.word == generation
    }

    /// In a service now, as this use of its number.
    #[inline]
    pub(crate) const fn serves(&self, generation: u32) -> bool {
        (self.word ^ generation) & !Self::UNRESOLVED == 0
    }

    /// Its weight is 0.
    pub(crate) const fn is_quiescent(&self) -> bool {
        self.is_quiescent
    }

    /// Packets can be sent to it.
    #[inline]
    pub(crate) const fn is_resolved(&self) -> bool {
        self.word & Self::UNRESOLVED == 0
    }
}

/// What a number stands for that no destination has.
static NOBODY: LazyLock<DestinationView> = LazyLock::new(DestinationView::of_nobody);

/// All destinations of a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destinations {
    pages: Vec<Arc<[DestinationView; PAGE]>>,
    pairs: AddressPairs,
}

impl Destinations {
    #[inline]
    pub(crate) fn get(&self, id: DestinationId) -> &DestinationView {
        let at = id.0 as usize;
        match self.pages.get(at / PAGE) {
            Some(page) => &page[at % PAGE],
            None => unused(),
        }
    }

    /// Writes a destination; only its page is copied, and only if a snapshot shares it.
    pub(crate) fn set(&mut self, id: DestinationId, view: DestinationView) {
        let at = id.0 as usize;
        while self.pages.len() <= at / PAGE {
            self.pages.push(Arc::new(std::array::from_fn(|_| NOBODY.clone())));
        }
        Arc::make_mut(&mut self.pages[at / PAGE])[at % PAGE] = view;
    }

    /// The IPv6 addresses of packets of a destination, as this use of its number, if its service has one.
    #[inline]
    pub(crate) fn pair(&self, id: DestinationId, generation: u32) -> Option<&AddressPair> {
        self.pairs.get(id, generation)
    }

    /// Whether packets with this key have those.
    #[inline(always)]
    pub(crate) fn has_pair_of(&self, key: &FlowKey, id: DestinationId, generation: u32) -> bool {
        key.family() == Family::V6 && self.pair(id, generation).is_some_and(|pair| pair.vip == key.v6()[1])
    }

    /// Says what they are.
    pub(crate) fn set_pair(&mut self, id: DestinationId, pair: AddressPair) {
        self.pairs.set(id, pair);
    }
}

/// What a number beyond all pages stands for. A function that is never likely makes it a branch, where a choice of two addresses
/// would take each packet some instructions.
#[cold]
#[inline(never)]
fn unused() -> &'static DestinationView {
    &NOBODY
}
