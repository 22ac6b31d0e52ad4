//! Weighted round robin (ipvs-facts A.2), with the kernel's pass structure: each pass gives a connection to every
//! destination whose weight reaches the current one, and lowers it by the weights' greatest common divisor.

use super::heaviest::Order;
use super::memory::{Memory, Position};
use super::reach::Reach;
use super::{Candidate, Request};

/// What the weights of a list amount to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Weights {
    /// Greatest common divisor of the positive weights, 1 without any.
    step: i32,
    /// The weight a round begins with, 0 without any positive weight.
    top: i32,
}

impl Weights {
    pub(super) fn of(candidates: &[Candidate]) -> Self {
        let step = candidates.iter().map(|c| c.weight).filter(|&w| w > 0).fold(0, gcd);
        let most = candidates.iter().map(|c| c.weight).max().unwrap_or(0);
        if step == 0 { Self { step: 1, top: 0 } } else { Self { step, top: most - (step - 1) } }
    }
}

fn gcd(a: i32, b: i32) -> i32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Where a round begins when the scheduler is bound.
pub(super) fn bound(candidates: &[Candidate]) -> Position {
    Position { place: 0, weight: Weights::of(candidates).top }
}

/// Any change sends the scan back to the head and fits the current weight to the new weights, without raising it: the
/// first pass after a set-up one by one is the lowest (ipvs-facts A.2, trap 2).
pub(super) fn edited(position: Position, weights: Weights) -> Position {
    let weight = if position.weight > weights.top || position.weight == 0 {
        weights.top
    } else if weights.step > 1 {
        position.weight / weights.step * weights.step + 1
    } else {
        position.weight
    };
    Position { place: 0, weight }
}

/// A list's weights, and what spares walking over those that are too light.
#[derive(Debug)]
pub(super) struct Rounds {
    weights: Weights,
    reach: Reach,
    order: Order,
}

impl Rounds {
    pub(super) fn new(candidates: &[Candidate]) -> Self {
        let weights = Weights::of(candidates);
        Self { weights, reach: Reach::new(candidates), order: Order::new(candidates) }
    }

    /// How many whole passes from this weight on would find nothing, because what is heavy enough is overloaded. The pass that
    /// ends a round is never among them: it decides when to give up.
    fn passes_in_vain(&self, weight: i32, candidates: &[Candidate], request: &Request<'_>) -> i32 {
        let Weights { step, .. } = self.weights;
        let heaviest = self.order.places().find(|&at| !request.live.of(candidates[at].id).overloaded);
        let reached = heaviest.map_or(0, |at| candidates[at].weight);
        if weight <= reached {
            return 0;
        }
        let vain = (weight - reached - 1) / step + 1;
        vain.min((weight - 1) / step)
    }
}

