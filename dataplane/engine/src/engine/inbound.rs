//! Packets of existing connections from clients (ipvs-facts B.5).

use ulvs_model::ForwardMethod;
use ulvs_wire::{Packet, parse, tcp};

use crate::conn::{Control, Hit, Home};
use crate::forward::icmp_error::Error;
use crate::forward::nat::{End, Rewrite};
use crate::forward::tun::Tunnel;
use crate::forward::{dr, nat, tun};
use crate::frame::Frame;
use crate::proto::State;
use crate::snapshot::{DestinationId, DestinationView, Snapshot};
use crate::time::Ticks;
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::Engine;

impl Engine {
    pub(super) fn inbound<F: Frame>(
        &mut self,
        snapshot: &Snapshot,
        now: Ticks,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        hit: Hit,
    ) -> Verdict {
        if is_reused(packet, hit.control) && self.end(hit.id) {
            return self.schedule(snapshot, now, frame, packet, home);
        }
        let (id, generation) = self.shared.table.entry(hit.id).destination_id();
        let destination = snapshot.destinations.get(id);
        if !destination.serves(generation) {
            if !snapshot.services.any_of(packet.key.family) {
                return Verdict::Punt(PuntReason::NotAService);
            }
            // Silently, and the timer runs on: the connection resumes if the destination comes back (B.5.6).
            return Verdict::Drop(DropReason::DestinationRemoved);
        }
        if !destination.is_resolved() {
            return self.unreachable(snapshot, now, frame, packet, destination);
        }
        self.advance(snapshot, now, packet, hit);
        self.send(snapshot, now, frame, packet, id, destination, hit)
    }

    /// Counts the packet and sends it to its destination, which is known to be reachable.
    #[expect(clippy::too_many_arguments, reason = "all of it is at hand and in registers")]
    pub(super) fn send<F: Frame>(
        &mut self,
        snapshot: &Snapshot,
        now: Ticks,
        frame: &mut F,
        packet: &Packet,
        id: DestinationId,
        destination: &DestinationView,
        hit: Hit,
    ) -> Verdict {
        let counters = self.counters().destination(id);
        counters.packets_in.add(1);
        counters.bytes_in.add(u64::from(packet.ip_len));
        let method = hit.control.method();
        if packet.ttl <= 1 {
            return self.reject_to_client(snapshot, now, frame, packet, Error::TimeExceeded, DropReason::TtlExceeded);
        }
        let overhead = if method == ForwardMethod::Tun { tun::overhead(destination.family()) } else { 0 };
        let mtu = destination.mtu.saturating_sub(overhead);
        if packet.ip_len > mtu {
            return self.too_big(snapshot, now, frame, packet, mtu);
        }
        let entry = self.shared.table.entry(hit.id);
        match method {
            ForwardMethod::Nat => {
                let (address, port) = entry.destination();
                let rewrite = Rewrite { end: End::Destination, address, port, deltas: entry.deltas() };
                nat::rewrite(frame, packet, &rewrite, destination.ethernet);
            }
            ForwardMethod::Dr => dr::request(frame, packet, destination.ethernet),
            ForwardMethod::Tun => {
                let tunnel = Tunnel {
                    family: destination.family(),
                    source: destination.tunnel_source,
                    destination: destination.address,
                    ethernet: destination.ethernet,
                    id: self.ip_id(),
                };
                if !tun::request(frame, packet, &tunnel) {
                    return Verdict::Drop(DropReason::NoHeadroom);
                }
            }
        }
        Verdict::Forward(destination.port)
    }

    #[inline]
    pub(super) fn ip_id(&mut self) -> u16 {
        self.next_ip_id = self.next_ip_id.wrapping_add(self.ip_id_step);
        self.next_ip_id
    }
}

/// A client that uses its port again: a SYN for a connection that is all but over (B.5.5, `conn_reuse_mode` 1).
#[inline]
fn is_reused(packet: &Packet, control: Control) -> bool {
    packet.key.protocol == parse::TCP
        && packet.tcp_flags & tcp::SYN != 0
        && matches!(control.state(), State::TimeWait | State::Close)
}
