//! When a number taken out of the index can be used again: after every worker has begun a new burst.
//!
//! Whoever retires something draws a token. A worker that passes between two bursts shows the newest token it saw; from then
//! on it holds nothing that was retired before that token was drawn.

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

    /// A token for what was just retired.
    pub(crate) fn draw(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Called by `worker` when it holds no number of an entry.
    #[inline]
    pub(crate) fn pass(&self, worker: usize) {
        let newest = self.drawn.load(Ordering::SeqCst);
        let shown = &self.shown[worker];
        if shown.load(Ordering::Relaxed) != newest {
            shown.store(newest, Ordering::SeqCst);
        }
    }

    /// The token up to which everything retired is in nobody's hands.
    pub(crate) fn safe(&self) -> u64 {
        self.shown.iter().map(|s| s.load(Ordering::SeqCst)).min().unwrap_or(u64::MAX)
    }
}
