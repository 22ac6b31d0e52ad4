//! What needs a look inside the engine.

mod tcp_states;
