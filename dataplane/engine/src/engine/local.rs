//! Real servers that are the director itself: their packets go to the kernel's stack, with NAT after their rewriting, and what
//! that answers is translated as it leaves (ipvs-facts C.2, C.5).
//!
//! Nothing is routed here: TTL and hardware addresses stay, and no MTU is in the way. The kernel has its own.

use ulvs_model::ForwardMethod;
use ulvs_wire::fragment::{self, Fragment};
use ulvs_wire::{Kind, Packet, Quoted, icmp, parse, parse_any};

use crate::conn::{Direction, Hit};
use crate::datagrams::DatagramName;
use crate::forward::nat::{self, End};
use crate::forward::quote::{self, Translation};
use crate::forward::unrouted;
use crate::frame::Frame;
use crate::proto::TcpStates;
use crate::snapshot::{Lookup, PortId, RealServerView, Snapshot};
use crate::time::Ticks;
use crate::verdict::{PuntReason, Verdict};

use super::ipsec::followed;
use super::state::advance;
use super::{Context, Engine, Own, translation};

impl Engine {
    /// Makes of a frame that the kernel sends out of `port` what the client is to see, if it is a reply of a real server that is
    /// the director itself. All others stay as they are.
    #[cold]
    pub fn translate_reply<F: Frame>(&self, snapshot: &Snapshot, now: Ticks, port: PortId, frame: &mut F) {
        let counters = self.counters();
        let tcp = TcpStates::of(snapshot.defence.secure_tcp);
        let cx = Context { shared: &self.shared, snapshot, counters, now, ingress: port, tcp, any_v6: true };
        let mut packet = Packet::default();
        match parse_any(frame.bytes(), &mut packet) {
            Kind::Flow if cx.may_be_of_one(&packet) => cx.reply_from_here(frame, &packet),
            Kind::Fragment if cx.may_be_of_one(&packet) => cx.fragment_from_here(frame, &mut packet),
            Kind::Icmp if snapshot.services.any_of(packet.key.family()) => cx.error_from_here(frame, &packet),
            _ => {}
        }
    }
}

impl Own {
    /// A connection's first packet, or one that is no longer any's, for a destination that can't be forwarded to.
    #[cold]
    pub(super) fn send_elsewhere<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        real_server: &RealServerView,
        hit: Hit<'_>,
    ) -> Verdict {
        if cx.is_here(real_server) {
            cx.send_here(frame, packet, hit)
        } else {
            self.unreachable(cx, frame, packet, real_server)
        }
    }
}

