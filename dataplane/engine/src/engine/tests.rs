//! What needs a look inside the engine.
#![cfg(not(loom))]

mod tcp_states;
