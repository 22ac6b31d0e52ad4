//! Packets of existing connections from clients (ipvs-facts B.5).

use ulvs_model::ForwardMethod;
use ulvs_wire::{Packet, parse};

use crate::conn::{Control, Entry, Hit, Home};
use crate::forward::icmp_error::Error;
use crate::forward::tun::Tunnel;
use crate::forward::{dr, nat, tun};
use crate::frame::Frame;
use crate::proto::State;
use crate::snapshot::{DestinationId, DestinationView, RealServerView};
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::ipsec::followed;
use super::state::{advance, changes_nothing};
use super::{Context, Own, Staged, Way, translation};

impl Own {
    #[inline(always)]
    pub(super) fn inbound<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, staged: &Staged, hit: Hit<'_>) -> Way {
        let packet = &staged.packet;
        let (id, generation) = hit.entry.destination_id();
        // Whether the destination takes it is asked twice if something changes: packets that change nothing, which are most of a busy
        // connection's, need not remember what was found out of them.
        if !changes_nothing(cx, packet, hit) {
            if packet.signal & parse::OPENS != 0 && begins_anew(cx, hit) && self.end(cx, hit.entry) {
                let verdict = self.schedule(cx, frame, packet, staged.home);
                return self.no_way(verdict);
            }
            if cx.snapshot.destinations.get(id).takes(generation) {
                advance(cx, packet, hit);
            }
        }
        let destination = cx.snapshot.destinations.get(id);
        if !destination.takes(generation) {
            let verdict = self.not_taken(cx, frame, staged);
            return self.no_way(verdict);
        }
        self.send(cx, frame, packet, id, destination, hit)
    }

    /// A packet for a destination that was removed, or can't be forwarded to. Its connection is looked up again: to hand it over
    /// would cost those that can be.
    #[cold]
    #[inline(never)]
    fn not_taken<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, staged: &Staged) -> Verdict {
        let Staged { packet, home, .. } = staged;
        let Some(hit) = cx.shared.table.search(*home, &followed(&packet.key)) else {
            return Verdict::Drop(DropReason::Contended);
        };
        let (id, generation) = hit.entry.destination_id();
        let destination = cx.snapshot.destinations.get(id);
        if !destination.serves(generation) {
            return self.removed(cx, frame, packet, *home, hit);
        }
        if destination.is_resolved() {
            // Another connection has come in the place of the one that was found first.
            return Verdict::Drop(DropReason::Contended);
        }
        if cx.is_here(&destination.real_server) {
            advance(cx, packet, hit);
        }
        self.send_elsewhere(cx, frame, packet, &destination.real_server, hit)
    }

    /// A packet for a destination that was removed (ipvs-facts B.5, step 6).
    #[cold]
    fn removed<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        hit: Hit<'_>,
    ) -> Verdict {
        if !cx.snapshot.services.any_of(packet.key.family()) {
            return Verdict::Punt(PuntReason::NotAService);
        }
        if cx.snapshot.sysctls.expire_nodest_conn != 0 && self.end(cx, hit.entry) {
            return self.schedule(cx, frame, packet, home);
        }
        // Silently, and the timer runs on: the connection resumes if the destination comes back.
        Verdict::Drop(DropReason::DestinationRemoved)
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
    ) -> Way {
        let counters = cx.counters.destination(id);
        counters.packets_in.add(1);
        counters.bytes_in.add(u64::from(packet.ip_len));
        if packet.ttl <= 1 {
            let verdict = self.reject_to_client(cx, frame, packet, Error::TimeExceeded, DropReason::TtlExceeded);
            return self.no_way(verdict);
        }
        let real_server = &*destination.real_server;
        match hit.control.method() {
            ForwardMethod::Tun => return self.tunnel(cx, frame, packet, real_server, hit.entry),
            _ if packet.ip_len > real_server.mtu => {
                let verdict = self.too_long(cx, frame, packet, real_server, hit.entry, real_server.mtu);
                return self.no_way(verdict);
            }
            ForwardMethod::Dr => dr::request(frame, packet, &real_server.ethernet),
            ForwardMethod::Nat => {
                let rewrite = translation::request(hit.entry, hit.pair);
                nat::rewrite(frame, packet, &rewrite, &real_server.ethernet);
            }
        }
        Some(real_server.port)
    }

    #[inline(always)]
    fn tunnel<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        real_server: &RealServerView,
        entry: &Entry,
    ) -> Way {
        if packet.ip_len > real_server.longest_in_tunnel {
            let verdict = self.tunnel_any(cx, frame, packet, real_server, entry);
            return self.no_way(verdict);
        }
        let tunnel = Tunnel {
            family: real_server.family(),
            source: real_server.tunnel_source,
            destination: real_server.address,
            ethernet: real_server.ethernet,
            id: self.ip_id(),
        };
        if tun::request(frame, packet, &tunnel) {
            Some(real_server.port)
        } else {
            self.no_way(Verdict::Drop(DropReason::NoHeadroom))
        }
    }
}

/// Whether a SYN or INIT ends its connection and begins another (ipvs-facts B.5, step 5): its destination has weight 0, with
/// `expire_nodest_conn`; or the client uses its port again for one that is all but over, by `conn_reuse_mode`. One of a persistent
/// service goes on then.
#[cold]
fn begins_anew(cx: &Context<'_>, hit: Hit<'_>) -> bool {
    let sysctls = &cx.snapshot.sysctls;
    let (destination, _) = hit.entry.destination_id();
    if sysctls.expire_nodest_conn != 0 && cx.snapshot.destinations.get(destination).is_quiescent() {
        return true;
    }
    let mode = sysctls.conn_reuse_mode;
    let is_over = match hit.control.state() {
        State::TimeWait | State::Close | State::Closed => mode != 0,
        State::FinWait => mode & 2 != 0 && hit.control.has(Control::NO_OUTPUT),
        _ => false,
    };
    is_over && hit.entry.controller().is_none()
}
