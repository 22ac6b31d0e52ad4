//! Tunnels other than plain IP in IP: GUE, GRE, and all of them without path MTU discovery (ipvs-facts C.5).

use ulvs_wire::Packet;

use crate::conn::Entry;
use crate::forward::shim::{self, Shim};
use crate::forward::tun::{self, Tunnel};
use crate::frame::Frame;
use crate::snapshot::DestinationView;
use crate::verdict::{DropReason, Verdict};

use super::{Context, Own};

impl Own {
    /// Sends a packet through whatever tunnel its destination has, if it fits.
    #[cold]
    #[inline(never)]
    pub(super) fn tunnel_any<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        destination: &DestinationView,
        entry: &Entry,
    ) -> Verdict {
        let Some(mtu) = tunnel_mtu(destination, destination.mtu) else {
            return Verdict::Drop(DropReason::TunnelTooNarrow);
        };
        if packet.ip_len > mtu {
            return self.too_long(cx, frame, packet, destination, entry, mtu);
        }
        self.encapsulate_any(cx, frame, packet, destination)
    }

    /// Wraps a packet, however long it is.
    pub(super) fn encapsulate_any<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        destination: &DestinationView,
    ) -> Verdict {
        let tunnel = Tunnel {
            family: destination.family(),
            source: destination.tunnel_source,
            destination: destination.address,
            ethernet: destination.ethernet,
            id: self.ip_id(),
        };
        let shim = Shim {
            encapsulation: destination.encapsulation,
            hash: cx.shared.hasher().flow(&packet.key),
            keep_df: cx.snapshot.sysctls.pmtu_disc != 0,
        };
        if shim::request(frame, packet, &tunnel, &shim) {
            Verdict::Forward(destination.port)
        } else {
            Verdict::Drop(DropReason::NoHeadroom)
        }
    }
}

/// The longest packet that goes into a destination's tunnel over a way of this MTU; `None`: no tunnel must be used there.
#[expect(clippy::cast_possible_truncation, reason = "at most 12")]
pub(super) const fn tunnel_mtu(destination: &DestinationView, way: u16) -> Option<u16> {
    tun::mtu(destination.family(), way, shim::length(destination.encapsulation) as u16)
}
