//! A long list in groups, as the loads are by the destinations' numbers.

use std::ops::Range;

use crate::live::GROUP;
use crate::sched::Request;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::score::Score;
use super::{Measure, Member, least};

/// Which members are in which group, and what workers know of them.
#[derive(Debug)]
pub(super) struct Groups {
    /// Where each group begins and ends among the members.
    ranges: Box<[Range<u32>]>,
    runs: Box<[Run]>,
    /// What each worker knows of the groups.
    known: Box<[Known]>,
}

/// Groups whose numbers follow each other: most lists are one run, and are compared as two rows of numbers.
#[derive(Debug)]
struct Run {
    numbers: Range<u32>,
    /// Where the first of them is among the groups of the list.
    begin: usize,
}

impl Groups {
    /// Brings those of a group together.
    pub(super) fn new<S: Score>(members: &mut [Member], workers: usize) -> Self {
        let group = |member: &Member| member.id.0 / GROUP;
        // Stable: those of a group stay in the list's order.
        members.sort_by_key(group);
        let (mut ranges, mut runs): (Vec<Range<u32>>, Vec<Run>) = (Vec::new(), Vec::new());
        for chunk in members.chunk_by(|a, b| group(a) == group(b)) {
            let (begin, number) = (ranges.last().map_or(0, |before| before.end), group(&chunk[0]));
            match runs.last_mut().filter(|run| run.numbers.end == number) {
                Some(run) => run.numbers.end += 1,
                None => runs.push(Run { numbers: number..number + 1, begin: ranges.len() }),
            }
            ranges.push(begin..begin + u32::try_from(chunk.len()).unwrap_or(0));
        }
        let known = (0..workers).map(|_| Known::new::<S>(ranges.len())).collect();
        Self { ranges: ranges.into(), runs: runs.into(), known }
    }

    #[inline]
    pub(super) fn least<M: Measure, S: Score>(&self, members: &[Member], request: &Request<'_>) -> S {
        let Some(known) = self.known.get(request.worker) else { return S::NONE };
        for run in &self.runs {
            let changes = request.live.changes(run.numbers.clone());
            for (at, (changes, seen)) in changes.zip(&known.changes[run.begin..]).enumerate() {
                if seen.load(Relaxed) != changes {
                    // Loads are read after `changes` were: what changes meanwhile is seen next time.
                    known.set(run.begin + at, self.least_of::<M, S>(run.begin + at, members, request));
                    seen.store(changes, Relaxed);
                }
            }
        }
        known.winner()
    }

    #[inline(never)]
    fn least_of<M: Measure, S: Score>(&self, group: usize, members: &[Member], request: &Request<'_>) -> S {
        let Range { start, end } = self.ranges[group];
        least::<M, S>(&members[start as usize..end as usize], request.live)
    }
}

/// What a worker knows of groups. Written by that worker.
#[derive(Debug)]
struct Known {
    /// Changes of each group when it was looked at; `NEVER` before.
    changes: Box<[AtomicU64]>,
    /// Winners, the less of two children in each node, and each group's least in the leaves, which come last.
    winners: Box<[Winner]>,
}

/// A score, in words.
#[derive(Debug)]
struct Winner(AtomicU64, AtomicU64);

const NEVER: u64 = u64::MAX;

impl Known {
    fn new<S: Score>(groups: usize) -> Self {
        let winner = || {
            let (first, second) = S::NONE.to_words();
            Winner(AtomicU64::new(first), AtomicU64::new(second))
        };
        Self {
            changes: (0..groups).map(|_| AtomicU64::new(NEVER)).collect(),
            winners: (0..2 * groups.next_power_of_two()).map(|_| winner()).collect(),
        }
    }

    /// Sets a group's least, and plays its games up to the root.
    fn set<S: Score>(&self, group: usize, least: S) {
        let mut node = self.winners.len() / 2 + group;
        self.winners[node].set(least);
        let mut winner = least;
        while node > 1 {
            winner = winner.min(self.winners[node ^ 1].get());
            node /= 2;
            self.winners[node].set(winner);
        }
    }

    #[inline]
    fn winner<S: Score>(&self) -> S {
        self.winners[1].get()
    }
}

impl Winner {
    #[inline]
    fn get<S: Score>(&self) -> S {
        S::from_words((self.0.load(Relaxed), self.1.load(Relaxed)))
    }

    #[inline]
    fn set<S: Score>(&self, score: S) {
        let (first, second) = score.to_words();
        self.0.store(first, Relaxed);
        self.1.store(second, Relaxed);
    }
}
