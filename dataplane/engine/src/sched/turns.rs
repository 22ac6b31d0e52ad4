//! Whose turn it is among a few destinations: all that round robin reads.

use std::sync::Arc;

use crate::snapshot::DestinationId;

use super::cells::Block;
use super::memory::{Cell, Memory, Position};
use super::{Candidate, Request};

/// A list that is short, of a rule that remembers where in it the last one is.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    block: Arc<Block>,
    ids: [DestinationId; Self::MOST],
    number: u16,
    len: u8,
    /// Those that may be picked here, a bit each.
    eligible: u8,
}

const _: () = assert!(size_of::<Option<Turns>>() == 32);

impl Turns {
    /// With more the rule is asked.
    const MOST: usize = 5;

    /// Those of a list. `may_pick`: whose turn it is gets the connection, if it can; else the rule has to be asked.
    pub(super) fn of(list: &[Candidate], memory: &Memory, may_pick: bool) -> Option<Self> {
        if list.len() > Self::MOST {
            return None;
        }
        let (block, number) = memory.column()?.place();
        let mut ids = [DestinationId(0); Self::MOST];
        let mut eligible = 0;
        for (at, (id, candidate)) in ids.iter_mut().zip(list).enumerate() {
            *id = candidate.id;
            eligible |= u8::from(may_pick && candidate.weight > 0) << at;
        }
        Some(Self { block, ids, number, len: u8::try_from(list.len()).ok()?, eligible })
    }

    #[inline(always)]
    fn cell(&self, worker: usize) -> Option<&Cell> {
        self.block.cell(worker, self.number)
    }

    /// The one whose turn it is, most likely.
    #[inline(always)]
    pub(crate) fn next(&self, worker: usize) -> Option<DestinationId> {
        let next = self.cell(worker)?.get().after(usize::from(self.len));
        self.ids.get(next).copied()
    }

    /// The one whose turn it is, if the rule would say nothing else.
    #[inline(always)]
    pub(crate) fn pick(&self, request: &Request<'_>) -> Option<DestinationId> {
        let cell = self.cell(request.worker)?;
        let position = cell.get();
        let next = position.after(usize::from(self.len));
        let id = *self.ids.get(next)?;
        if self.eligible >> next & 1 == 0 || request.live.of(id).overloaded {
            return None;
        }
        cell.set(position, Position::at(next, position.weight));
        Some(id)
    }
}
