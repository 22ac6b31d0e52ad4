//! Health checks of real servers: what is asked, when, and what follows from the answers.
//!
//! - [`Health`], [`Pace`], [`Follower`], [`SlowStart`], [`Quorum`]: what is decided, without I/O and without a clock.
//! - [`Pool`]: what the opinions of all real servers of a service come to.
//! - [`Judge`]: these together, as one check's opinion of one real server; [`Round`]: the same from probe to probe.
//! - [`probe`]: the questions, each bounded in bytes; the caller bounds their time.
//! - [`Runner`]: asks, on a thread of its own, and tells what has changed.

mod health;
mod judge;
mod pace;
mod pool;
pub mod probe;
mod quorum;
mod round;
mod runner;
mod share;
#[cfg(test)]
mod virtual_time;
mod watch;

pub use health::Health;
pub use judge::{Judge, Opinion};
pub use pace::Pace;
pub use pool::{News, Outcome, Policy, Pool, Verdict};
pub use quorum::Quorum;
pub use round::Round;
pub use runner::Runner;
pub use share::{Follower, Share, SlowStart};
pub use watch::{Event, Id, Standing, Watched};
