//! Looking for a connection without being a packet of it.

use ulvs_wire::FlowKey;

use crate::time::Ticks;

use super::control::Life;
use super::table::{Hit, Table};

impl Table {
    /// The connection that packets with this key belong to, if its time has not run out. Unlike
    /// [`search`](Self::search) it changes nothing: whoever looks here keeps no connection alive.
    pub(crate) fn peek(&self, key: &FlowKey, now: Ticks) -> Option<Hit<'_>> {
        let mut hit = None;
        self.index.find(self.home(key), |id| {
            let entry = &self.entries[id as usize];
            hit = entry.matches(key).and_then(|(direction, control)| {
                let lives = control.life() == Life::Live && entry.has_time(now);
                lives.then_some(Hit { entry, direction, control, pair: None })
            });
            hit.is_some()
        });
        hit
    }
}
