//! The pure forwarding engine: packets in, verdicts out.
//!
//! No I/O, no clock, no threads and no DPDK: time is an argument, a packet is anything that is a [`Frame`]. One [`Engine`]
//! belongs to one worker; what workers share is in [`Shared`], what they forward with is a [`Snapshot`](snapshot::Snapshot)
//! that the control side compiles ([`snapshot::Compiler`]) and publishes ([`publish`]).

// A value that a function takes or gives through memory is written in pieces and read as a whole, which stalls: it was a
// third of the engine's time before these functions were inlined.
#![allow(clippy::inline_always, reason = "measured")]

pub mod conn;
pub mod counters;
mod datagrams;
mod engine;
pub mod flows;
mod forward;
mod frame;
mod ftp;
mod limit;
mod live;
mod memory;
mod prefetch;
pub mod proto;
pub mod publish;
mod sched;
mod shared;
mod sip;
pub mod snapshot;
mod sources;
mod sync;
mod templates;
mod time;
mod verdict;

pub use datagrams::{DatagramName, Datagrams};
pub use engine::{Arrival, BURST, Engine, Pieces, Rehearsal};
pub use frame::{Frame, MemoryFrame};
pub use live::{LiveConnections, Load};
pub use shared::{Capacity, LearnedMtu, Shared, Unresolved};
pub use sources::{SourceLimit, Sources};
pub use templates::Templates;
pub use time::{TICKS_PER_SECOND, Ticks, ticks};
pub use verdict::{DropReason, PuntReason, Verdict};
