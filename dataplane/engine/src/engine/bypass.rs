//! What there is no real server for goes on to where it was sent, by IPVS's sysctl `cache_bypass` (ipvs-facts B.5.3): a
//! director in front of transparent caches, none of which is up.
//!
//! IPVS makes a connection for it. Here the route says as much, for each packet.

use ulvs_wire::Packet;

use crate::forward::{self, dr, icmp_error::Error};
use crate::frame::Frame;
use crate::snapshot::ServiceView;
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::{Context, Own};

impl Own {
    /// Sends a packet on by the route to its own destination. `None`: the sysctl is off, the service is not by mark, or the
    /// address is the director's own.
    #[cold]
    pub(super) fn bypass<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        service: &ServiceView,
    ) -> Option<Verdict> {
        if cx.snapshot.sysctls.cache_bypass == 0 || !service.is_marked() {
            return None;
        }
        let hop = match cx.way_to(packet.key.destination(), packet.key.family(), PuntReason::NotAService) {
            Ok(&hop) => hop,
            Err(Verdict::Punt(_)) => return None,
            Err(Verdict::Drop(reason)) => {
                return Some(self.reject_from_director(cx, frame, packet, Error::HostUnreachable, reason));
            }
            Err(verdict) => return Some(verdict),
        };
        if packet.ttl <= 1 {
            let (error, reason) = (Error::TimeExceeded, DropReason::TtlExceeded);
            return Some(self.reject_from_director(cx, frame, packet, error, reason));
        }
        let is_long = packet.ip_len > hop.mtu;
        if is_long && packet.dont_fragment {
            forward::decrement_ttl(frame.bytes_mut(), packet);
            let (error, reason) = (Error::TooBig(hop.mtu), DropReason::TooBig);
            return Some(self.reject_from_director(cx, frame, packet, error, reason));
        }
        dr::request(frame, packet, &hop.ethernet);
        let verdict = Verdict::Forward(hop.port);
        Some(if is_long { self.cut(verdict, hop.mtu) } else { verdict })
    }
}
