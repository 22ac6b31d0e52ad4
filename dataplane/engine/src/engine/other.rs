//! What is no flow for the director: its own handling, or the kernel's.

use ulvs_wire::{Kind, Malformed, Packet, ethernet, parse_any};

use crate::frame::Frame;
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::ipsec::is_ipsec;
use super::{Context, Own};

impl Own {
    /// Decides about a frame that is no flow. It is parsed again: to keep what it is would cost every flow a store.
    #[cold]
    #[inline(never)]
    pub(super) fn other<F: Frame>(&mut self, cx: &Context<'_>, frame: &mut F) -> Verdict {
        let mac = cx.snapshot.network.port(cx.ingress).map_or([0; 6], |port| port.mac);
        let to: ethernet::Mac = frame.bytes().first_chunk().copied().unwrap_or_default();
        let mut packet = Packet::default();
        match parse_any(frame.bytes(), &mut packet) {
            Kind::Malformed(how) => Verdict::Drop(match how {
                Malformed::Truncated => DropReason::Truncated,
                Malformed::BadIpHeader => DropReason::BadIpHeader,
                Malformed::BadIpChecksum => DropReason::BadIpChecksum,
                Malformed::BadTransportHeader => DropReason::BadTransportHeader,
            }),
            _ if to != mac && !ethernet::is_group(to) => Verdict::Drop(DropReason::OtherHost),
            Kind::Arp => Verdict::Punt(PuntReason::Arp),
            Kind::Icmp if to == mac => self.icmp(cx, frame, &packet),
            Kind::Icmp => Verdict::Punt(PuntReason::Icmp),
            Kind::OtherEtherType => Verdict::Punt(PuntReason::OtherEtherType),
            Kind::OtherProtocol if to == mac && is_ipsec(&packet.key) => self.ipsec(cx, frame, &packet),
            Kind::OtherProtocol => Verdict::Punt(PuntReason::OtherProtocol),
            _ if to != mac => Verdict::Punt(PuntReason::Group),
            Kind::Fragment => self.fragment(cx, frame, &mut packet),
            Kind::Flow => Verdict::Punt(PuntReason::NotAService),
        }
    }
}
