//! Which service a packet is for.

use ulvs_wire::{FlowKey, Packet};

use crate::snapshot::ServiceView;

use super::Context;

impl<'a> Context<'a> {
    /// The service of a packet without a connection (ipvs-facts B.5.2): the one of its firewall mark, else the one of its
    /// address and port.
    #[inline]
    pub(super) fn service_of(&self, packet: &Packet) -> Option<&'a ServiceView> {
        let key = &packet.key;
        let services = &self.snapshot.services;
        let marked = if services.are_marked() { self.marked(key) } else { None };
        marked.or_else(|| services.find(key.destination(), key.destination_port(), key.protocol(), key.family()))
    }

    #[cold]
    fn marked(&self, key: &FlowKey) -> Option<&'a ServiceView> {
        self.snapshot.services.of_mark(self.snapshot.marks.of(key, self.ingress), key.family())
    }
}
