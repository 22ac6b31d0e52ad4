//! Sets of destinations: lists that are walked while they are short, else [`Wide`].

use crate::live::Load;
use crate::sched::least::{Score, WALKED};
use crate::sched::roster::View;

use super::Member;
use super::pool::{END, Pool};
use super::table::MOST;
use super::wide::{Joined, Wide};

/// The most members of all lists. IPVS has no such limit: there a flood of addresses takes memory.
const MOST_MEMBERS: usize = 2 * MOST;
/// The most groups of all wide sets: up to 16 members each.
const MOST_GROUPS: usize = MOST / 2;

/// A set of destinations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set {
    /// The newest member of a list, the first node of a wide set.
    first: u32,
    members: u32,
    /// How many have joined a wide set; 0 of a list.
    joins: u32,
}

/// All sets of a table.
#[derive(Debug)]
pub(super) struct Sets {
    /// Of lists: each with the next older one.
    members: Pool<(Member, u32)>,
    wide: Wide,
}

impl Set {
    pub(super) const fn len(&self) -> u32 {
        self.members
    }

    const fn is_wide(&self) -> bool {
        self.joins > 0
    }
}

impl Sets {
    pub(super) fn new() -> Self {
        Self { members: Pool::new(MOST_MEMBERS), wide: Wide::new(MOST_GROUPS) }
    }

    /// A set of one, if there is room.
    pub(super) fn alone(&mut self, member: Member) -> Option<Set> {
        let first = self.members.take((member, END))?;
        Some(Set { first, members: 1, joins: 0 })
    }

    /// The newest member of a list.
    #[inline]
    pub(super) fn newest(&self, set: &Set) -> Option<Member> {
        self.members.get(set.first).filter(|_| !set.is_wide()).map(|&(member, _)| member)
    }

    /// Puts another destination in the newest one's place of a list.
    pub(super) fn replace(&mut self, set: &Set, member: Member) {
        if let Some(place) = self.members.get_mut(set.first).filter(|_| !set.is_wide()) {
            place.0 = member;
        }
    }

    /// Where in the list of the service the member is that has the least load for its weight; of equals the newest.
    #[inline]
    pub(super) fn least<S: Score>(&mut self, set: &Set, view: &View<'_>) -> Option<usize> {
        if set.is_wide() {
            return self.wide.least::<S>(set.first, view);
        }
        let score = |member| {
            let known = view.roster.known(member)?;
            let load = view.live.of(member.id);
            let place = u32::try_from(known.place(member.generation)?).ok()?;
            (known.share != 0 && !load.overloaded).then(|| S::new(load.overhead(), known.share, place))
        };
        self.list(set).filter_map(score).fold(S::NONE, S::or_later).place(usize::MAX)
    }

    /// The member with the most load for its weight; of equals the newest. What is in the service no longer goes before them.
    #[inline(never)]
    pub(super) fn most(&self, set: &Set, view: &View<'_>) -> Option<Member> {
        if set.is_wide() {
            most(self.wide.members(set.first), view)
        } else {
            most(self.list(set).zip((0..=u32::MAX).rev()), view)
        }
    }

    /// Everybody, newest first. For the control side.
    pub(super) fn newest_first(&self, set: &Set) -> Vec<Member> {
        if !set.is_wide() {
            return self.list(set).collect();
        }
        let mut members: Vec<_> = self.wide.members(set.first).collect();
        members.sort_unstable_by_key(|&(_, joined)| std::cmp::Reverse(joined));
        members.into_iter().map(|(member, _)| member).collect()
    }

    /// Adds a destination as the newest; whether it was added.
    pub(super) fn join(&mut self, set: &mut Set, member: Member) -> bool {
        if !set.is_wide() {
            if self.list(set).any(|known| known == member) {
                return false;
            }
            if (set.members as usize) < WALKED {
                let Some(first) = self.members.take((member, set.first)) else { return false };
                *set = Set { first, members: set.members + 1, joins: 0 };
                return true;
            }
            if !self.widen(set) {
                return false;
            }
        }
        let joined = self.wide.join(&mut set.first, member, set.joins + 1);
        let is_new = matches!(joined, Joined::Added | Joined::Replaced);
        set.joins += u32::from(is_new);
        set.members += u32::from(joined == Joined::Added);
        is_new
    }

    /// Takes a destination out.
    pub(super) fn leave(&mut self, set: &mut Set, member: Member) {
        if set.is_wide() {
            set.members -= u32::from(self.wide.leave(&mut set.first, member));
            return;
        }
        let (mut before, mut at) = (END, set.first);
        while let Some(&(known, next)) = self.members.get(at) {
            if known == member {
                match self.members.get_mut(before) {
                    Some(place) => place.1 = next,
                    None => set.first = next,
                }
                self.members.give(at);
                set.members -= 1;
                return;
            }
            (before, at) = (at, next);
        }
    }

    /// Gives back a set.
    pub(super) fn give(&mut self, set: &Set) {
        if set.is_wide() {
            self.wide.give(set.first);
        } else {
            self.give_list(set.first);
        }
    }

    /// Makes a wide set of a list, if there is room.
    #[cold]
    #[inline(never)]
    fn widen(&mut self, set: &mut Set) -> bool {
        let mut wide = Set { first: END, members: 0, joins: set.members };
        let (mut at, mut joined) = (set.first, set.members);
        while let Some(&(member, next)) = self.members.get(at) {
            match self.wide.join(&mut wide.first, member, joined) {
                Joined::Added => wide.members += 1,
                Joined::Known | Joined::Replaced => {}
                Joined::Full => {
                    self.wide.give(wide.first);
                    return false;
                }
            }
            (at, joined) = (next, joined.saturating_sub(1));
        }
        self.give_list(set.first);
        *set = wide;
        true
    }

    fn list(&self, set: &Set) -> impl Iterator<Item = Member> + '_ {
        let mut at = set.first;
        std::iter::from_fn(move || {
            let &(member, next) = self.members.get(at)?;
            at = next;
            Some(member)
        })
    }

    fn give_list(&mut self, first: u32) {
        let mut at = first;
        while let Some(&(_, next)) = self.members.get(at) {
            self.members.give(at);
            at = next;
        }
    }

    /// Members of lists, nodes and groups of wide sets.
    #[cfg(test)]
    pub(super) fn used(&self) -> (usize, (usize, usize)) {
        (self.members.used(), self.wide.used())
    }
}

/// The most loaded of some members with numbers that are higher for newer ones.
fn most(members: impl Iterator<Item = (Member, u32)>, view: &View<'_>) -> Option<Member> {
    let (mut gone, mut most) = (None::<(u32, Member)>, None::<((i64, i64), u32, Member)>);
    for (member, joined) in members {
        let Some(known) = view.roster.known(member) else {
            gone = gone.filter(|gone| gone.0 > joined).or(Some((joined, member)));
            continue;
        };
        let (load, weight) = (i64::from(Load::overhead(view.live.of(member.id))), i64::from(known.weight));
        let is_more = most.is_none_or(|((most, most_weight), most_joined, _)| {
            (load * most_weight, joined) > (most * weight, most_joined)
        });
        if weight > 0 && is_more {
            most = Some(((load, weight), joined, member));
        }
    }
    gone.map(|(_, member)| member).or(most.map(|(.., member)| member))
}
