//! AH and ESP: they have no ports, and follow the connection of UDP between ports 500 that their keys were agreed by
//! (ipvs-facts B.1, C.4).

use ulvs_wire::fragment;
use ulvs_wire::{FlowKey, Packet, parse};

use crate::conn::{Direction, Hit, Home};
use crate::frame::Frame;
use crate::verdict::{PuntReason, Verdict};

use super::{Context, Own, Staged};

/// The port of IKE (RFC 7296 section 2).
const IKE: u16 = 500;

impl Own {
    /// Decides about a packet of AH or ESP: the kernel's, unless there is a connection to follow. None is made for it.
    pub(super) fn ipsec<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &Packet) -> Verdict {
        match self.followed_by(cx, packet) {
            Some((home, hit)) => {
                let way = self.forward(cx, frame, &Staged { packet: *packet, home }, hit);
                self.verdict_of(way)
            }
            None => Verdict::Punt(PuntReason::OtherProtocol),
        }
    }

    /// The same of a fragment: each has all that is needed to find the connection.
    pub(super) fn ipsec_fragment<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F, packet: &mut Packet) -> Verdict {
        let fragment = fragment::describe(frame.bytes(), packet);
        match (fragment, self.followed_by(cx, packet)) {
            (Some(fragment), Some((home, hit))) if fragment.offset == 0 => {
                let way = self.forward(cx, frame, &Staged { packet: *packet, home }, hit);
                self.verdict_of(way)
            }
            (Some(_), Some((_, hit))) => self.later(cx, frame, packet, hit),
            _ => Verdict::Punt(PuntReason::Fragment),
        }
    }

    fn followed_by<'a>(&mut self, cx: &Context<'a>, packet: &Packet) -> Option<(Home, Hit<'a>)> {
        let key = followed(&packet.key);
        let home = cx.shared.table.home(&key);
        let hit = cx.shared.table.search(home, &key)?;
        let is_ours = hit.direction == Direction::Out || !cx.snapshot.stands_aside;
        (is_ours && !self.has_expired(cx, hit)).then_some((home, hit))
    }
}

/// Whether packets with this key are of AH or ESP.
pub(super) const fn is_ipsec(key: &FlowKey) -> bool {
    matches!(key.protocol(), parse::AH | parse::ESP)
}

/// What the connection of packets with this key is found by.
pub(super) const fn followed(key: &FlowKey) -> FlowKey {
    if is_ipsec(key) {
        FlowKey::new(parse::UDP, key.family(), (key.source(), IKE), (key.destination(), IKE))
    } else {
        *key
    }
}
