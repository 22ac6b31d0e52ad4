//! ICMP errors from the way of a tunnel: they quote the director's own outer packet, and the client is told what became of
//! the packet inside (ipvs-facts C.6; RFC 2003 section 4, RFC 2473 section 8).

use ulvs_model::{Encapsulation, ForwardMethod};
use ulvs_wire::{Family, Packet, Quoted, icmp, parse, quoted};

use crate::conn::{Direction, Hit};
use crate::forward::icmp_error::Error;
use crate::forward::{quote, shim, tun};
use crate::frame::Frame;
use crate::shared::LearnedMtu;
use crate::snapshot::{Lookup, RealServerView};
use crate::verdict::{DropReason, Verdict};

use super::tunnel::tunnel_mtu;
use super::{Context, Own};

/// Below this nobody's word counts for the MTU of a way: the kernel's `min_pmtu`, and IPv6's minimum MTU.
const LEAST_PATH_MTU_V4: u16 = 552;
const LEAST_PATH_MTU_V6: u16 = 1280;

impl Own {
    /// Tells the client what `quoted`, an outer packet of a tunnel, met with. `None`: it is none of the director's tunnels.
    pub(super) fn tunnel_error<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        quoted: &Quoted,
    ) -> Option<Verdict> {
        // Every packet of a tunnel comes from the director, and so every error about one goes to it.
        if cx.snapshot.network.lookup(packet.key.destination(), packet.key.family()) != Lookup::Local {
            return None;
        }
        let bytes = quoted::within(frame.bytes(), packet)?;
        let inside = tun::inside(bytes, quoted)?;
        let inner = Quoted::at(bytes, inside.at, inside.family)?;
        let hit = cx.shared.table.peek(&inner.key, cx.now)?;
        let destination = far_end(cx, hit, quoted)?;
        if !quote::verifies(frame, packet) {
            return Some(Verdict::Drop(DropReason::BadIcmpChecksum));
        }
        let told = told(frame, packet, &inner, destination)?;
        if let Told::TooBig { way, .. } = told {
            let (id, generation) = hit.entry.destination_id();
            cx.shared.learned(LearnedMtu { destination: id, generation, mtu: way });
        }
        Some(self.relay(cx, frame, packet, &inner, told))
    }

    /// Sends the client an error about `inner`, in the name of the virtual address.
    fn relay<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        inner: &Quoted,
        told: Told,
    ) -> Verdict {
        let reason = DropReason::TunnelError;
        let error = match told {
            // A client that does not ask for it has its packets fragmented.
            Told::TooBig { .. } if !inner.dont_fragment => return Verdict::Drop(reason),
            Told::TooBig { tunnel, .. } => Error::TooBig(tunnel),
            Told::As { kind, code } => Error::Relayed { kind, code },
        };
        let end = usize::from(packet.l3) + usize::from(packet.ip_len);
        // What the router quoted of it, at the beginning of the frame: the outer headers that stood there were longer.
        frame.truncate(end);
        let start = usize::from(packet.l3);
        frame.bytes_mut().copy_within(usize::from(inner.l3).., start);
        let len = end - usize::from(inner.l3);
        frame.truncate(start + len);
        let Ok(ip_len) = u16::try_from(len) else { return Verdict::Drop(reason) };
        let offender = Packet { key: inner.key, l3: packet.l3, ip_len, ..Packet::default() };
        self.reject_to_client(cx, frame, &offender, error, reason)
    }
}

/// What the client is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    /// The outer packet was longer than the way to the real server takes, and how long packets may be in the tunnel.
    TooBig { way: u16, tunnel: u16 },
    /// The same as the director was.
    As { kind: u8, code: u8 },
}

/// The destination of the connection, if the outer packet was sent to it.
fn far_end<'a>(cx: &Context<'a>, hit: Hit<'_>, outer: &Quoted) -> Option<&'a RealServerView> {
    let (id, generation) = hit.entry.destination_id();
    let destination = cx.snapshot.destinations.get(id);
    let real_server = &*destination.real_server;
    let kind = match real_server.encapsulation {
        Encapsulation::IpIp => matches!(outer.key.protocol(), tun::IPV4_IN_IP | tun::IPV6_IN_IP),
        Encapsulation::Gue { port, .. } => (outer.key.protocol(), outer.key.destination_port()) == (parse::UDP, port),
        Encapsulation::Gre { .. } => outer.key.protocol() == shim::GRE,
    };
    let is_it = kind
        && hit.direction == Direction::In
        && hit.control.method() == ForwardMethod::Tun
        && destination.generation() == generation
        && (real_server.address, real_server.family()) == (outer.key.destination(), outer.key.family());
    is_it.then_some(real_server)
}

fn told(frame: &impl Frame, packet: &Packet, inner: &Quoted, real_server: &RealServerView) -> Option<Told> {
    let &[kind, code, _, _, a, b, c, d] =
        frame.bytes().get(usize::from(packet.l4)..)?.first_chunk::<{ icmp::HEADER_LEN }>()?;
    let outer = packet.key.family();
    let said = match (outer, kind, code) {
        (Family::V4, icmp::UNREACHABLE, icmp::FRAGMENTATION_NEEDED) => u32::from(u16::from_be_bytes([c, d])),
        (Family::V6, icmp::PACKET_TOO_BIG, _) => u32::from_be_bytes([a, b, c, d]),
        // Errors of one family say little in the other.
        _ => return (outer == inner.key.family()).then_some(Told::As { kind, code }),
    };
    let way = path_mtu(outer, said, real_server.mtu);
    Some(Told::TooBig { way, tunnel: tunnel_mtu(real_server, way)? })
}

/// What a router may make of the MTU of a way (RFC 1191 section 3, RFC 8201 section 4): the kernel's least in IPv4 too.
fn path_mtu(family: Family, said: u32, now: u16) -> u16 {
    let least = match family {
        Family::V4 => LEAST_PATH_MTU_V4,
        Family::V6 => LEAST_PATH_MTU_V6,
    };
    u16::try_from(said).unwrap_or(u16::MAX).clamp(least.min(now), now)
}
