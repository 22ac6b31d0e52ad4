//! ICMP errors about no connection, by IPVS's sysctl `schedule_icmp`: scheduled as the packet they quote would have been, so
//! that a real server sees an error about what it sent before the director forgot the connection (ipvs-facts C.6).

use ulvs_wire::{Packet, Quoted, parse};

use crate::conn::{Entry, Role};
use crate::forward::quote;
use crate::frame::Frame;
use crate::proto::State;
use crate::time::ticks;
use crate::verdict::{DropReason, PuntReason, Verdict};

use super::end::release;
use super::schedule::{Choice, is_one_packet, new, refused};
use super::{Context, Own};

/// How long a connection lives before its first packet, in ticks (ipvs-facts B.2).
const BEFORE_FIRST: u32 = ticks(3);

impl Own {
    /// Decides about an error that quotes a packet of no connection: without the sysctl or a service it is the kernel's.
    #[cold]
    #[inline(never)]
    pub(super) fn schedule_icmp<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        quoted: &Quoted,
    ) -> Verdict {
        // What is quoted went the other way.
        let request = Packet { key: quoted.key.reversed(), ..*packet };
        let is_scheduled = cx.snapshot.sysctls.schedule_icmp != 0 && parse::has_ports(request.key.protocol());
        let Some(service) = is_scheduled.then(|| cx.service_of(&request)).flatten() else {
            return Verdict::Punt(PuntReason::Icmp);
        };
        if !quote::verifies(frame, packet) {
            return Verdict::Drop(DropReason::BadIcmpChecksum);
        }
        match self.assign(cx, (&*frame, &request), service) {
            Ok(Some(choice)) if is_one_packet(service, &request.key) => {
                self.relate_once(cx, frame, packet, quoted, choice)
            }
            Ok(Some(choice)) => {
                let home = cx.shared.table.home(&request.key);
                match self.connect(cx, &request.key, home, choice, (State::None, BEFORE_FIRST)) {
                    Ok(hit) => self.related_in(cx, frame, packet, quoted, hit),
                    Err(why) => refused(why),
                }
            }
            // Nobody is told of an error about an error.
            Ok(None) => Verdict::Drop(DropReason::NoDestination),
            Err(verdict) => verdict,
        }
    }

    fn relate_once<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        quoted: &Quoted,
        choice: Choice<'_>,
    ) -> Verdict {
        let entry = Entry::of_one_packet(&new(quoted.key.reversed(), choice));
        let verdict = self.related_in(cx, frame, packet, quoted, entry.as_hit());
        if verdict != Verdict::Wait {
            cx.counters.connections(choice.destination).add(1);
        }
        if let Role::Controlled(template) = choice.role {
            release(cx.shared, template);
        }
        verdict
    }
}