#[inline(never)]
pub(super) fn pick(candidates: &[Candidate], rounds: &Rounds, memory: &Memory, request: &Request<'_>) -> Option<usize> {
    let cell = memory.cell(request.worker)?;
    let Weights { step, top } = rounds.weights;
    if top == 0 {
        return None;
    }
    let position = cell.get();
    // Place 0 is the list's head; place i + 1 is the destination at index i.
    let began = if position.place as usize > candidates.len() { 0 } else { position.place as usize };
    let mut weight = position.weight;
    let (mut from, mut restarted, mut last_pass) = (began, false, false);
    // The place at which the walk gives up.
    let mut stop = None;
    let remember = |place: usize, weight| {
        cell.set(position, Position { place: u32::try_from(place).unwrap_or(0), weight });
    };
    loop {
        // Overload alone keeps a destination that reaches the weight from being taken.
        while let Some(at) = rounds.reach.next(from, weight).filter(|&at| stop.is_none_or(|stop| at < stop)) {
            if !request.live.of(candidates[at].id).overloaded {
                remember(at + 1, weight);
                return Some(at);
            }
            from = at + 1;
        }
        if let Some(stop) = stop {
            remember(stop, weight);
            return None;
        }
        weight -= step;
        if weight <= 0 {
            weight = top;
            if last_pass || began == 0 {
                remember(0, weight);
                return None;
            }
            restarted = true;
        }
        weight -= step * rounds.passes_in_vain(weight, candidates, request);
        last_pass = restarted && weight <= step;
        if last_pass && began != 0 {
            stop = Some(began);
        }
        from = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::LiveConnections;
    use crate::snapshot::DestinationId;
    use crate::time::Ticks;
    use proptest::prelude::*;
    use ulvs_model::Thresholds;
    use ulvs_wire::FlowKey;

    /// The kernel's walk, one destination after the other.
    fn walk(list: &[Candidate], live: &LiveConnections, was: Position) -> (Option<usize>, Position) {
        let Weights { step, top } = Weights::of(list);
        let (began, mut weight) = (was.place as usize, was.weight);
        let position = |place: usize, weight| Position { place: u32::try_from(place).unwrap(), weight };
        if top == 0 {
            return (None, was);
        }
        let (mut at, mut restarted, mut last_pass, mut stop) = (began, false, false, None);
        loop {
            while at < list.len() {
                if list[at].weight >= weight && !live.of(list[at].id).overloaded {
                    return (Some(at), position(at + 1, weight));
                }
                if stop == Some(at + 1) {
                    return (None, position(at + 1, weight));
                }
                at += 1;
            }
            weight -= step;
            if weight <= 0 {
                weight = top;
                if last_pass || began == 0 {
                    return (None, position(0, weight));
                }
                restarted = true;
            }
            last_pass = restarted && weight <= step;
            if last_pass && began != 0 {
                stop = Some(began);
            }
            at = 0;
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Pick,
        Overload(usize, bool),
        Weigh(usize, i32),
    }

    fn weights() -> impl Strategy<Value = Vec<i32>> {
        prop_oneof![
            prop::collection::vec(0..6, 1..8),
            prop::collection::vec(prop_oneof![Just(0), Just(6), Just(15), Just(300)], 1..40),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            12 => Just(Step::Pick),
            2 => (0..40_usize, any::<bool>()).prop_map(|(at, set)| Step::Overload(at, set)),
            1 => (0..40_usize, 0..20).prop_map(|(at, weight)| Step::Weigh(at, weight)),
        ]
    }

    proptest! {
        #[test]
        fn it_picks_and_remembers_as_the_kernels_walk(weights in weights(), steps in prop::collection::vec(step(), 1..150)) {
            let live = LiveConnections::new(64).unwrap();
            let mut list: Vec<_> =
                (0..).zip(weights).map(|(id, weight)| Candidate { id: DestinationId(id), weight }).collect();
            let mut memory = Memory::at(bound(&list));
            for step in steps {
                match step {
                    Step::Pick => {
                        let position = || memory.cell(0).unwrap().get();
                        let expected = walk(&list, &live, position());
                        let request = Request { key: &FlowKey::default(), worker: 0, live: &live, now: Ticks(0) };
                        let picked = pick(&list, &Rounds::new(&list), &memory, &request);
                        prop_assert_eq!((picked, position()), expected);
                    }
                    Step::Overload(at, set) => {
                        let id = list[at % list.len()].id;
                        if live.of(id).total == 0 {
                            live.opened(id, false);
                        }
                        live.limit(id, Thresholds::new(u32::from(set), 0).unwrap());
                    }
                    Step::Weigh(at, weight) => {
                        let at = at % list.len();
                        list[at].weight = weight;
                        let position = memory.cell(0).unwrap().get();
                        memory = Memory::at(edited(position, Weights::of(&list)));
                    }
                }
            }
        }
    }

    /// One heavy destination that is overloaded: the walk would take as many passes as its weight says.
    #[test]
    fn passes_that_find_nothing_are_skipped() {
        let live = LiveConnections::new(2).unwrap();
        let heavy = Candidate { id: DestinationId(0), weight: i32::MAX };
        let list = [heavy, Candidate { id: DestinationId(1), weight: 1 }];
        live.opened(heavy.id, false);
        live.limit(heavy.id, Thresholds::new(1, 0).unwrap());
        let (memory, rounds) = (Memory::at(bound(&list)), Rounds::new(&list));
        let request = Request { key: &FlowKey::default(), worker: 0, live: &live, now: Ticks(0) };
        for _ in 0..3 {
            assert_eq!(pick(&list, &rounds, &memory, &request), Some(1));
        }
    }
}
