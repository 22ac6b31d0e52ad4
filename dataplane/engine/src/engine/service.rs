//! Which service a packet is for.

use ulvs_wire::{FlowKey, Packet};

use crate::snapshot::{Place, ServiceLine, ServiceView, Snapshot};

use super::Context;

impl<'a> Context<'a> {
    /// The service of a packet without a connection (ipvs-facts B.5.2): the one of its firewall mark, else the one of its
    /// address and port.
    #[inline(always)]
    pub(super) fn service_line_of(&self, packet: &Packet) -> Option<&'a ServiceLine> {
        let services = &self.snapshot.services;
        if services.are_marked() { self.service_by_mark(&packet.key) } else { services.find(&Place::to(&packet.key)) }
    }

    /// The same, for who needs more than its line.
    #[inline]
    pub(super) fn service_of(&self, packet: &Packet) -> Option<&'a ServiceView> {
        self.service_line_of(packet).map(ServiceLine::service)
    }

    #[cold]
    #[inline(never)]
    fn service_by_mark(&self, key: &FlowKey) -> Option<&'a ServiceLine> {
        let Snapshot { services, marks, .. } = self.snapshot;
        let marked = services.of_mark(marks.of(key, self.ingress), key.family());
        marked.or_else(|| services.find(&Place::to(key)))
    }
}
