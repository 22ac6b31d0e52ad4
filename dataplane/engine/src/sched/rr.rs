//! Round robin (ipvs-facts A.1).

use super::{Candidate, Cell, Edit, Memory};

/// The first destination with a weight after the one picked last, which itself comes last.
pub(super) fn pick(candidates: &[Candidate], cell: &Cell) -> Option<usize> {
    let memory = cell.get();
    let after = memory.place as usize;
    let after = if after > candidates.len() { 0 } else { after };
    let picked = (after..candidates.len()).chain(0..after).find(|&at| candidates[at].weight > 0)?;
    cell.set(memory, Memory { place: place(picked), ..memory });
    Some(picked)
}

/// The pointer stays at its destination; if that left, it goes to the one before.
pub(super) fn edited(memory: Memory, edit: Edit) -> Memory {
    let place = match edit {
        // Index i is place i + 1, so "at or before the pointer" is `at < place`.
        Edit::Added if memory.place > 0 => memory.place + 1,
        Edit::Removed(at) if at < memory.place as usize => memory.place - 1,
        _ => memory.place,
    };
    Memory { place, ..memory }
}

fn place(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(0)
}
