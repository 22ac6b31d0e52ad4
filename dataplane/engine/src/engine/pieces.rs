//! Packets longer than the way to their next hop takes: cut into fragments, if they may be (ipvs-facts C.3, C.5).

use ulvs_model::ForwardMethod;
use ulvs_wire::{Family, Packet};

use crate::conn::Entry;
use crate::forward::{dr, nat};
use crate::frame::Frame;
use crate::snapshot::RealServerView;
use crate::verdict::Verdict;

use super::tunnel::tunnel_mtu;
use super::{BURST, Context, Own, translation};

/// How a frame is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pieces {
    /// The longest IP packet.
    pub mtu: u16,
    /// Identification of an IPv6 packet, which has none before it is cut.
    pub id: u32,
}

impl Own {
    /// The packet is longer than the way to its destination takes: `longest`, without a tunnel's headers.
    #[cold]
    pub(super) fn too_long<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        real_server: &RealServerView,
        entry: &Entry,
        longest: u16,
    ) -> Verdict {
        let method = entry.control().method();
        if !may_be_cut(cx, packet, method) {
            return self.too_big(cx, frame, packet, longest);
        }
        let verdict = self.send_whole(cx, frame, packet, real_server, entry);
        self.cut(verdict, real_server.mtu)
    }

    /// Sends a packet to its destination, however long it is.
    pub(super) fn send_whole<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        real_server: &RealServerView,
        entry: &Entry,
    ) -> Verdict {
        match entry.control().method() {
            ForwardMethod::Tun => return self.encapsulate_any(cx, frame, packet, real_server),
            ForwardMethod::Dr => dr::request(frame, packet, &real_server.ethernet),
            ForwardMethod::Nat => {
                let rewrite = translation::request(entry, None);
                nat::rewrite(frame, packet, &rewrite, &real_server.ethernet);
            }
        }
        Verdict::Forward(real_server.port)
    }

    /// Has a packet that is to be forwarded cut into fragments.
    #[cold]
    pub(super) fn cut(&mut self, verdict: Verdict, mtu: u16) -> Verdict {
        let Verdict::Forward(port) = verdict else { return verdict };
        debug_assert!(self.cuts.len() < BURST, "one for each frame at most");
        self.next_fragment_id = self.next_fragment_id.wrapping_add(self.ip_id_step.into());
        self.cuts.push(Pieces { mtu, id: self.next_fragment_id });
        Verdict::Fragment(port)
    }
}

/// Whether a packet to its destination may be fragmented: IPv4 without DF, and in tunnels without path MTU discovery.
pub(super) fn may_be_cut(cx: &Context<'_>, packet: &Packet, method: ForwardMethod) -> bool {
    let ignores_df = method == ForwardMethod::Tun && cx.snapshot.sysctls.pmtu_disc == 0;
    packet.key.family() == Family::V4 && (!packet.dont_fragment || ignores_df)
}

/// The longest packet that a destination can be sent by this method.
pub(super) fn longest(real_server: &RealServerView, method: ForwardMethod) -> u16 {
    match method {
        ForwardMethod::Tun => tunnel_mtu(real_server, real_server.mtu).unwrap_or(0),
        ForwardMethod::Nat | ForwardMethod::Dr => real_server.mtu,
    }
}
