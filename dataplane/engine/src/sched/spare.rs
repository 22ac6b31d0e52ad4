//! Whether anybody has connections to spare, as lblc and lblcr mean it (ipvs-facts A.13), without looking at everybody.
//!
//! A short list is walked. Of a long one each worker remembers the group where it last found somebody to spare, and which groups
//! had nobody: these it looks at again when a load of theirs has changed (`live::changes`).

use std::ops::Range;

use crate::live::{GROUP, LiveConnections};
use crate::snapshot::DestinationId;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::least::WALKED;
use super::roster::{Known, NUMBERS, Roster};
use super::{Candidate, Request};

/// Groups with neighbouring numbers whose changes are looked at together.
const TOGETHER: usize = 8;
/// A group that must be looked at.
const NEVER: u64 = u64::MAX;

/// What is known of a list; nothing of a short one.
#[derive(Debug)]
pub(super) struct Spare {
    /// Where each row of neighbours begins and ends among the list's groups.
    rows: Box<[Range<u32>]>,
    workers: Box<[Seen]>,
}

/// What a worker knows of groups. Written by that worker.
#[derive(Debug)]
struct Seen {
    /// Changes of each group when nobody in it was found; `NEVER` before.
    changes: Box<[AtomicU64]>,
    /// The same of each row together.
    sums: Box<[AtomicU64]>,
    /// In which row somebody was found last.
    last: AtomicUsize,
}

impl Spare {
    pub(super) fn new(roster: &Roster, workers: usize) -> Self {
        let numbers = if roster.len() > WALKED { roster.groups().0 } else { &[] };
        let mut rows: Vec<Range<u32>> = Vec::new();
        for (at, &number) in (0..).zip(numbers) {
            match rows.last_mut().filter(|row| ((number - numbers[row.start as usize]) as usize) < TOGETHER) {
                Some(row) => row.end = at + 1,
                None => rows.push(at..at + 1),
            }
        }
        let never = |count| (0..count).map(|_| AtomicU64::new(NEVER)).collect();
        let seen = |_| Seen { changes: never(numbers.len()), sums: never(rows.len()), last: AtomicUsize::new(0) };
        Self { workers: (0..workers).map(seen).collect(), rows: rows.into() }
    }

    /// Whether any destination has less than half as many active connections as its weight is.
    pub(super) fn is_any(&self, roster: &Roster, list: &[Candidate], request: &Request<'_>) -> bool {
        if list.len() > WALKED {
            self.workers.get(request.worker).is_some_and(|seen| seen.is_any(&self.rows, roster, request.live))
        } else {
            list.iter().any(|one| has_spare(one.id, one.weight, request.live))
        }
    }
}

impl Seen {
    #[inline(never)]
    fn is_any(&self, rows: &[Range<u32>], roster: &Roster, live: &LiveConnections) -> bool {
        let last = self.last.load(Relaxed).min(rows.len());
        let (before, from) = rows.split_at(last);
        let numbers = roster.groups().0;
        let mut is_any = |(at, row): (usize, &Range<u32>)| {
            // Loads are read after changes were: what changes meanwhile is seen next time.
            let sum = live.all_changes().sum::<TOGETHER>(numbers[row.start as usize]);
            self.sums[at].load(Relaxed) != sum && self.is_any_in((at, row), sum, roster, live)
        };
        (last..).zip(from).any(&mut is_any) || before.iter().enumerate().any(is_any)
    }

    #[inline(never)]
    fn is_any_in(&self, (at, row): (usize, &Range<u32>), sum: u64, roster: &Roster, live: &LiveConnections) -> bool {
        let (numbers, groups) = roster.groups();
        for group in row.start as usize..row.end as usize {
            let (changes, seen) = (live.all_changes().of(numbers[group]), &self.changes[group]);
            if seen.load(Relaxed) != changes {
                if is_any_of(&groups[group], numbers[group], live) {
                    self.last.store(at, Relaxed);
                    return true;
                }
                seen.store(changes, Relaxed);
            }
        }
        self.sums[at].store(sum, Relaxed);
        false
    }
}

#[inline(never)]
fn is_any_of(group: &[Known; NUMBERS], number: u32, live: &LiveConnections) -> bool {
    // Weights of nobody are 0.
    let ids = (number * GROUP..).map(DestinationId);
    group.iter().zip(ids).any(|(known, id)| known.weight > 0 && has_spare(id, known.weight, live))
}

#[inline(always)]
fn has_spare(id: DestinationId, weight: i32, live: &LiveConnections) -> bool {
    2 * i64::from(live.of(id).active) < i64::from(weight)
}
