//! Replies of real servers, on their way through the director (ipvs-facts C.2).

use ulvs_model::ForwardMethod;
use ulvs_wire::Packet;

use crate::conn::{Direction, Entry, Hit};
use crate::forward::icmp_error::Error;
use crate::forward::{dr, nat};
use crate::frame::Frame;
use crate::shared::Unresolved;
use crate::snapshot::{Hop, HopId, Lookup};
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::state::{advance, changes_nothing};
use super::{Context, Own, Staged, Way, translation};

impl Own {
    #[inline(always)]
    pub(super) fn outbound<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, staged: &Staged, hit: Hit<'_>) -> Way {
        let packet = &staged.packet;
        let (id, generation) = hit.entry.destination_id();
        let serves = cx.snapshot.destinations.get(id).serves(generation);
        if !serves {
            if !cx.snapshot.services.any_of(packet.key.family()) {
                return self.no_way(Verdict::Punt(PuntReason::NotAService));
            }
            // The sweep has not come by yet.
            if cx.snapshot.sysctls.expire_nodest_conn != 0 && self.end(cx, hit.entry) {
                let verdict = self.schedule(cx, frame, packet, staged.home);
                return self.no_way(verdict);
            }
        }
        let hop = match reply_hop(cx, packet, hit) {
            Ok(hop) => hop,
            Err(Lookup::Unresolved { port, next }) => {
                cx.shared.ask_for(Unresolved { port, address: next });
                return self.no_way(Verdict::Wait);
            }
            // A client on the director itself.
            Err(Lookup::Local | Lookup::Hop(_)) => return self.no_way(Verdict::Punt(PuntReason::LocalDestination)),
            Err(Lookup::NoRoute) => {
                let verdict = self.reject_from_director(cx, frame, packet, Error::HostUnreachable, DropReason::NoRoute);
                return self.no_way(verdict);
            }
        };
        let Some(&hop) = cx.snapshot.network.hop(hop) else {
            return self.no_way(Verdict::Drop(DropReason::NoRoute));
        };
        // The kernel forwards before it translates: errors quote the packet as it came, and it is not counted.
        if packet.ttl <= 1 {
            let (error, reason) = (Error::TimeExceeded, DropReason::TtlExceeded);
            let verdict = self.reject_from_director(cx, frame, packet, error, reason);
            return self.no_way(verdict);
        }
        if packet.ip_len > hop.mtu {
            let verdict = self.too_long_reply(cx, frame, packet, hit.entry, &hop);
            return self.no_way(verdict);
        }
        send_reply(cx, frame, packet, hit, &hop, serves);
        Some(hop.port)
    }

    /// The reply is longer than the way to the client takes.
    #[cold]
    #[inline(never)]
    fn too_long_reply<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        entry: &Entry,
        hop: &Hop,
    ) -> Verdict {
        if packet.dont_fragment {
            let (error, reason) = (Error::TooBig(hop.mtu), DropReason::TooBig);
            return self.reject_from_director(cx, frame, packet, error, reason);
        }
        let hit = Hit { entry, direction: Direction::Out, control: entry.control(), pair: None };
        let (id, generation) = entry.destination_id();
        send_reply(cx, frame, packet, hit, hop, cx.snapshot.destinations.get(id).serves(generation));
        self.cut(Verdict::Forward(hop.port), hop.mtu)
    }
}

/// Translates a reply, counts it, and steps its connection's state.
#[inline(always)]
fn send_reply<F: Frame>(cx: &Context<'_>, frame: &mut F, packet: &Packet, hit: Hit<'_>, hop: &Hop, serves: bool) {
    let entry = hit.entry;
    if hit.control.method() == ForwardMethod::Nat {
        let rewrite = translation::reply(entry, hit.pair);
        nat::rewrite(frame, packet, &rewrite, &hop.ethernet);
    } else {
        dr::request(frame, packet, &hop.ethernet);
    }
    if serves {
        let (id, _) = entry.destination_id();
        let counters = cx.counters.destination(id);
        counters.packets_out.add(1);
        counters.bytes_out.add(u64::from(packet.ip_len));
    }
    if !changes_nothing(cx, packet, hit) {
        advance(cx, packet, hit);
    }
}

/// The hop towards the client: remembered in the connection, looked up again when the network has changed.
#[inline]
pub(super) fn reply_hop(cx: &Context<'_>, packet: &Packet, hit: Hit<'_>) -> Result<HopId, Lookup> {
    let entry = hit.entry;
    let network = &cx.snapshot.network;
    if let Some(hop) = entry.reply_hop(network.generation) {
        return Ok(HopId(hop));
    }
    match network.lookup(packet.key.destination(), packet.key.family()) {
        Lookup::Hop(hop) => {
            entry.set_reply_hop(network.generation, hop.0);
            Ok(hop)
        }
        other => Err(other),
    }
}
