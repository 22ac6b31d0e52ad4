//! Round robin (ipvs-facts A.1).

use super::memory::{Cell, Edit, Position};
use super::{Candidate, Request};

/// The first destination that is eligible after the one picked last, which itself comes last.
pub(super) fn pick(candidates: &[Candidate], cell: &Cell, request: &Request<'_>) -> Option<usize> {
    let position = cell.get();
    let after = position.place as usize;
    let after = if after > candidates.len() { 0 } else { after };
    let mut walk = (after..candidates.len()).chain(0..after);
    let picked = walk.find(|&at| request.is_eligible(candidates[at]))?;
    cell.set(position, Position { place: place(picked), ..position });
    Some(picked)
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

fn place(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(0)
}
