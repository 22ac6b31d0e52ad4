//! Where packets go of which nobody is told when they can't go on: later fragments and ICMP errors (RFC 1122 section 3.2.2).

use ulvs_wire::{Address, Family};

use crate::shared::Unresolved;
use crate::snapshot::{Hop, Lookup};
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::Context;

impl<'a> Context<'a> {
    /// The hop towards an address, or what becomes of the packet: it waits for a neighbour, is the kernel's for the reason
    /// `local` if the address is the director's own, or has no route.
    #[cold]
    pub(super) fn way_to(&self, to: Address, family: Family, local: PuntReason) -> Result<&'a Hop, Verdict> {
        match self.snapshot.network.lookup(to, family) {
            Lookup::Hop(hop) => self.snapshot.network.hop(hop).ok_or(Verdict::Drop(DropReason::NoRoute)),
            Lookup::Unresolved { port, next } => {
                self.shared.ask_for(Unresolved { port, address: next });
                Err(Verdict::Wait)
            }
            Lookup::Local => Err(Verdict::Punt(local)),
            Lookup::NoRoute => Err(Verdict::Drop(DropReason::NoRoute)),
        }
    }

    /// What becomes of a packet for a destination that [can't be sent to](crate::snapshot::DestinationView::is_resolved):
    /// with a hop, what is missing is a source address for the tunnel.
    pub(super) fn unresolved(&self, to: Address, family: Family, local: PuntReason) -> Verdict {
        self.way_to(to, family, local).map_or_else(|verdict| verdict, |_| Verdict::Drop(DropReason::NoRoute))
    }
}
