//! Protocol state machines: which state a packet leads to, and how long a connection lives in it.

mod sctp;
mod state;
mod tcp;
mod timeouts;

pub use state::State;
pub(crate) use tcp::TcpStates;
pub use timeouts::Timeouts;

use ulvs_wire::parse;

/// Which way a packet goes, as the state tables tell them apart (ipvs-facts B.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Path {
    /// Client to server, and replies are seen.
    Input,
    /// Server to client.
    Output,
    /// Client to server, and no reply was seen (`NOOUTPUT`).
    InputOnly,
}

/// The state after a packet with this [signal](ulvs_wire::Packet::signal), of a connection whose state has the number `state`.
#[inline(always)]
pub(crate) fn step(protocol: u8, states: &TcpStates, path: Path, state: u8, signal: u8) -> State {
    if protocol == parse::TCP {
        states.step(path, state, signal)
    } else if protocol != parse::SCTP {
        State::Udp
    } else {
        sctp::step(path, state, signal)
    }
}
