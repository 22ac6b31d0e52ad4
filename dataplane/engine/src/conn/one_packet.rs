//! Connections of one packet: never in the table, so that nobody finds them (ipvs-facts B.7).

use crate::proto::State;
use crate::sync::atomic::Ordering::Relaxed;

use super::Direction;
use super::control::Control;
use super::entry::{Entry, NewConnection};
use super::table::{Hit, deltas};

impl Entry {
    /// What a packet's connection would be, outside of every table.
    pub(crate) fn of_one_packet(new: &NewConnection) -> Self {
        let entry = Self::default();
        entry.describe(new, deltas(new));
        entry.control.store(Control::new(0, new.method, State::Udp, 0).0, Relaxed);
        entry
    }

    /// The packet belongs to it.
    pub(crate) fn as_hit(&self) -> Hit<'_> {
        Hit { entry: self, direction: Direction::In, control: self.control(), pair: None }
    }
}
