//! Packets of existing connections from clients (ipvs-facts B.5).

use ulvs_model::ForwardMethod;
use ulvs_wire::{Packet, tcp};

use crate::conn::{Entry, Hit, Home};
use crate::forward::icmp_error::Error;
use crate::forward::nat::{End, Rewrite};
use crate::forward::tun::Tunnel;
use crate::forward::{dr, nat, tun};
use crate::frame::Frame;
use crate::proto::State;
use crate::snapshot::{DestinationId, DestinationView};
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::{Context, Own, advance};

impl Own {
    #[inline(always)]
    pub(super) fn inbound<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        hit: Hit<'_>,
    ) -> Verdict {
        if is_reused(packet, hit) && self.end(cx, hit.id) {
            return self.schedule(cx, frame, packet, home);
        }
        let (id, generation) = hit.entry.destination_id();
        let destination = cx.snapshot.destinations.get(id);
        if !destination.serves(generation) {
            if !cx.snapshot.services.any_of(packet.key.family()) {
                return Verdict::Punt(PuntReason::NotAService);
            }
            // Silently, and the timer runs on: the connection resumes if the destination comes back (ipvs-facts B.5,
            // step 6).
            return Verdict::Drop(DropReason::DestinationRemoved);
        }
        if !destination.is_resolved() {
            return self.unreachable(cx, frame, packet, destination);
        }
        advance(cx, packet, hit);
        self.send(cx, frame, packet, id, destination, hit)
    }

    /// Counts the packet and sends it to its destination, which is known to be reachable.
    #[inline(always)]
    pub(super) fn send<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        id: DestinationId,
        destination: &DestinationView,
        hit: Hit<'_>,
    ) -> Verdict {
        let counters = cx.counters.destination(id);
        counters.packets_in.add(1);
        counters.bytes_in.add(u64::from(packet.ip_len));
        if packet.ttl <= 1 {
            return self.reject_to_client(cx, frame, packet, Error::TimeExceeded, DropReason::TtlExceeded);
        }
        match hit.control.method() {
            ForwardMethod::Tun => return self.tunnel(cx, frame, packet, destination, hit.entry),
            _ if packet.ip_len > destination.mtu => {
                return self.too_long(cx, frame, packet, destination, hit.entry, destination.mtu);
            }
            ForwardMethod::Dr => dr::request(frame, packet, &destination.ethernet),
            ForwardMethod::Nat => {
                let (address, port) = hit.entry.destination();
                let rewrite = Rewrite { end: End::Destination, address, port, deltas: hit.entry.deltas() };
                nat::rewrite(frame, packet, &rewrite, &destination.ethernet);
            }
        }
        Verdict::Forward(destination.port)
    }

    #[inline(always)]
    fn tunnel<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        destination: &DestinationView,
        entry: &Entry,
    ) -> Verdict {
        if packet.ip_len > destination.longest_in_tunnel {
            return self.tunnel_any(cx, frame, packet, destination, entry);
        }
        let tunnel = Tunnel {
            family: destination.family(),
            source: destination.tunnel_source,
            destination: destination.address,
            ethernet: destination.ethernet,
            id: self.ip_id(),
        };
        if tun::request(frame, packet, &tunnel) {
            Verdict::Forward(destination.port)
        } else {
            Verdict::Drop(DropReason::NoHeadroom)
        }
    }
}

/// A client that uses its port again: a SYN for a connection that is all but over (ipvs-facts B.5, step 5, with
/// `conn_reuse_mode` 1). One of a persistent service goes on.
#[inline]
fn is_reused(packet: &Packet, hit: Hit<'_>) -> bool {
    packet.tcp_flags & tcp::SYN != 0
        && matches!(hit.control.state(), State::TimeWait | State::Close)
        && hit.entry.controller().is_none()
}
