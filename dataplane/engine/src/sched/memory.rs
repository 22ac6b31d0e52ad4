//! What schedulers remember between two picks.

use std::sync::Arc;

use ulvs_model::SchedulerKind;
use ulvs_wire::{Address, FlowHasher};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Ticks;

use super::cells::{Cells, Column};
use super::locality::Locality;
use super::{Candidate, rr, twos, wrr};

/// What changed in a service's list of destinations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Edit {
    /// A new first destination.
    Added,
    /// The destination at this place left.
    Removed(usize),
    /// A destination's weight, method or thresholds changed.
    Edited,
}

/// What a service's scheduler remembers, as long as it is bound. Clones are the same memory.
#[derive(Clone, Debug)]
pub(crate) enum Memory {
    /// Nothing: the list and the loads say it all.
    Nothing,
    /// A word for each worker.
    Cells(Column),
    /// Which destination had which address, for all workers.
    Locality(Arc<Locality>),
}

impl Memory {
    /// As it is when the scheduler is bound to a list of destinations.
    pub(crate) fn bind(kind: SchedulerKind, cells: &mut Cells, hasher: FlowHasher, candidates: &[Candidate]) -> Self {
        match kind {
            SchedulerKind::Rr => Self::Cells(cells.column(|_| 0)),
            SchedulerKind::Wrr => Self::Cells(cells.column(|_| wrr::bound(candidates).to_word())),
            SchedulerKind::Twos => Self::Cells(cells.column(twos::seed)),
            SchedulerKind::Lblc | SchedulerKind::Lblcr => Self::Locality(Arc::new(Locality::new(hasher))),
            _ => Self::Nothing,
        }
    }

    /// A copy for a rehearsal, of what this worker remembers, and of what is known of this address.
    pub(crate) fn copy(&self, worker: usize, address: Address, hasher: FlowHasher, now: Ticks) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Cells(column) => {
                let word = column.cell(worker).map_or(0, Cell::word);
                Self::Cells(Cells::new(1).column(|_| word))
            }
            Self::Locality(locality) => Self::Locality(Arc::new(locality.copy(address, hasher, now))),
        }
    }

    /// Brings it along with a change of the list; `candidates` are those after it.
    pub(crate) fn edited(&self, kind: SchedulerKind, edit: Edit, candidates: &[Candidate]) {
        let Self::Cells(column) = self else { return };
        match kind {
            SchedulerKind::Rr => column.all().for_each(|cell| cell.update(|place| rr::edited(place, edit))),
            SchedulerKind::Wrr => {
                let weights = wrr::Weights::of(candidates);
                column.all().for_each(|cell| cell.update(|place| wrr::edited(place, weights)));
            }
            _ => {}
        }
    }

    /// One worker's, with a position.
    #[cfg(test)]
    pub(super) fn at(position: Position) -> Self {
        Self::Cells(Cells::new(1).column(|_| position.to_word()))
    }

    #[inline(always)]
    pub(super) fn cell(&self, worker: usize) -> Option<&Cell> {
        self.column()?.cell(worker)
    }

    /// The words of all workers.
    #[inline(always)]
    pub(super) const fn column(&self) -> Option<&Column> {
        match self {
            Self::Cells(column) => Some(column),
            Self::Nothing | Self::Locality(_) => None,
        }
    }

    #[inline]
    pub(crate) fn locality(&self) -> Option<&Locality> {
        match self {
            Self::Locality(locality) => Some(locality),
            Self::Nothing | Self::Cells(_) => None,
        }
    }
}

/// One worker's word. Written by its worker, and by the control side when destinations change.
#[derive(Debug)]
pub(crate) struct Cell(pub(super) AtomicU64);

/// Where a walk is: `place:32 | weight:32` of a [`Cell`].
///
/// The place is 0 before the first destination, else one more than the index of the destination picked last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Position {
    pub(super) place: u32,
    pub(super) weight: i32,
}

impl Position {
    /// At this index of the list.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "destinations' numbers are 32 bits")]
    pub(super) const fn at(index: usize, weight: i32) -> Self {
        Self { place: index as u32 + 1, weight }
    }

    /// The index behind the destination picked last, of a list of so many.
    #[inline(always)]
    pub(super) const fn after(self, len: usize) -> usize {
        if (self.place as usize) < len { self.place as usize } else { 0 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    const fn from_word(word: u64) -> Self {
        Self { place: (word >> 32) as u32, weight: word as i32 }
    }

    const fn to_word(self) -> u64 {
        (self.place as u64) << 32 | self.weight.cast_unsigned() as u64
    }
}

impl Cell {
    pub(super) fn get(&self) -> Position {
        Position::from_word(self.0.load(Ordering::Acquire))
    }

    /// Remembers `next`, unless the list was changed meanwhile: then the change counts.
    pub(super) fn set(&self, was: Position, next: Position) {
        if was != next {
            let _ = self.0.compare_exchange(was.to_word(), next.to_word(), Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    fn update(&self, change: impl Fn(Position) -> Position) {
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            Some(change(Position::from_word(word)).to_word())
        });
    }

    /// The word as a whole; only for who remembers no position.
    pub(super) fn word(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the word as a whole.
    pub(super) fn set_word(&self, word: u64) {
        self.0.store(word, Ordering::Relaxed);
    }
}
