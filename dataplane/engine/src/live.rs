//! How many connections each destination has, and whether that is too many: shared by all workers, because
//! least-connection scheduling and thresholds see them all.

use std::ops::Range;

use ulvs_model::Thresholds;

use crate::memory::Region;
use crate::prefetch::prefetch_at;
use crate::snapshot::DestinationId;
use crate::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Destinations whose changes are counted together.
pub(crate) const GROUP: u32 = 16;

/// Connections of all destinations, by their numbers.
#[derive(Debug)]
pub struct LiveConnections {
    /// `overloaded:1 | limited:1 | watched:1 | active:29 | total:32` for each destination, so that a new connection is one
    /// addition. Counts are written by any worker; the bits `limited` and `watched` by the control side, `overloaded` by both.
    loads: Region<AtomicU64>,
    /// `upper:32 | lower:32` for each destination. Written by the control side.
    thresholds: Region<AtomicU64>,
    /// For each group of destinations how often the load of a watched one changed. Written by any worker.
    changes: Region<AtomicU64>,
}

/// The connections of one destination.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Load {
    /// Connections in an active state.
    pub active: u32,
    /// All connections.
    pub total: u32,
    /// It has reached its upper threshold, and not fallen below the lower one since (ipvs-facts B.9).
    pub overloaded: bool,
}

impl Load {
    /// IPVS's `InActConn`.
    pub const fn inactive(self) -> u32 {
        self.total.saturating_sub(self.active)
    }

    /// IPVS's measure of load, `256 * active + total` in signed 32-bit arithmetic (ipvs-facts A.0).
    #[inline]
    #[expect(clippy::cast_possible_wrap, reason = "as the kernel's arithmetic")]
    pub const fn overhead(self) -> i32 {
        (self.active as i32).wrapping_mul(256).wrapping_add(self.total as i32)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "fields are cut out of the word")]
    const fn from_word(word: u64) -> Self {
        Self { active: (word >> 32) as u32 & ACTIVE_MASK, total: word as u32, overloaded: word & OVERLOADED != 0 }
    }
}

/// [`LiveConnections`], for who asks for many.
#[derive(Clone, Copy)]
pub(crate) struct Loads<'a>(&'a [AtomicU64]);

impl Loads<'_> {
    /// The connections of a destination now.
    #[inline]
    pub(crate) fn of(self, id: DestinationId) -> Load {
        Load::from_word(self.0[id.0 as usize].load(Relaxed))
    }
}

/// How often loads have changed, as [`LiveConnections::changes`].
#[derive(Clone, Copy)]
pub(crate) struct Changes<'a>(&'a [AtomicU64]);

impl Changes<'_> {
    /// Of a group.
    #[inline]
    pub(crate) fn of(self, group: u32) -> u64 {
        self.0[group as usize].load(Acquire)
    }

    /// Of so many groups together, from this one on. They only grow: while the sum is the same, all are.
    #[inline]
    pub(crate) fn sum<const N: usize>(self, first: u32) -> u64 {
        let from = self.0.get(first as usize..).unwrap_or_default();
        let sum = |changes: &[AtomicU64]| changes.iter().fold(0, |sum: u64, one| sum.wrapping_add(one.load(Acquire)));
        // Mostly there are so many, which takes no loop.
        from.first_chunk::<N>().map_or_else(|| sum(from), |all| sum(all))
    }
}

const ACTIVE: u64 = 1 << 32;
const ACTIVE_MASK: u32 = (1 << 29) - 1;
/// Somebody's pick depends on the load: changes are counted.
const WATCHED: u64 = 1 << 61;
/// It has thresholds.
const LIMITED: u64 = 1 << 62;
const OVERLOADED: u64 = 1 << 63;

impl LiveConnections {
    pub(crate) fn new(destinations: usize) -> std::io::Result<Self> {
        Ok(Self {
            loads: Region::new(destinations)?,
            thresholds: Region::new(destinations)?,
            changes: Region::new(destinations.div_ceil(GROUP as usize))?,
        })
    }

    /// Takes the memory of these destinations.
    pub(crate) fn take(&self, ids: Range<usize>) {
        let group = GROUP as usize;
        self.changes.take(ids.start / group..ids.end.div_ceil(group));
        self.thresholds.take(ids.clone());
        self.loads.take(ids);
    }

    /// Asks for the line of a destination's connections.
    #[inline(always)]
    pub(crate) fn prefetch(&self, id: DestinationId) {
        prefetch_at(&self.loads, id.0 as usize);
    }

