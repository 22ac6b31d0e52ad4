//! Packets that can't be forwarded: the sender is told by ICMP, at a limited rate (ipvs-facts B.5.3, C.3).

use ulvs_wire::{Address, Family, Packet};

use crate::forward::icmp_error::{self, Error};
use crate::forward::{self};
use crate::frame::Frame;
use crate::shared::Unresolved;
use crate::snapshot::{Lookup, RealServerView};
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::{Context, Own};

impl Own {
    /// The destination can't be sent to now: for want of its neighbour's address, or of a route.
    #[cold]
    pub(super) fn unreachable<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        real_server: &RealServerView,
    ) -> Verdict {
        match cx.snapshot.network.lookup(real_server.address, real_server.family()) {
            Lookup::Unresolved { port, next } => {
                cx.shared.ask_for(Unresolved { port, address: next });
                Verdict::Wait
            }
            Lookup::Local => Verdict::Punt(PuntReason::LocalDestination),
            // With a hop, what is missing is a source address for the tunnel.
            Lookup::NoRoute | Lookup::Hop(_) => {
                let (error, reason) = (Error::HostUnreachable, DropReason::NoRoute);
                self.reject_to_client(cx, frame, packet, error, reason)
            }
        }
    }

    /// The packet is longer than the way to its destination takes, and must not be cut.
    #[cold]
    pub(super) fn too_big<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet, mtu: u16) -> Verdict {
        // The kernel quotes the packet as it would have gone on.
        forward::decrement_ttl(frame.bytes_mut(), packet);
        self.reject_to_client(cx, frame, packet, Error::TooBig(mtu), DropReason::TooBig)
    }

    /// Tells the client, in the name of the virtual address.
    #[cold]
    pub(super) fn reject_to_client<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        error: Error,
        reason: DropReason,
    ) -> Verdict {
        self.reject(cx, frame, packet, error, packet.key.destination(), reason)
    }

    /// Tells the real server, as the router it takes the director for.
    #[cold]
    pub(super) fn reject_from_director<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        error: Error,
        reason: DropReason,
    ) -> Verdict {
        match cx.snapshot.network.source_for(packet.key.source().to_ip(packet.key.family())) {
            Some(own) => self.reject(cx, frame, packet, error, own.into(), reason),
            None => Verdict::Drop(reason),
        }
    }

    fn reject<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        error: Error,
        from: Address,
        reason: DropReason,
    ) -> Verdict {
        let (to, family) = (packet.key.source(), packet.key.family());
        let way = cx.snapshot.network.lookup(to, family);
        // Path MTU discovery is not to wait: as in the kernel, only all errors together are limited.
        let is_limited = !matches!(error, Error::TooBig(_));
        if matches!(way, Lookup::NoRoute | Lookup::Local)
            || is_nobody(to, family)
            || is_limited && !self.icmp_to.take(cx.shared.hasher(), to, family, cx.now)
            || !self.icmp.take(cx.now)
        {
            return Verdict::Drop(reason);
        }
        let hop = match way {
            Lookup::Hop(hop) => cx.snapshot.network.hop(hop),
            // Nobody hears of this packet, but the way is known when the sender tries again. Replies of DR and TUN do not
            // pass the director: nothing else would ask for it.
            Lookup::Unresolved { port, next } => {
                cx.shared.ask_for(Unresolved { port, address: next });
                None
            }
            Lookup::NoRoute | Lookup::Local => None,
        };
        let Some(&hop) = hop else { return Verdict::Drop(reason) };
        let id = self.ip_id();
        if icmp_error::write(frame, packet, error, from, id, &hop.ethernet) {
            Verdict::Reject(hop.port, reason)
        } else {
            Verdict::Drop(reason)
        }
    }
}

/// RFC 1122 section 3.2.2, RFC 4443 section 2.4: no errors to addresses that are not one host's.
fn is_nobody(address: Address, family: Family) -> bool {
    match address.to_ip(family) {
        std::net::IpAddr::V4(v4) => v4.is_broadcast() || v4.is_multicast() || v4.is_unspecified() || v4.is_loopback(),
        std::net::IpAddr::V6(v6) => v6.is_multicast() || v6.is_unspecified() || v6.is_loopback(),
    }
}
