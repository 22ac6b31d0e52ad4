//! Weighted round robin (ipvs-facts A.2), with the kernel's pass structure: each pass gives a connection to every
//! destination whose weight reaches the current one, and lowers it by the weights' greatest common divisor.

use super::{Candidate, Cell, Memory};

/// What the weights of a list amount to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Weights {
    /// Greatest common divisor of the positive weights, 1 without any.
    step: i32,
    /// The weight a round begins with, 0 without any positive weight.
    top: i32,
}

impl Weights {
    pub(crate) fn of(candidates: &[Candidate]) -> Self {
        let step = candidates.iter().map(|c| c.weight).filter(|&w| w > 0).fold(0, gcd);
        let most = candidates.iter().map(|c| c.weight).max().unwrap_or(0);
        if step == 0 { Self { step: 1, top: 0 } } else { Self { step, top: most - (step - 1) } }
    }

    /// The current weight when the scheduler is bound.
    pub(super) const fn bound(self) -> i32 {
        self.top
    }
}

fn gcd(a: i32, b: i32) -> i32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

pub(super) fn pick(candidates: &[Candidate], weights: Weights, cell: &Cell) -> Option<usize> {
    if weights.top == 0 {
        return None;
    }
    let memory = cell.get();
    // Place 0 is the list's head; place i + 1 is the destination at index i.
    let began = if memory.place as usize > candidates.len() { 0 } else { memory.place as usize };
    let mut weight = memory.weight;
    let (mut at, mut restarted, mut last_pass) = (began, false, false);
    let mut stop = None;
    let place = |index: usize| u32::try_from(index).unwrap_or(0);
    loop {
        while at < candidates.len() {
            if candidates[at].weight >= weight {
                cell.set(memory, Memory { place: place(at + 1), weight });
                return Some(at);
            }
            if stop == Some(at + 1) {
                cell.set(memory, Memory { place: place(at + 1), weight });
                return None;
            }
            at += 1;
        }
        weight -= weights.step;
        if weight <= 0 {
            weight = weights.top;
            if last_pass || began == 0 {
                cell.set(memory, Memory { place: 0, weight });
                return None;
            }
            restarted = true;
        }
        last_pass = restarted && weight <= weights.step;
        if last_pass && began != 0 {
            stop = Some(began);
        }
        at = 0;
    }
}

/// Any change sends the scan back to the head and fits the current weight to the new weights, without raising it: the
/// first pass after a set-up one by one is the lowest (ipvs-facts A.2, trap 2).
pub(super) fn edited(memory: Memory, weights: Weights) -> Memory {
    let weight = if memory.weight > weights.top || memory.weight == 0 {
        weights.top
    } else if weights.step > 1 {
        memory.weight / weights.step * weights.step + 1
    } else {
        memory.weight
    };
    Memory { place: 0, weight }
}
