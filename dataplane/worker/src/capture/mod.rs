//! Packets for whoever looks on: as they came and as they left, with what was decided about them.
//!
//! A [`Recording`] is asked for at the [`Captures`] that all workers share. Each worker is handed a recorder of its own for it,
//! which writes into a queue of a fixed size that only the recording reads: a worker never waits, and what does not fit is
//! counted. Whether anybody looks on costs a worker one load a pass and one branch a burst.

mod captures;
mod record;
mod recorder;
mod recorders;
mod recording;

pub use captures::{Captures, NoMore};
pub use record::{Part, Record};
pub use recorder::Wanted;
pub(crate) use recorders::Recorders;
pub use recording::{Recorded, Recording};
