//! Fragments of packets to services and of replies (ipvs-facts C.7; design 0005).
//!
//! A first fragment goes the way of whole packets. Those that follow have its ports from [`Datagrams`](crate::datagrams), and
//! so its connection: of them the IP header alone is rewritten.

use ulvs_model::ForwardMethod;
use ulvs_wire::fragment::{self, Fragment};
use ulvs_wire::{FlowKey, Kind, Packet, parse, parse_any};

use crate::conn::{Direction, Hit};
use crate::datagrams::{DatagramName, Known, Part};
use crate::forward::{dr, nat};
use crate::frame::Frame;
use crate::shared::Shared;
use crate::snapshot::{Lookup, Snapshot};
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::ipsec::is_ipsec;
use super::pieces::{longest, may_be_cut};
use super::{Context, Own, local, translation};

impl Own {
    /// Decides about a fragment for the director.
    pub(super) fn fragment<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &mut Packet) -> Verdict {
        if is_ipsec(&packet.key) {
            return self.ipsec_fragment(cx, frame, packet);
        }
        if !concerns(cx.snapshot, &packet.key) {
            return Verdict::Punt(PuntReason::Fragment);
        }
        let Some(fragment) = fragment::describe(frame.bytes(), packet) else {
            return Verdict::Drop(DropReason::BadFragment);
        };
        let name = DatagramName::new(cx.shared.hasher(), &packet.key, fragment.id);
        if fragment.offset == 0 {
            return self.first_fragment(cx, frame, packet, &fragment, name);
        }
        let Some(known) = cx.shared.datagrams.find(name, cx.now) else {
            return Verdict::Hold;
        };
        match known.come(fragment.units(), !fragment.more) {
            Part::New => {}
            Part::Repeated | Part::Overlapping => return Verdict::Drop(DropReason::BadFragment),
        }
        let verdict = self.later_fragment(cx, frame, packet, &known);
        if verdict == Verdict::Wait {
            known.go(fragment.units(), !fragment.more);
        }
        verdict
    }

    fn first_fragment<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        fragment: &Fragment,
        name: DatagramName,
    ) -> Verdict {
        self.sent_once = None;
        let verdict = self.decide_by_search(cx, frame, packet, cx.shared.table.home(&packet.key));
        let sent = self.sent_once.take();
        let verdict = if leaves_unsummed(cx, packet) { Verdict::Drop(DropReason::SctpFragment) } else { verdict };
        // Those that follow go on only when this one has: they would wait for the same neighbour, and overtake it.
        if verdict != Verdict::Wait
            && let Some(known) = cx.shared.datagrams.begin_sent(name, packet.key.wire_ports(), sent, cx.now)
        {
            known.come(fragment.units(), !fragment.more);
        }
        verdict
    }

    fn later_fragment<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &mut Packet,
        known: &Known<'_>,
    ) -> Verdict {
        packet.key.set_ports(known.ports);
        if leaves_unsummed(cx, packet) {
            return Verdict::Drop(DropReason::SctpFragment);
        }
        let key = &packet.key;
        match cx.shared.table.search(cx.shared.table.home(key), key) {
            Some(hit) => self.later(cx, frame, packet, hit),
            None if let Some(sent) = known.sent => self.later_once(cx, frame, packet, sent),
            // Where the first went: to the kernel, or nowhere.
            None if cx.service_of(packet).is_some() => Verdict::Drop(DropReason::Fragment),
            None => Verdict::Punt(PuntReason::Fragment),
        }
    }

    /// Forwards a fragment that is not the first.
    pub(super) fn later<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        hit: Hit<'_>,
    ) -> Verdict {
        match hit.direction {
            Direction::In => self.later_inbound(cx, frame, packet, hit),
            Direction::Out => self.later_outbound(cx, frame, packet, hit),
        }
    }

    fn later_inbound<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet, hit: Hit<'_>) -> Verdict {
        let (id, generation) = hit.entry.destination_id();
        let destination = cx.snapshot.destinations.get(id);
        if !destination.serves(generation) {
            return Verdict::Drop(DropReason::DestinationRemoved);
        }
        let is_here = !destination.is_resolved() && cx.is_here(&destination.real_server);
        if !destination.is_resolved() && !is_here {
            return cx.unresolved(
                destination.real_server.address,
                destination.real_server.family(),
                PuntReason::LocalDestination,
            );
        }
        cx.counters.destination(id).bytes_in.add(data_len(packet));
        if is_here {
            return local::send_later_here(frame, packet, hit);
        }
        // Nobody is told of what happens to later fragments (RFC 1122 section 3.2.2).
        if packet.ttl <= 1 {
            return Verdict::Drop(DropReason::TtlExceeded);
        }
        let method = hit.control.method();
        let is_long = packet.ip_len > longest(&destination.real_server, method);
        if is_long && !may_be_cut(cx, packet, method) {
            return Verdict::Drop(DropReason::TooBig);
        }
        let verdict = if method == ForwardMethod::Nat {
            let to = translation::request(hit.entry, None);
            nat::rewrite_address(frame, packet, &to, &destination.real_server.ethernet);
            Verdict::Forward(destination.real_server.port)
        } else {
            self.send_whole(cx, frame, packet, &destination.real_server, hit.entry)
        };
        if is_long { self.cut(verdict, destination.real_server.mtu) } else { verdict }
    }

    fn later_outbound<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet, hit: Hit<'_>) -> Verdict {
        let (to, family) = (packet.key.destination(), packet.key.family());
        let hop = match cx.way_to(to, family, PuntReason::LocalDestination) {
            Ok(hop) => hop,
            Err(verdict) => return verdict,
        };
        if packet.ttl <= 1 {
            return Verdict::Drop(DropReason::TtlExceeded);
        }
        let is_long = packet.ip_len > hop.mtu;
        if is_long && packet.dont_fragment {
            return Verdict::Drop(DropReason::TooBig);
        }
        if hit.control.method() == ForwardMethod::Nat {
            nat::rewrite_address(frame, packet, &translation::reply(hit.entry, None), &hop.ethernet);
        } else {
            dr::request(frame, packet, &hop.ethernet);
        }
        let (id, generation) = hit.entry.destination_id();
        if cx.snapshot.destinations.get(id).serves(generation) {
            cx.counters.destination(id).bytes_out.add(data_len(packet));
        }
        let verdict = Verdict::Forward(hop.port);
        if is_long { self.cut(verdict, hop.mtu) } else { verdict }
    }
}

