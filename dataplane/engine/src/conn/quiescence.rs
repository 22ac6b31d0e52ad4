//! When a number taken out of the index can be used again: after every worker has begun a new burst.
//!
//! Whoever took something out of the index draws a token afterwards. A worker that passes between two bursts shows the
//! newest token it saw; from then on it holds nothing that was taken out before that token was drawn:
//!
//! - What it reads from the index later can't be what was taken out: the removal comes before the token is drawn, which
//!   comes before the worker sees the token (release and acquire on `drawn`, all of whose changes are one release
//!   sequence), which comes before its next look into the index.
//! - What it did with such numbers before is done: it comes before it shows the token, and whoever sees the token shown
//!   (release and acquire on `shown`) comes after.
//!
//! No step stores here and then loads there, so nothing needs a total order, and passing costs two loads and a plain store.

use crossbeam::utils::CachePadded;

use crate::sync::atomic::{AtomicU64, Ordering};

/// The tokens of all workers of a table.
#[derive(Debug)]
pub(crate) struct Quiescence {
    drawn: CachePadded<AtomicU64>,
    /// Each written by its worker only.
    shown: Box<[CachePadded<AtomicU64>]>,
}

impl Quiescence {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            drawn: CachePadded::new(AtomicU64::new(0)),
            shown: (0..workers).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
        }
    }

    /// A token for what was just taken out.
    pub(crate) fn draw(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Called by `worker` when it holds no number of an entry.
    #[inline]
    pub(crate) fn pass(&self, worker: usize) {
        let newest = self.drawn.load(Ordering::Acquire);
        let shown = &self.shown[worker];
        if shown.load(Ordering::Relaxed) != newest {
            shown.store(newest, Ordering::Release);
        }
    }

    /// The token up to which everything taken out is in nobody's hands.
    pub(crate) fn safe(&self) -> u64 {
        self.shown.iter().map(|s| s.load(Ordering::Acquire)).min().unwrap_or(0)
    }
}
