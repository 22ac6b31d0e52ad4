//! What a service is found by, and all that its new connections need of it where a few destinations take turns: one cache line.

use std::sync::Arc;

use crate::prefetch::prefetch;
use crate::sched::Turns;

use super::place::Place;
use super::services::ServiceView;

/// A service among all others. Lines stand side by side, however large services are.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct ServiceLine {
    place: Place,
    service: Arc<ServiceView>,
    /// Of a few that take turns.
    turns: Option<Turns>,
}

const _: () = assert!(size_of::<ServiceLine>() == 64);

impl ServiceLine {
    pub(super) fn new(service: Arc<ServiceView>) -> Self {
        Self { place: Place::of(&service.key), turns: service.turns(), service }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// Whether it is the one of this very address and port.
    #[inline(always)]
    pub(super) fn is_at(&self, to: &Place) -> bool {
        self.place == *to
    }

    /// The port it serves; 0: all.
    #[inline]
    pub(crate) const fn port(&self) -> u16 {
        self.place.port()
    }

    /// The rest of it.
    #[inline(always)]
    pub(crate) fn service(&self) -> &ServiceView {
        &self.service
    }

    /// Those that take turns, if they are few: nothing but the line has to be read.
    #[inline(always)]
    pub(crate) const fn turns(&self) -> Option<&Turns> {
        self.turns.as_ref()
    }

    /// Asks for the line.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        prefetch(self);
    }
}
