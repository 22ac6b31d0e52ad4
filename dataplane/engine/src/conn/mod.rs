//! The connection table: 128-byte entries, a lock-free sharded index, lazy expiry.
//!
//! Any worker may find, make, change or end any connection, because replies of NAT arrive on another queue than requests.
//! No packet of an existing connection executes a locked instruction unless the connection's state changes.

mod ahead;
mod call_id;
mod control;
mod copied;
mod ending;
mod entry;
mod index;
mod limbo;
mod listed;
mod local;
#[cfg(all(test, loom))]
mod loom_model;
mod one_packet;
mod peek;
mod pool;
mod quiescence;
mod shift;
mod table;
mod template;
#[cfg(all(test, not(loom)))]
mod tests;
mod tuple;

pub use ahead::Ahead;
pub use call_id::CallId;
pub(crate) use control::Control;
pub(crate) use entry::Entry;
pub use entry::{ConnId, Direction, Helper, NewConnection, Role};
pub(crate) use index::Home;
pub use listed::Connection;
pub(crate) use local::Local;
pub(crate) use shift::Shift;
pub use table::Table;
pub(crate) use table::{Guess, Hit, Refused};
pub(crate) use template::{Contended, Template};