/// Which datagram a frame is a fragment of.
pub(super) fn name(shared: &Shared, frame: &impl Frame) -> Option<DatagramName> {
    let mut packet = Packet::default();
    if parse_any(frame.bytes(), &mut packet) != Kind::Fragment {
        return None;
    }
    let fragment = fragment::describe(frame.bytes(), &mut packet)?;
    Some(DatagramName::new(shared.hasher(), &packet.key, fragment.id))
}

/// Whether a fragment may be of a packet that the director forwards.
fn concerns(snapshot: &Snapshot, key: &FlowKey) -> bool {
    let services = &snapshot.services;
    let is_to_one = services.are_marked() || services.has_vip(key.destination(), key.family());
    let is_to_one = is_to_one && !snapshot.stands_aside;
    parse::has_ports(key.protocol()) && (is_to_one || is_reply(snapshot, key))
}

/// Whether it may be of a reply that NAT has to translate. The kernel would route it on with the real server's own address.
fn is_reply(snapshot: &Snapshot, key: &FlowKey) -> bool {
    snapshot.translated.contains(key.source(), key.family())
        && snapshot.network.lookup(key.destination(), key.family()) != Lookup::Local
}

/// Whether a fragment's packet would need another checksum of SCTP: it is computed from the whole packet, which is nowhere.
fn leaves_unsummed(cx: &Context<'_>, packet: &Packet) -> bool {
    let key = &packet.key;
    key.protocol() == parse::SCTP
        && cx.shared.table.search(cx.shared.table.home(key), key).is_some_and(|hit| {
            let ((_, virtual_port), (_, port)) = (hit.entry.vip(), hit.entry.destination());
            hit.control.method() == ForwardMethod::Nat && virtual_port != port
        })
}

/// IPVS counts datagrams: the first fragment as a packet, and of those that follow what they add to it (ipvs-facts C.7).
fn data_len(packet: &Packet) -> u64 {
    u64::from(packet.ip_len - (packet.l4 - packet.l3))
}
