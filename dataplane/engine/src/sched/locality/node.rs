//! Some groups of a wide set, and who of them has the least load.

use crate::live::GROUP;
use crate::sched::least::Score;
use crate::sched::roster::{NUMBERS, View};
use crate::snapshot::DestinationId;

use super::pool::{END, Pool};

/// Groups in a node.
pub(super) const IN_NODE: usize = GROUPS as usize;
const GROUPS: u32 = 8;
/// A group that must be looked at.
pub(super) const NEVER: u64 = u64::MAX;

/// Some groups of a set whose numbers follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// The first group's number.
    pub(super) number: u32,
    pub(super) next: u32,
    /// Changes of the loads of all when they were looked at.
    pub(super) seen: u64,
    /// Of the list whose weights the scores are made with.
    pub(super) edition: u64,
    /// The least score of all, in words, and in which group it is.
    pub(super) least: (u64, u64),
    pub(super) winner: u32,
    pub(super) groups: [Group; IN_NODE],
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// The [`END`] if nobody is in it.
    pub(super) slots: u32,
    /// Changes of its loads when it was looked at.
    pub(super) seen: u64,
    /// The least score, in words; its place says when its member joined.
    pub(super) least: (u64, u64),
}

/// A number of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot {
    pub(super) generation: u32,
    /// The how manieth of the set it was; 0 if it is not in it.
    pub(super) joined: u32,
}

pub(super) const NOBODY: Slot = Slot { generation: 0, joined: 0 };

impl Group {
    pub(super) const EMPTY: Self = Self { slots: END, seen: NEVER, least: (0, 0) };
}

impl Node {
    /// Without members, before another one.
    pub(super) const fn before(next: u32, number: u32) -> Self {
        let groups = [Group::EMPTY; IN_NODE];
        Self { number, next, seen: NEVER, edition: 0, least: (0, 0), winner: 0, groups }
    }

    /// Looks at the groups in which a load has changed, at all if `all`. What is found is kept if `keep`.
    #[inline(never)]
    pub(super) fn look<S: Score>(&mut self, slots: &Pool<[Slot; NUMBERS]>, view: &View<'_>, (all, keep): (bool, bool)) {
        let (mut least, mut winner) = (S::NONE, 0);
        for ((at, number), group) in (0..).zip(self.number..).zip(&mut self.groups) {
            let Some(slots) = slots.get(group.slots) else { continue };
            let changes = view.live.all_changes().of(number);
            if group.seen != changes || all {
                // Loads are read after `changes` were: what changes meanwhile is seen next time.
                group.seen = if keep { changes } else { NEVER };
                group.least = least_of::<S>(slots, number, view).to_words();
            }
            let lesser = least.min(S::from_words(group.least));
            winner = if lesser == least { winner } else { at };
            least = lesser;
        }
        (self.least, self.winner) = (least.to_words(), winner);
    }
}

/// The least member of a group; of equals the newest.
#[inline(never)]
fn least_of<S: Score>(slots: &[Slot; NUMBERS], number: u32, view: &View<'_>) -> S {
    let Some(known) = view.roster.group(number) else { return S::NONE };
    let loads = view.live.all();
    let mut least = S::NONE;
    for (id, (slot, known)) in (number * GROUP..).zip(slots.iter().zip(known)) {
        if slot.joined != 0 && known.share != 0 && known.generation == slot.generation {
            let load = loads.of(DestinationId(id));
            let score = S::new(load.overhead(), known.share, !slot.joined);
            least = if load.overloaded { least } else { least.min(score) };
        }
    }
    least
}

/// The number with which the node of a destination begins, and which of its groups it is in.
pub(super) const fn node_of(id: DestinationId) -> (u32, usize) {
    let number = id.0 / GROUP;
    (number / GROUPS * GROUPS, (number % GROUPS) as usize)
}
