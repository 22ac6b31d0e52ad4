//! Schedulers: which destination gets a new connection (ipvs-facts A). One rule per file.
//!
//! A scheduler walks the service's destinations newest first (ipvs-facts A.0). What it must remember between two picks is one word per
//! worker, a [`Cell`]; the control side brings it along when destinations change, exactly as the kernel does.

mod lc;
mod rr;
mod wlc;
mod wrr;

use crossbeam::utils::CachePadded;
use ulvs_model::SchedulerKind;

use crate::live::LiveConnections;
use crate::snapshot::DestinationId;
use crate::sync::atomic::{AtomicU64, Ordering};

pub(crate) use wrr::Weights;

/// A destination as schedulers see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) id: DestinationId,
    pub(crate) weight: i32,
}

/// What changed in a service's list of destinations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Edit {
    /// A new first destination.
    Added,
    /// The destination at this place left.
    Removed(usize),
    /// A destination's weight or method changed.
    Edited,
}

/// A scheduler's memory: `place:32 | weight:32`.
///
/// The place is 0 before the first destination, else one more than the index of the destination picked last.
/// Written by its worker, and by the control side when destinations change.
#[derive(Debug)]
pub(crate) struct Cell(CachePadded<AtomicU64>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Memory {
    place: u32,
    weight: i32,
}

impl Memory {
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    const fn from_word(word: u64) -> Self {
        Self { place: (word >> 32) as u32, weight: word as i32 }
    }

    const fn to_word(self) -> u64 {
        (self.place as u64) << 32 | self.weight.cast_unsigned() as u64
    }
}

impl Cell {
    fn get(&self) -> Memory {
        Memory::from_word(self.0.load(Ordering::Acquire))
    }

    /// Remembers `next`, unless the list was changed meanwhile: then the change counts.
    fn set(&self, was: Memory, next: Memory) {
        if was != next {
            let _ = self.0.compare_exchange(was.to_word(), next.to_word(), Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    fn update(&self, change: impl Fn(Memory) -> Memory) {
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| Some(change(Memory::from_word(word)).to_word()));
    }
}

/// A memory for each worker, as it is when the scheduler is bound to a list of destinations.
pub(crate) fn bind(kind: SchedulerKind, workers: usize, weights: Weights) -> Box<[Cell]> {
    let weight = if kind == SchedulerKind::Wrr { weights.bound() } else { 0 };
    let word = Memory { place: 0, weight }.to_word();
    (0..workers).map(|_| Cell(CachePadded::new(AtomicU64::new(word)))).collect()
}

/// Brings the memories along with a change of the list; `weights` are those after it.
pub(crate) fn edited(kind: SchedulerKind, cells: &[Cell], edit: Edit, weights: Weights) {
    for cell in cells {
        match kind {
            SchedulerKind::Rr => cell.update(|memory| rr::edited(memory, edit)),
            SchedulerKind::Wrr => cell.update(|memory| wrr::edited(memory, weights)),
            SchedulerKind::Lc | SchedulerKind::Wlc => {}
        }
    }
}

/// The place of the destination that gets the next connection, if any can.
#[inline]
pub(crate) fn pick(
    kind: SchedulerKind,
    candidates: &[Candidate],
    weights: Weights,
    cell: &Cell,
    live: &LiveConnections,
) -> Option<usize> {
    match kind {
        SchedulerKind::Rr => rr::pick(candidates, cell),
        SchedulerKind::Wrr => wrr::pick(candidates, weights, cell),
        SchedulerKind::Lc => lc::pick(candidates, live),
        SchedulerKind::Wlc => wlc::pick(candidates, live),
    }
}
