//! The destinations of a list by their numbers, in groups as their loads are: what lblc and lblcr know them by.

use crate::live::{GROUP, LiveConnections};
use crate::sched::Listed;
use crate::sched::least::Scaled;
use crate::sched::locality::Member;
use crate::snapshot::DestinationId;

/// How many numbers a group has.
pub(super) const NUMBERS: usize = GROUP as usize;

/// The destinations of a list.
#[derive(Debug)]
pub(super) struct Roster {
    /// The numbers of the groups in which somebody is, ascending.
    numbers: Box<[u32]>,
    groups: Box<[[Known; NUMBERS]]>,
    /// Who is where in the list.
    members: Box<[Member]>,
    is_scaled: bool,
}

/// What a list says of a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) generation: u32,
    pub(super) weight: i32,
    /// What its scores are made with; 0 without a weight.
    pub(super) share: u32,
    place: u32,
}

impl Known {
    const NOBODY: Self = Self { generation: 0, weight: 0, share: 0, place: u32::MAX };

    /// Where in the list it is, if it is this use of the number.
    #[inline]
    pub(super) const fn place(&self, generation: u32) -> Option<usize> {
        if self.place != u32::MAX && self.generation == generation { Some(self.place as usize) } else { None }
    }
}

impl Roster {
    pub(super) fn new(listed: &[Listed]) -> Self {
        let weighed = listed.iter().map(|one| one.candidate.weight).filter(|&weight| weight > 0);
        let weights: Vec<_> = weighed.map(i32::unsigned_abs).collect();
        let scaled = Scaled::shares(&weights, 0);
        let is_scaled = scaled.is_some();
        let mut shares = scaled.unwrap_or(weights).into_iter();
        let mut numbers: Vec<_> = listed.iter().map(|one| one.candidate.id.0 / GROUP).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut roster = Self {
            groups: vec![[Known::NOBODY; NUMBERS]; numbers.len()].into(),
            numbers: numbers.into(),
            members: listed.iter().map(|one| Member { id: one.candidate.id, generation: one.generation }).collect(),
            is_scaled,
        };
        for (place, one) in (0..).zip(listed) {
            let (id, weight) = (one.candidate.id, one.candidate.weight);
            let share = if weight > 0 { shares.next().unwrap_or(0) } else { 0 };
            if let Some(at) = roster.find(id.0 / GROUP) {
                roster.groups[at][slot(id)] = Known { generation: one.generation, weight, share, place };
            }
        }
        roster
    }

    /// Whether shares are for scaled scores, and not weights.
    pub(super) const fn is_scaled(&self) -> bool {
        self.is_scaled
    }

    /// How many destinations there are.
    pub(super) const fn len(&self) -> usize {
        self.members.len()
    }

    /// The destination at a place.
    pub(super) fn member(&self, place: usize) -> Member {
        self.members[place]
    }

    /// What the list says of a destination, if it is in it.
    #[inline]
    pub(super) fn known(&self, member: Member) -> Option<&Known> {
        let known = &self.group(member.id.0 / GROUP)?[slot(member.id)];
        known.place(member.generation).map(|_| known)
    }

    /// Where a destination is, if it is in the list.
    #[inline]
    pub(super) fn place(&self, member: Member) -> Option<usize> {
        self.known(member)?.place(member.generation)
    }

    /// The destinations of a group of numbers.
    #[inline]
    pub(super) fn group(&self, number: u32) -> Option<&[Known; NUMBERS]> {
        self.find(number).map(|at| &self.groups[at])
    }

    /// The numbers of all groups, ascending, and the groups.
    pub(super) const fn groups(&self) -> (&[u32], &[[Known; NUMBERS]]) {
        (&self.numbers, &self.groups)
    }

    /// Mostly numbers follow each other.
    #[inline]
    fn find(&self, number: u32) -> Option<usize> {
        let guess = number.wrapping_sub(*self.numbers.first()?) as usize;
        if self.numbers.get(guess) == Some(&number) { Some(guess) } else { self.numbers.binary_search(&number).ok() }
    }
}

/// Which number of its group it is.
#[inline]
pub(super) const fn slot(id: DestinationId) -> usize {
    (id.0 % GROUP) as usize
}

/// A list, and the loads of its destinations.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) roster: &'a Roster,
    pub(super) live: &'a LiveConnections,
    /// Of two lists of a service the later one has more.
    pub(super) edition: u64,
    /// Changes of its loads are counted.
    pub(super) is_watched: bool,
}
