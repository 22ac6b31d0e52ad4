//! ICMP errors about connections, from the clients' side and from the real servers' (ipvs-facts C.6).
//!
//! An error restarts no timer and changes no state; it costs one lookup and, with NAT, two sums over it.

use ulvs_model::ForwardMethod;
use ulvs_wire::{Packet, Quoted, icmp};

use crate::conn::{Direction, Hit};
use crate::forward::dr;
use crate::forward::nat::End;
use crate::forward::quote::{self, Translation};
use crate::frame::Frame;
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::ipsec::followed;
use super::pieces::{longest, may_be_cut};
use super::{Context, Own, local};

impl Own {
    /// Decides about an ICMP message: the kernel's, unless it is an error about a connection.
    pub(super) fn icmp<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet) -> Verdict {
        let family = packet.key.family();
        let kind = frame.bytes().get(usize::from(packet.l4)).copied();
        // Without services of the family there is nothing of IPVS in a packet's way (ipvs-facts B.2).
        if !kind.is_some_and(|kind| icmp::is_error(kind, family)) || !cx.snapshot.services.any_of(family) {
            return Verdict::Punt(PuntReason::Icmp);
        }
        let Some(quoted) = Quoted::of(frame.bytes(), packet) else {
            return Verdict::Punt(PuntReason::Icmp);
        };
        // What is quoted went the other way.
        match cx.shared.table.peek(&followed(&quoted.key).reversed(), cx.now) {
            Some(hit) if hit.direction == Direction::Out => self.related_out(cx, frame, packet, &quoted, hit),
            _ if cx.snapshot.stands_aside => Verdict::Punt(PuntReason::Icmp),
            Some(hit) => self.related_in(cx, frame, packet, &quoted, hit),
            None => match self.tunnel_error(cx, frame, packet, &quoted) {
                Some(verdict) => verdict,
                None => self.schedule_icmp(cx, frame, packet, &quoted),
            },
        }
    }

    /// An error about a reply: the real server is to know.
    pub(super) fn related_in<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        quoted: &Quoted,
        hit: Hit<'_>,
    ) -> Verdict {
        let method = hit.control.method();
        if method == ForwardMethod::Nat && !quote::verifies(frame, packet) {
            return Verdict::Drop(DropReason::BadIcmpChecksum);
        }
        let (id, generation) = hit.entry.destination_id();
        let destination = cx.snapshot.destinations.get(id);
        if destination.generation() != generation {
            return Verdict::Drop(DropReason::DestinationRemoved);
        }
        let is_here = !destination.is_resolved() && cx.is_here(&destination.real_server);
        if !destination.is_resolved() && !is_here {
            return cx.unresolved(destination.real_server.address, destination.real_server.family(), PuntReason::Icmp);
        }
        if destination.serves(generation) {
            let counters = cx.counters.destination(id);
            counters.packets_in.add(1);
            counters.bytes_in.add(u64::from(packet.ip_len));
        }
        if is_here {
            return local::send_error_here(frame, packet, quoted, hit);
        }
        if packet.ttl <= 1 {
            return Verdict::Drop(DropReason::TtlExceeded);
        }
        let is_long = packet.ip_len > longest(&destination.real_server, method);
        if is_long && !may_be_cut(cx, packet, method) {
            // No error is sent about an error.
            return Verdict::Drop(DropReason::TooBig);
        }
        let verdict = if method == ForwardMethod::Nat {
            let (address, port) = hit.entry.destination();
            let to = Translation { end: End::Destination, address, port };
            quote::translate(frame, packet, quoted, &to, &destination.real_server.ethernet);
            Verdict::Forward(destination.real_server.port)
        } else {
            self.send_whole(cx, frame, packet, &destination.real_server, hit.entry)
        };
        if is_long { self.cut(verdict, destination.real_server.mtu) } else { verdict }
    }

    /// An error about a request, of the real server or of a router on the way to it: the client is to know.
    fn related_out<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        quoted: &Quoted,
        hit: Hit<'_>,
    ) -> Verdict {
        let is_nat = hit.control.method() == ForwardMethod::Nat;
        if is_nat && !quote::verifies(frame, packet) {
            return Verdict::Drop(DropReason::BadIcmpChecksum);
        }
        let hop = match cx.way_to(packet.key.destination(), packet.key.family(), PuntReason::Icmp) {
            Ok(&hop) => hop,
            Err(verdict) => return verdict,
        };
        // As with replies, the kernel forwards before it translates and counts.
        if packet.ttl <= 1 {
            return Verdict::Drop(DropReason::TtlExceeded);
        }
        let is_long = packet.ip_len > hop.mtu;
        if is_long && packet.dont_fragment {
            return Verdict::Drop(DropReason::TooBig);
        }
        if is_nat {
            let (address, port) = hit.entry.vip();
            quote::translate(frame, packet, quoted, &Translation { end: End::Source, address, port }, &hop.ethernet);
        } else {
            dr::request(frame, packet, &hop.ethernet);
        }
        let (id, generation) = hit.entry.destination_id();
        if cx.snapshot.destinations.get(id).serves(generation) {
            let counters = cx.counters.destination(id);
            counters.packets_out.add(1);
            counters.bytes_out.add(u64::from(packet.ip_len));
        }
        let verdict = Verdict::Forward(hop.port);
        if is_long { self.cut(verdict, hop.mtu) } else { verdict }
    }
}
