//! The poll loop: one pinned thread per core that receives, forwards, hands to the kernel and transmits.
//!
//! [`PacketIo`] is the seam: [`ports::DpdkIo`] is what a director runs on, [`memory::MemoryIo`] what tests run on. What goes
//! to and comes from the kernel passes through an [`Exception`]; nothing in the loop waits for it.

pub mod capture;
pub mod exception;
pub mod heap;
mod held;
mod io;
pub mod memory;
mod outlet;
pub mod ports;
mod run;
mod waiting;
mod worker;

pub use exception::{Exception, TapCounters};
pub use io::{Burst, PacketIo, PacketOf};
pub use run::{PollMode, StartError, Tsc, Wall, run, start};
pub use waiting::Patience;
pub use worker::Worker;
