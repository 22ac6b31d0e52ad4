//! Which service a packet is for.

use ulvs_wire::{FlowKey, Packet};

use crate::snapshot::{Place, ServiceView, Spot};

use super::{Context, Own};

/// Where services of the last new connections are: most often the next one is for one of them.
#[derive(Debug)]
pub(super) struct Recent([(u16, Spot); Self::LEN]);

impl Recent {
    /// More than a burst has packets, so that those of one burst have places of their own.
    const LEN: usize = 256;

    pub(super) fn new() -> Self {
        Self([(0, Spot::default()); Self::LEN])
    }

    /// Where one is looked for, and what is compared before a service is looked at.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "some bits of a number")]
    const fn at(to: &Place) -> (usize, u16) {
        let mixed = to.mixed();
        ((mixed >> 56) as usize % Self::LEN, (mixed >> 40) as u16)
    }

    #[inline(always)]
    fn spot(&self, to: &Place) -> Option<Spot> {
        let (at, tag) = Self::at(to);
        let (known, spot) = self.0[at];
        (known == tag).then_some(spot)
    }

    fn set(&mut self, to: &Place, spot: Spot) {
        let (at, tag) = Self::at(to);
        self.0[at] = (tag, spot);
    }
}

impl Own {
    /// The service of a packet without a connection, which most often is that of another one a while ago.
    #[inline(always)]
    pub(super) fn service_of<'a>(&mut self, cx: &Context<'a>, packet: &Packet) -> Option<&'a ServiceView> {
        let services = &cx.snapshot.services;
        let to = Place::to(&packet.key);
        match self.recent.spot(&to).and_then(|spot| services.at_spot(spot)) {
            Some(service) if service.is_at(&to) && !services.are_marked() => Some(service),
            _ => self.find_service_of(cx, packet),
        }
    }

    #[inline(never)]
    fn find_service_of<'a>(&mut self, cx: &Context<'a>, packet: &Packet) -> Option<&'a ServiceView> {
        let (spot, service) = cx.find_service_of(packet)?;
        self.recent.set(&Place::to(&packet.key), spot);
        Some(service)
    }
}

impl<'a> Context<'a> {
    /// The service of a packet without a connection (ipvs-facts B.5.2): the one of its firewall mark, else the one of its
    /// address and port.
    #[inline]
    pub(super) fn service_of(&self, packet: &Packet) -> Option<&'a ServiceView> {
        self.find_service_of(packet).map(|(_, service)| service)
    }

    fn find_service_of(&self, packet: &Packet) -> Option<(Spot, &'a ServiceView)> {
        let key = &packet.key;
        let services = &self.snapshot.services;
        let marked = if services.are_marked() { self.marked(key) } else { None };
        marked.or_else(|| services.find(Place::to(key)))
    }

    #[cold]
    fn marked(&self, key: &FlowKey) -> Option<(Spot, &'a ServiceView)> {
        self.snapshot.services.of_mark(self.snapshot.marks.of(key, self.ingress), key.family())
    }
}
