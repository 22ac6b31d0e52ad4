//! What a packet makes of its connection: the state it steps to, and the timer that starts anew (ipvs-facts B.2, B.3).

use ulvs_wire::{Packet, parse};

use crate::conn::{Control, Direction, Entry, Hit};
use crate::proto::{self, Path, State, TcpStates};
use crate::shared::Shared;

use super::Context;

/// Steps the protocol state machine and restarts the timer. Only a change of state is a locked instruction.
#[inline(always)]
pub(super) fn advance(cx: &Context<'_>, packet: &Packet, hit: Hit<'_>) {
    let event = Event { protocol: packet.key.protocol(), signal: packet.signal, direction: hit.direction };
    let next = event.step(hit.control, cx.tcp);
    let first_output = hit.direction == Direction::Out && hit.control.has(FIRST_OUTPUT);
    if next.number() != hit.control.state_number() || first_output {
        change_state(cx, hit.entry, event);
    }
    if !hit.entry.touch(cx.now, cx.snapshot.timeouts.of(next)) {
        hit.entry.set_timeout(|state| cx.snapshot.timeouts.of(state));
    }
}

/// Whether a packet surely changes nothing of its connection, as most of a busy one: the timer began anew within this tick, and the
/// state stays. It is that of UDP, or TCP's of an established connection, and the packet neither opens nor ends one; nor is it
/// the first reply. Another timeout that an operator sets is taken up within the next tick.
#[inline(always)]
pub(super) fn changes_nothing(cx: &Context<'_>, packet: &Packet, hit: Hit<'_>) -> bool {
    hit.entry.is_fresh(cx.now)
        && stays(hit.control.state_number(), packet.signal)
        && (hit.direction == Direction::In || !hit.control.has(FIRST_OUTPUT))
}

/// Whether the state with this number surely stays as it is after a packet with this signal.
#[inline(always)]
const fn stays(state: u8, signal: u8) -> bool {
    const STATES: u32 = 1 << State::Established.number() | 1 << State::Udp.number();
    STATES >> (state & 31) & 1 != 0 && signal == parse::GOES_ON
}

/// Of a connection that waits for its first reply.
const FIRST_OUTPUT: u16 = Control::NO_OUTPUT | Control::UNASSURED;

#[cold]
#[inline(never)]
fn change_state(cx: &Context<'_>, entry: &Entry, event: Event) {
    let changed = |control: Control| {
        let state = event.step(control, cx.tcp);
        // Counters follow changes of state only (ipvs-facts B.3).
        let inactive = if state == control.state() { control.has(Control::INACTIVE) } else { !state.is_active() };
        let next = control.with_state(state).with_flag(Control::INACTIVE, inactive);
        match event.direction {
            Direction::In => next,
            Direction::Out => next.with_flag(FIRST_OUTPUT, false),
        }
    };
    let swapped = entry.swap_control(|control| control.is_live().then(|| changed(control)));
    if let Some(was) = swapped {
        let (before, after) = (!was.has(Control::INACTIVE), !changed(was).has(Control::INACTIVE));
        if before != after {
            cx.shared.live.became(entry.destination_id().0, after);
        }
        let established = changed(was).state().is_established() && !was.state().is_established();
        if established || (was.has(Control::UNASSURED) && event.direction == Direction::Out) {
            assure(cx.shared, entry);
        }
    }
}

/// The template that controls a connection has proved of use: `drop_entry` and a crowded table spare it (ipvs-facts B.3, B.4).
pub(super) fn assure(shared: &Shared, entry: &Entry) {
    if let Some(template) = entry.controller() {
        let assured = |control: Control| {
            let is_template = control.has(Control::TEMPLATE);
            let may = is_template && control.is_live() && control.state() != State::Established;
            may.then(|| control.with_state(State::Established))
        };
        // `None`: it is, or it is being expelled, or it is a connection.
        let _ = shared.table.entry(template).swap_control(assured);
    }
}

/// What a packet is to the state machine. Passed by value: kept in registers, it costs the common case nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) protocol: u8,
    pub(super) signal: u8,
    pub(super) direction: Direction,
}

impl Event {
    /// The state it leads to.
    #[inline(always)]
    pub(super) fn step(self, control: Control, tcp: &TcpStates) -> State {
        let path = match self.direction {
            Direction::Out => Path::Output,
            Direction::In if control.has(Control::NO_OUTPUT) => Path::InputOnly,
            Direction::In => Path::Input,
        };
        proto::step(self.protocol, tcp, path, control.state_number(), self.signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to stay stays, by every table of the state machines.
    #[test]
    fn a_state_that_stays_is_what_it_steps_to() {
        let steps = |protocol, state: State, signal| {
            [true, false].into_iter().flat_map(move |secure| {
                [Path::Input, Path::Output, Path::InputOnly]
                    .map(|path| proto::step(protocol, TcpStates::of(secure), path, state.number(), signal))
            })
        };
        for (protocol, state) in [(parse::TCP, State::Established), (parse::UDP, State::Udp)] {
            let said = (0..=u8::MAX).filter(|signal| stays(state.number(), *signal));
            assert!(said.clone().count() > 0, "{state:?}");
            for signal in said {
                assert!(steps(protocol, state, signal).all(|next| next == state), "{state:?} {signal:#x}");
            }
        }
        // States of others are never said to stay: SCTP's signals are not flags.
        let others = State::ALL.into_iter().filter(|state| !matches!(state, State::Established | State::Udp));
        assert!(others.into_iter().all(|state| !(0..=u8::MAX).any(|signal| stays(state.number(), signal))));
    }
}
