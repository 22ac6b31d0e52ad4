//! How a connection is made whose destination is known.

use ulvs_wire::{FlowKey, Packet};

use crate::conn::{Hit, Home, NewConnection, Refused, Role};
use crate::frame::Frame;
use crate::proto::State;
use crate::verdict::Verdict;

use super::schedule::{Choice, first_state, new, refused};
use super::state::assure;
use super::{Context, Own};

impl Own {
    /// Makes a scheduled connection, and sends its first packet.
    #[inline(always)]
    pub(super) fn open<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        choice: Choice<'_>,
    ) -> Verdict {
        let id = choice.destination;
        let destination = choice.view;
        let state = first_state(cx, packet, choice.method);
        match self.connect(cx, &packet.key, home, choice, (state, cx.snapshot.timeouts.of(state))) {
            Ok(hit) if destination.is_resolved() => {
                let way = self.send(cx, frame, packet, id, destination, hit);
                self.verdict_of(way)
            }
            Ok(hit) => self.send_elsewhere(cx, frame, packet, &destination.real_server, hit),
            Err(Refused::Exists) => match cx.shared.table.search(home, &packet.key) {
                Some(hit) => self.go_on(cx, frame, packet, home, hit),
                None => refused(Refused::Exists),
            },
            Err(why) => refused(why),
        }
    }

    /// The same, of a choice of which nothing is known where it was made.
    #[inline(never)]
    pub(super) fn open_any<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        choice: Choice<'_>,
    ) -> Verdict {
        self.open(cx, frame, packet, home, choice)
    }

    /// Makes the connection of a choice, in a state that ends after so many ticks.
    #[inline(always)]
    pub(super) fn connect<'a>(
        &mut self,
        cx: &Context<'a>,
        key: &FlowKey,
        home: Home,
        choice: Choice<'_>,
        begin: (State, u32),
    ) -> Result<Hit<'a>, Refused> {
        let made = self.insert(cx, key, home, choice, begin);
        match (&made, choice.role) {
            (Ok(_), _) => cx.counters.connections(choice.destination).add(1),
            (Err(_), Role::Controlled(template)) => drop(cx.shared.table.let_go(template)),
            (Err(_), _) => {}
        }
        made
    }

    /// The same, of one that was announced: the scheduler has no part in it, and it is not counted as one of the service's.
    #[inline(always)]
    pub(super) fn insert<'a>(
        &mut self,
        cx: &Context<'a>,
        key: &FlowKey,
        home: Home,
        choice: Choice<'_>,
        (state, timeout): (State, u32),
    ) -> Result<Hit<'a>, Refused> {
        if !self.local.can_retire() {
            return Err(Refused::Full);
        }
        let helper = cx.helper_of(key, choice.method);
        let paired = cx.snapshot.destinations.has_pair_of(key, choice.destination, choice.view.generation());
        let new = NewConnection { helper, paired, ..new(*key, choice) };
        // Counted before it can be found, for it can be ended as soon as it is.
        cx.shared.live.opened(new.destination, state.is_active());
        let made = cx.shared.table.make(&mut self.local, (home, key), &new, (state, timeout), cx.now);
        let hit = match made {
            Ok(hit) => hit,
            Err(why) => {
                cx.shared.live.ended(new.destination, state.is_active());
                return Err(why);
            }
        };
        cx.counters.connections_made.add(1);
        if choice.role != Role::Single && state.is_established() {
            assure(cx.shared, hit.entry);
        }
        Ok(hit)
    }
}
