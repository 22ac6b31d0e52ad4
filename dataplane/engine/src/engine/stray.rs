//! Packets that nobody asked a real server for: by IPVS's sysctl `nat_icmp_send` it is told so (ipvs-facts C.2).

use ulvs_wire::{Packet, parse};

use crate::forward::{self, icmp_error::Error};
use crate::frame::Frame;
use crate::snapshot::Lookup;
use crate::verdict::{DropReason, Verdict};

use super::{Context, Own};

impl Own {
    /// Refuses a packet of no connection, if it comes from where a real server by NAT listens. `None`: it is somebody else's,
    /// or ends a connection itself.
    #[cold]
    #[inline(never)]
    pub(super) fn stray<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet) -> Option<Verdict> {
        if packet.ttl <= 1 || !is_refused(packet) || !cx.snapshot.listeners.sent(&packet.key) {
            return None;
        }
        // The kernel quotes a packet on its way as it would have gone on.
        if cx.snapshot.network.lookup(packet.key.destination(), packet.key.family()) != Lookup::Local {
            forward::decrement_ttl(frame.bytes_mut(), packet);
        }
        Some(self.reject_from_director(cx, frame, packet, Error::PortUnreachable, DropReason::StrayReply))
    }
}

/// Not what breaks a connection off itself, and nothing without ports.
const fn is_refused(packet: &Packet) -> bool {
    let protocol = packet.key.protocol();
    parse::has_ports(protocol) && packet.signal & parse::RESETS == 0
}