impl Context<'_> {
    /// Whether a destination is the director itself.
    pub(super) fn is_here(&self, real_server: &RealServerView) -> bool {
        self.snapshot.network.lookup(real_server.address, real_server.family()) == Lookup::Local
    }

    /// A packet for the director's own stack: counted, with NAT rewritten.
    pub(super) fn send_here<F: Frame>(&self, frame: &mut F, packet: &Packet, hit: Hit<'_>) -> Verdict {
        let counters = self.counters.destination(hit.entry.destination_id().0);
        counters.packets_in.add(1);
        counters.bytes_in.add(u64::from(packet.ip_len));
        if hit.control.method() == ForwardMethod::Nat {
            let to = translation::request(hit.entry, None);
            unrouted(frame, packet, |frame, ethernet| nat::rewrite(frame, packet, &to, ethernet));
        }
        Verdict::Punt(PuntReason::LocalDestination)
    }

    /// Whether a packet of the kernel's may be of a real server on the director.
    fn may_be_of_one(&self, packet: &Packet) -> bool {
        let (from, family) = (packet.key.source(), packet.key.family());
        let Snapshot { services, translated, .. } = self.snapshot;
        // Without services of the family there is nothing of IPVS in a packet's way (ipvs-facts B.2).
        services.any_of(family) && (translated.contains(from, family) || services.has_vip(from, family))
    }

    fn reply_from_here<F: Frame>(&self, frame: &mut F, packet: &Packet) {
        let Some(hit) = self.reply_of(packet) else { return };
        if hit.control.method() == ForwardMethod::Nat {
            let to = translation::reply(hit.entry, None);
            unrouted(frame, packet, |frame, ethernet| nat::rewrite(frame, packet, &to, ethernet));
        }
        self.count_reply(hit, 1, u64::from(packet.ip_len));
        advance(self, packet, hit);
    }

    /// The first fragment comes first: the kernel has cut the packet itself.
    fn fragment_from_here<F: Frame>(&self, frame: &mut F, packet: &mut Packet) {
        let Some(fragment) = fragment::describe(frame.bytes(), packet) else { return };
        let name = DatagramName::new(self.shared.hasher(), &packet.key, fragment.id);
        let Fragment { offset, more, .. } = fragment;
        if offset == 0 {
            if let Some(known) = self.shared.datagrams.begin(name, packet.key.wire_ports(), self.now) {
                known.come(fragment.units(), !more);
            }
            return self.reply_from_here(frame, packet);
        }
        let Some(known) = self.shared.datagrams.find(name, self.now) else { return };
        known.come(fragment.units(), !more);
        packet.key.set_ports(known.ports);
        let Some(hit) = self.reply_of(packet) else { return };
        if hit.control.method() == ForwardMethod::Nat {
            let to = translation::reply(hit.entry, None);
            unrouted(frame, packet, |frame, ethernet| nat::rewrite_address(frame, packet, &to, ethernet));
        }
        self.count_reply(hit, 0, u64::from(packet.ip_len - (packet.l4 - packet.l3)));
    }

    /// An error of the director's stack about a request that it got.
    fn error_from_here<F: Frame>(&self, frame: &mut F, packet: &Packet) {
        let family = packet.key.family();
        let kind = frame.bytes().get(usize::from(packet.l4)).copied();
        if !kind.is_some_and(|kind| icmp::is_error(kind, family)) {
            return;
        }
        let Some(quoted) = Quoted::of(frame.bytes(), packet) else { return };
        let found = self.shared.table.peek(&followed(&quoted.key).reversed(), self.now);
        let Some(hit) = found.filter(|hit| hit.direction == Direction::Out) else { return };
        if hit.control.method() == ForwardMethod::Nat {
            if !quote::verifies(frame, packet) {
                return;
            }
            let (address, port) = hit.entry.vip();
            let to = Translation { end: End::Source, address, port };
            unrouted(frame, packet, |frame, ethernet| quote::translate(frame, packet, &quoted, &to, ethernet));
        }
        self.count_reply(hit, 1, u64::from(packet.ip_len));
    }

    /// The connection that a packet of the kernel's is a reply of.
    fn reply_of(&self, packet: &Packet) -> Option<Hit<'_>> {
        let key = &packet.key;
        let hit = self.shared.table.search(self.shared.table.home(key), key)?;
        let is_reply =
            hit.direction == Direction::Out && hit.entry.has_time(self.now) && parse::has_ports(key.protocol());
        is_reply.then_some(hit)
    }

    fn count_reply(&self, hit: Hit<'_>, packets: u64, bytes: u64) {
        let (id, generation) = hit.entry.destination_id();
        if self.snapshot.destinations.get(id).serves(generation) {
            let counters = self.counters.destination(id);
            counters.packets_out.add(packets);
            counters.bytes_out.add(bytes);
        }
    }
}

/// A later fragment for the director's own stack.
pub(super) fn send_later_here<F: Frame>(frame: &mut F, packet: &Packet, hit: Hit<'_>) -> Verdict {
    if hit.control.method() == ForwardMethod::Nat {
        let to = translation::request(hit.entry, None);
        unrouted(frame, packet, |frame, ethernet| nat::rewrite_address(frame, packet, &to, ethernet));
    }
    Verdict::Punt(PuntReason::LocalDestination)
}

/// An ICMP error for the director's own stack, which was verified if it is to be translated.
pub(super) fn send_error_here<F: Frame>(frame: &mut F, packet: &Packet, quoted: &Quoted, hit: Hit<'_>) -> Verdict {
    if hit.control.method() == ForwardMethod::Nat {
        let (address, port) = hit.entry.destination();
        let to = Translation { end: End::Destination, address, port };
        unrouted(frame, packet, |frame, ethernet| quote::translate(frame, packet, quoted, &to, ethernet));
    }
    Verdict::Punt(PuntReason::Icmp)
}
