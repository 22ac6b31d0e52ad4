//! Round robin (ipvs-facts A.1).

use super::memory::{Edit, Memory, Position};
use super::{Candidate, Request};

/// The first destination that is eligible after the one picked last, which itself comes last.
#[inline(always)]
pub(super) fn pick(candidates: &[Candidate], memory: &Memory, request: &Request<'_>) -> Option<usize> {
    let cell = memory.cell(request.worker)?;
    let position = cell.get();
    let next = position.after(candidates.len());
    let picked = match candidates.get(next) {
        Some(&candidate) if request.is_eligible(candidate) => next,
        _ => walk(candidates, next, request)?,
    };
    cell.set(position, Position::at(picked, position.weight));
    Some(picked)
}

/// The first that is eligible from `from` on, or before it.
#[cold]
#[inline(never)]
fn walk(candidates: &[Candidate], from: usize, request: &Request<'_>) -> Option<usize> {
    (from..candidates.len()).chain(0..from).find(|&at| request.is_eligible(candidates[at]))
}

/// The pointer stays at its destination; if that left, it goes to the one before.
pub(super) fn edited(position: Position, edit: Edit) -> Position {
    let place = match edit {
        // Index i is place i + 1, so "at or before the pointer" is `at < place`.
        Edit::Added if position.place > 0 => position.place + 1,
        Edit::Removed(at) if at < position.place as usize => position.place - 1,
        _ => position.place,
    };
    Position { place, ..position }
}
