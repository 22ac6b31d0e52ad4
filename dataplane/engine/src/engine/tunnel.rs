//! Tunnels other than plain IP in IP: GUE, GRE, and all of them without path MTU discovery (ipvs-facts C.5).

use ulvs_wire::Packet;

use crate::conn::Entry;
use crate::forward::shim::{self, Shim};
use crate::forward::tun::{self, Tunnel};
use crate::frame::Frame;
use crate::snapshot::RealServerView;
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
        real_server: &RealServerView,
        entry: &Entry,
    ) -> Verdict {
        let Some(mtu) = tunnel_mtu(real_server, real_server.mtu) else {
            return Verdict::Drop(DropReason::TunnelTooNarrow);
        };
        if packet.ip_len > mtu {
            return self.too_long(cx, frame, packet, real_server, entry, mtu);
        }
        self.encapsulate_any(cx, frame, packet, real_server)
    }

    /// Wraps a packet, however long it is.
    pub(super) fn encapsulate_any<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        real_server: &RealServerView,
    ) -> Verdict {
        let tunnel = Tunnel {
            family: real_server.family(),
            source: real_server.tunnel_source,
            destination: real_server.address,
            ethernet: real_server.ethernet,
            id: self.ip_id(),
        };
        let shim = Shim {
            encapsulation: real_server.encapsulation,
            hash: cx.shared.hasher().flow(&packet.key),
            keep_df: cx.snapshot.sysctls.pmtu_disc != 0,
        };
        if shim::request(frame, packet, &tunnel, &shim) {
            Verdict::Forward(real_server.port)
        } else {
            Verdict::Drop(DropReason::NoHeadroom)
        }
    }
}

/// The longest packet that goes into a destination's tunnel over a way of this MTU; `None`: no tunnel must be used there.
#[expect(clippy::cast_possible_truncation, reason = "at most 12")]
pub(super) const fn tunnel_mtu(real_server: &RealServerView, way: u16) -> Option<u16> {
    tun::mtu(real_server.family(), way, shim::length(real_server.encapsulation) as u16)
}
