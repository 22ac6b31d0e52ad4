//! The pure forwarding engine: packets in, verdicts out.
//!
//! No I/O, no clock, no threads and no DPDK: time is an argument, a packet is anything that is a [`Frame`]. One [`Engine`]
//! belongs to one worker; what workers share is in [`Shared`], what they forward with is a [`Snapshot`](snapshot::Snapshot)
//! that the control side compiles ([`snapshot::Compiler`]) and publishes ([`publish`]).

pub mod conn;
pub mod counters;
mod engine;
mod forward;
mod frame;
mod limit;
mod live;
mod memory;
mod prefetch;
pub mod proto;
pub mod publish;
mod sched;
mod shared;
pub mod snapshot;
mod sync;
mod time;
mod verdict;

pub use engine::{BURST, Engine};
pub use frame::{Frame, MemoryFrame};
pub use live::{LiveConnections, Load};
pub use shared::{Capacity, Shared, Unresolved};
pub use time::{TICKS_PER_SECOND, Ticks, ticks};
pub use verdict::{DropReason, PuntReason, Verdict};