    /// The connections of all destinations now.
    #[inline]
    pub(crate) fn all(&self) -> Loads<'_> {
        Loads(&self.loads)
    }

    /// The connections of a destination now.
    #[inline]
    pub fn of(&self, id: DestinationId) -> Load {
        self.all().of(id)
    }

    #[inline(always)]
    pub(crate) fn opened(&self, id: DestinationId, active: bool) {
        let was = self.loads[id.0 as usize].fetch_add(1 + u64::from(active) * ACTIVE, Relaxed);
        self.changed(id, was);
    }

    #[inline]
    pub(crate) fn ended(&self, id: DestinationId, active: bool) {
        let was = self.loads[id.0 as usize].fetch_sub(1 + u64::from(active) * ACTIVE, Relaxed);
        self.changed(id, was);
    }

    #[inline]
    pub(crate) fn became(&self, id: DestinationId, active: bool) {
        let load = &self.loads[id.0 as usize];
        let was = if active { load.fetch_add(ACTIVE, Relaxed) } else { load.fetch_sub(ACTIVE, Relaxed) };
        self.changed(id, was);
    }

    /// Most destinations have no thresholds and few neighbours in their service: then nobody has to be told.
    #[inline(always)]
    fn changed(&self, id: DestinationId, was: u64) {
        if was & (WATCHED | LIMITED) != 0 {
            self.tell(id, was);
        }
    }

    #[inline(never)]
    fn tell(&self, id: DestinationId, was: u64) {
        if was & LIMITED != 0 {
            self.judge(id);
        }
        self.changes[(id.0 / GROUP) as usize].fetch_add(1, Release);
    }

    /// How often loads of watched destinations have changed, for each of these groups. Whoever reads loads after it sees the
    /// changes.
    #[inline]
    pub(crate) fn changes(&self, groups: Range<u32>) -> impl Iterator<Item = u64> + '_ {
        self.changes[groups.start as usize..groups.end as usize].iter().map(|changes| changes.load(Acquire))
    }

    /// The same, for who asks for single groups.
    #[inline]
    pub(crate) fn all_changes(&self) -> Changes<'_> {
        Changes(&self.changes)
    }

    /// Begins or ends overload by the thresholds. Of two workers at once each judges what it sees: the later one sees both.
    fn judge(&self, id: DestinationId) {
        let thresholds = self.thresholds_of(id);
        let judged = |word| {
            let load = Load::from_word(word);
            let next =
                if thresholds.overloaded(load.total, load.overloaded) { word | OVERLOADED } else { word & !OVERLOADED };
            (next != word).then_some(next)
        };
        // Nothing to change is no error.
        let _ = self.loads[id.0 as usize].fetch_update(Relaxed, Relaxed, judged);
    }

    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    fn thresholds_of(&self, id: DestinationId) -> Thresholds {
        let word = self.thresholds[id.0 as usize].load(Relaxed);
        Thresholds::new((word >> 32) as u32, word as u32).unwrap_or_default()
    }

    /// Sets a destination's thresholds, as when it is added or edited (ipvs-facts B.9). For the control side.
    pub(crate) fn limit(&self, id: DestinationId, thresholds: Thresholds) {
        let word = u64::from(thresholds.upper()) << 32 | u64::from(thresholds.lower());
        self.thresholds[id.0 as usize].store(word, Relaxed);
        self.mark(id, LIMITED, thresholds.are_set());
        self.tell(id, LIMITED);
    }

    /// Has a destination as loaded as in `other`, with the same thresholds.
    pub(crate) fn copy(&self, other: &Self, id: DestinationId) {
        let at = id.0 as usize;
        self.thresholds[at].store(other.thresholds[at].load(Relaxed), Relaxed);
        self.loads[at].store(other.loads[at].load(Relaxed), Relaxed);
    }

    /// Lets changes of a destination's load be counted, or no longer. For the control side.
    pub(crate) fn watch(&self, id: DestinationId, watched: bool) {
        self.mark(id, WATCHED, watched);
    }

    fn mark(&self, id: DestinationId, bit: u64, set: bool) {
        let load = &self.loads[id.0 as usize];
        match (load.load(Relaxed) & bit != 0, set) {
            (false, true) => drop(load.fetch_or(bit, Relaxed)),
            (true, false) => drop(load.fetch_and(!bit, Relaxed)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: DestinationId = DestinationId(17);

    #[test]
    fn thresholds_are_judged_at_every_change() {
        let live = LiveConnections::new(32).unwrap();
        live.limit(ID, Thresholds::new(4, 2).unwrap());
        for connections in 1..=5 {
            live.opened(ID, true);
            assert_eq!(live.of(ID).overloaded, connections >= 4);
        }
        for connections in [4, 3, 2, 1] {
            live.ended(ID, true);
            assert_eq!(live.of(ID), Load { active: connections, total: connections, overloaded: connections >= 2 });
        }
        live.opened(ID, false);
        live.limit(ID, Thresholds::new(2, 0).unwrap());
        assert!(live.of(ID).overloaded);
        live.limit(ID, Thresholds::default());
        assert_eq!(live.of(ID), Load { active: 1, total: 2, overloaded: false });
    }

    #[test]
    fn only_watched_loads_count_their_changes() {
        let live = LiveConnections::new(32).unwrap();
        live.opened(ID, true);
        assert_eq!(live.changes(0..2).collect::<Vec<_>>(), [0, 0]);
        live.watch(ID, true);
        live.became(ID, false);
        live.ended(ID, false);
        assert_eq!(live.changes(0..2).collect::<Vec<_>>(), [0, 2]);
    }
}
