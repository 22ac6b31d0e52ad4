//! What needs a look inside the engine.
#![cfg(not(loom))]

mod cells;
mod sctp_states;
mod tcp_states;
