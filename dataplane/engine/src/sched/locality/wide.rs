//! Sets of many members: in groups by the destinations' numbers, as loads are, each with its least loaded member.
//!
//! A pick compares a sum of counters for each eight groups, and looks again at those in which a load has changed (`live::changes`).
//! What was found is kept with the set, for all workers: it is behind the table's lock. Eight groups with neighbouring numbers are
//! a node, so that memory is taken for as many as there are.

use crate::live::GROUP;
use crate::sched::least::Score;
use crate::sched::roster::{NUMBERS, View, slot};
use crate::snapshot::DestinationId;

use super::Member;
use super::node::{Group, IN_NODE, NEVER, NOBODY, Node, Slot, node_of};
use super::pool::{END, Pool};

/// All sets of many members.
#[derive(Debug)]
pub(super) struct Wide {
    nodes: Pool<Node>,
    slots: Pool<[Slot; NUMBERS]>,
}

/// What came of joining a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Joined {
    Added,
    /// It took the place of an earlier use of its number.
    Replaced,
    /// It was there.
    Known,
    /// There is no room.
    Full,
}

impl Wide {
    /// Room for so many groups of all sets.
    pub(super) fn new(groups: usize) -> Self {
        Self { nodes: Pool::new(groups / 2), slots: Pool::new(groups) }
    }

    /// Groups in use.
    #[cfg(test)]
    pub(super) fn used(&self) -> (usize, usize) {
        (self.nodes.used(), self.slots.used())
    }

    /// Where in the list the least loaded member is that can get a connection; of equals the newest.
    pub(super) fn least<S: Score>(&mut self, first: u32, view: &View<'_>) -> Option<usize> {
        let (mut least, mut winner, mut at) = (S::NONE, END, first);
        let changes = view.live.all_changes();
        while let Some(node) = self.nodes.get_mut(at) {
            let sum = changes.sum::<IN_NODE>(node.number);
            if node.seen != sum || node.edition != view.edition || !view.is_watched {
                // What a worker finds that has not got the latest list yet is not kept.
                let all = node.edition < view.edition || !view.is_watched;
                let keep = node.edition <= view.edition;
                node.edition = node.edition.max(view.edition);
                node.look::<S>(&self.slots, view, (all, keep));
                node.seen = if keep { sum } else { NEVER };
            }
            let lesser = least.min(S::from_words(node.least));
            winner = if lesser == least { winner } else { at };
            least = lesser;
            at = node.next;
        }
        let joined = !u32::try_from(least.place(usize::MAX)?).ok()?;
        let node = self.nodes.get(winner)?;
        let slots = self.slots.get(node.groups.get(node.winner as usize)?.slots)?;
        let at = slots.iter().position(|slot| slot.joined == joined)?;
        view.roster.group(node.number + node.winner)?[at].place(slots[at].generation)
    }

    /// Everybody in a set, and as the how manieth each joined.
    pub(super) fn members(&self, first: u32) -> impl Iterator<Item = (Member, u32)> + '_ {
        let node = |at| self.nodes.get(at);
        std::iter::successors(node(first), move |before| node(before.next)).flat_map(|node| self.members_of(node))
    }

    fn members_of<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = (Member, u32)> + 'a {
        (node.number..).zip(&node.groups).flat_map(|(number, group)| {
            let slots = self.slots.get(group.slots).map_or(&[][..], |slots| slots);
            let members = (number * GROUP..).map(DestinationId).zip(slots);
            members.filter(|(_, slot)| slot.joined != 0).map(|(id, slot)| {
                let member = Member { id, generation: slot.generation };
                (member, slot.joined)
            })
        })
    }

    /// Adds a destination to a set.
    pub(super) fn join(&mut self, first: &mut u32, member: Member, joined: u32) -> Joined {
        let Some(slots) = self.slots_for(first, member.id) else { return Joined::Full };
        let slot = &mut slots[slot(member.id)];
        match *slot {
            Slot { joined: 0, .. } => {
                *slot = Slot { generation: member.generation, joined };
                Joined::Added
            }
            Slot { generation, .. } if generation == member.generation => Joined::Known,
            _ => {
                *slot = Slot { generation: member.generation, joined };
                Joined::Replaced
            }
        }
    }

    /// Takes a destination out of a set; whether it was in it.
    pub(super) fn leave(&mut self, first: &mut u32, member: Member) -> bool {
        let (number, place) = node_of(member.id);
        let Some((before, at)) = self.find(*first, number) else { return false };
        let Some(node) = self.nodes.get_mut(at) else { return false };
        let group = &mut node.groups[place];
        let Some(slots) = self.slots.get_mut(group.slots) else { return false };
        let slot = &mut slots[slot(member.id)];
        if slot.joined == 0 || slot.generation != member.generation {
            return false;
        }
        *slot = NOBODY;
        (node.seen, group.seen) = (NEVER, NEVER);
        if slots.iter().all(|slot| slot.joined == 0) {
            self.slots.give(group.slots);
            *group = Group::EMPTY;
        }
        if node.groups.iter().all(|group| group.slots == END) {
            let next = node.next;
            match self.nodes.get_mut(before) {
                Some(before) => before.next = next,
                None => *first = next,
            }
            self.nodes.give(at);
        }
        true
    }

    /// Gives back a set.
    pub(super) fn give(&mut self, first: u32) {
        let mut at = first;
        while let Some(&node) = self.nodes.get(at) {
            let groups = node.groups.iter().filter(|group| group.slots != END);
            groups.for_each(|group| self.slots.give(group.slots));
            self.nodes.give(at);
            at = node.next;
        }
    }

    /// The node of a set whose groups begin with this number, and the one before it.
    fn find(&self, first: u32, number: u32) -> Option<(u32, u32)> {
        let (mut before, mut at) = (END, first);
        loop {
            let node = self.nodes.get(at)?;
            if node.number == number {
                return Some((before, at));
            }
            (before, at) = (at, node.next);
        }
    }

    /// The slots of a group that is going to get a member; new ones if there is room, in a new node if there is none.
    fn slots_for(&mut self, first: &mut u32, id: DestinationId) -> Option<&mut [Slot; NUMBERS]> {
        let (number, place) = node_of(id);
        let at = match self.find(*first, number) {
            Some((_, at)) => at,
            None if self.slots.is_full() => return None,
            None => self.nodes.take(Node::before(*first, number)).inspect(|&at| *first = at)?,
        };
        let node = self.nodes.get_mut(at)?;
        let group = &mut node.groups[place];
        if group.slots == END {
            group.slots = self.slots.take([NOBODY; NUMBERS])?;
        }
        (node.seen, group.seen) = (NEVER, NEVER);
        self.slots.get_mut(group.slots)
    }
}
