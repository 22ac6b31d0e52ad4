//! One-packet scheduling: each datagram is scheduled by itself, and its connection lives no longer (ipvs-facts B.7).

use ulvs_wire::Packet;

use crate::conn::{Entry, Role};
use crate::frame::Frame;
use crate::snapshot::DestinationId;
use crate::verdict::{DropReason, Verdict};

use super::end::release;
use super::schedule::{Choice, new};
use super::{Context, Own};

impl Own {
    /// Sends a datagram where it was scheduled to. Replies of its real server belong to no connection.
    #[cold]
    pub(super) fn send_once<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        choice: Choice<'_>,
    ) -> Verdict {
        let id = choice.destination;
        let destination = choice.view;
        let verdict = if destination.is_resolved() || cx.is_here(&destination.real_server) {
            cx.counters.connections(id).add(1);
            self.sent_once = Some((id, destination.generation()));
            let entry = Entry::of_one_packet(&new(packet.key, choice));
            if destination.is_resolved() {
                let way = self.send(cx, frame, packet, id, destination, entry.as_hit());
                self.verdict_of(way)
            } else {
                cx.send_here(frame, packet, entry.as_hit())
            }
        } else {
            // It is scheduled again when it no longer has to wait.
            self.unreachable(cx, frame, packet, &destination.real_server)
        };
        if let Role::Controlled(template) = choice.role {
            release(cx.shared, template);
        }
        verdict
    }

    /// Sends a later fragment of a datagram where its first was sent.
    pub(super) fn later_once<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        (destination, generation): (DestinationId, u32),
    ) -> Verdict {
        let view = cx.snapshot.destinations.get(destination);
        if view.generation() != generation {
            return Verdict::Drop(DropReason::DestinationRemoved);
        }
        let port = if view.destination_port == 0 { packet.key.destination_port() } else { view.destination_port };
        let choice = Choice { destination, view, method: view.method, port, role: Role::Single };
        let entry = Entry::of_one_packet(&new(packet.key, choice));
        self.later(cx, frame, packet, entry.as_hit())
    }
}
