//! Entries that wait until every worker has begun a new burst.

use std::collections::VecDeque;

use super::entry::ConnId;
use super::quiescence::Quiescence;

/// An entry that waits, of which incarnation, and for which token.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    token: u64,
    id: ConnId,
    incarnation: u32,
}

/// No token yet.
const UNDATED: u64 = u64::MAX;

/// A queue of one worker; its room is allocated once. One token is drawn for all that was put into it between two bursts.
#[derive(Debug)]
pub(super) struct Limbo {
    queue: VecDeque<Waiting>,
    room: usize,
    undated: usize,
}

impl Limbo {
    pub(super) fn new(room: usize) -> Self {
        // Written once, so that the worker finds it in memory.
        let mut queue = VecDeque::from(vec![Waiting { token: UNDATED, id: ConnId::MAX, incarnation: 0 }; room]);
        queue.clear();
        Self { queue, room, undated: 0 }
    }

    /// Bytes a queue with this room takes.
    pub(super) const fn bytes(room: usize) -> usize {
        room * size_of::<Waiting>()
    }

    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < self.room
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Only where there is room.
    pub(super) fn push(&mut self, id: ConnId, incarnation: u32) {
        debug_assert!(self.has_room(), "checked before anything was put here");
        self.queue.push_back(Waiting { token: UNDATED, id, incarnation });
        self.undated += 1;
    }

    /// Draws the token of what came since the last time.
    #[inline]
    pub(super) fn date(&mut self, quiescence: &Quiescence) {
        if self.undated > 0 {
            let token = quiescence.draw();
            self.queue.iter_mut().rev().take(self.undated).for_each(|waiting| waiting.token = token);
            self.undated = 0;
        }
    }

    /// Those whose token is `safe`, in their order.
    pub(super) fn ready(&self, safe: u64) -> impl Iterator<Item = ConnId> + '_ {
        self.queue.iter().take_while(move |waiting| waiting.token <= safe).map(|waiting| waiting.id)
    }

    /// The next one whose token is `safe`, with its incarnation.
    pub(super) fn next(&mut self, safe: u64) -> Option<(ConnId, u32)> {
        let first = self.queue.front()?;
        if first.token > safe {
            return None;
        }
        self.queue.pop_front().map(|waiting| (waiting.id, waiting.incarnation))
    }
}
