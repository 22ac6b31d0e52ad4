//! What makes room in the connection table before its time: IPVS's `drop_packet`, `drop_entry` and `expire_nodest_conn`
//! (ipvs-facts B.8, B.10); and who may begin a connection at all.

use ulvs_wire::FlowKey;

use crate::conn::{ConnId, Control, Entry};
use crate::proto::State;
use crate::snapshot::{Defence, ServiceView, Snapshot, SourceLimits};
use crate::time::{TICKS_PER_SECOND, Ticks, ticks};

use super::Context;

/// The part of the table that `drop_entry` looks at in a second.
const PART: u32 = 32;
/// Datagrams' connections are spared by `drop_entry` for as long after their last packet.
const SPARED: u32 = ticks(60);

/// How far a worker is on the way to the next packet that `drop_packet` drops.
#[derive(Debug, Default)]
pub(super) struct DropRate {
    rate: u32,
    left: u32,
}

impl DropRate {
    /// Whether this packet, which would open a connection, is to be dropped.
    pub(super) fn drops(&mut self, defence: Defence) -> bool {
        let rate = defence.drop_rate;
        if std::mem::replace(&mut self.rate, rate) != rate && !defence.drops_first {
            self.left = rate;
        }
        if rate == 0 {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        let drops = self.left == 0;
        if drops {
            self.left = rate;
        }
        drops
    }
}

impl Context<'_> {
    /// Whether the source of this key may begin one more connection of this service, which is then counted.
    #[cold]
    #[inline(never)]
    pub(super) fn may_begin(&self, limits: &SourceLimits, service: &ServiceView, key: &FlowKey) -> bool {
        let limited = limits.of(self.shared.hasher(), service, key);
        limited.is_none_or(|(limit, source)| self.shared.sources.take(source, limit, self.now))
    }
}

impl Snapshot {
    /// Whether there may be connections that are to end before their time.
    #[inline]
    pub(super) const fn ends_early(&self) -> bool {
        self.sysctls.expire_nodest_conn != 0 || self.defence.drop_entry
    }
}

/// Whether a connection is to end now, though its time has not run out. One that controls others stays.
pub(super) fn is_done(snapshot: &Snapshot, now: Ticks, id: ConnId, entry: &Entry) -> bool {
    if snapshot.sysctls.expire_nodest_conn != 0 {
        let (destination, generation) = entry.destination_id();
        if !snapshot.destinations.get(destination).serves(generation) {
            return true;
        }
    }
    // An entry's turn is a second, and the next for the sweep to decide what it marked in that.
    let turn = (now.0 / TICKS_PER_SECOND).wrapping_sub(id) % PART;
    snapshot.defence.drop_entry && turn <= 1 && is_of_little_use(now, entry)
}

/// What `drop_entry` ends: half-open connections, templates that no connection was established by, and connections of
/// datagrams that came a minute ago or before. IPVS ends a share of the last, and of idle established connections, by how few packets they
/// had; here packets of a connection are not counted, and established ones stay.
pub(super) fn is_of_little_use(now: Ticks, entry: &Entry) -> bool {
    let control = entry.control();
    match control.state() {
        State::SynRecv | State::SynAck | State::Init1 | State::Init => true,
        State::Udp => entry.idle(now) >= SPARED,
        State::None => control.has(Control::TEMPLATE),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(rate: &mut DropRate, defence: Defence, packets: usize) -> Vec<usize> {
        (1..=packets).filter(|_| rate.drops(defence)).collect()
    }

    /// ipvs-facts B.10: at level 3 the first packet and then each tenth; at level 2, with a rate of 4, each fourth.
    #[test]
    fn each_so_many_th_packet_is_dropped() {
        let mut rate = DropRate::default();
        let always = Defence { drop_rate: 10, drops_first: true, ..Defence::default() };
        assert_eq!(dropped(&mut rate, always, 25), [1, 11, 21]);
        assert_eq!(dropped(&mut rate, Defence { drop_rate: 4, ..always }, 12), [6, 10], "as far as it was");
        assert_eq!(dropped(&mut rate, Defence::default(), 25), [0; 0]);
        let scarce = Defence { drop_rate: 4, ..Defence::default() };
        assert_eq!(dropped(&mut rate, scarce, 9), [4, 8]);
        let none = Defence { drop_rate: 1, ..Defence::default() };
        assert_eq!(dropped(&mut rate, none, 3), [1, 2, 3]);
    }
}
