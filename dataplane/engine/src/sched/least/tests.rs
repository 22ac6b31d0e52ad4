use super::*;
use crate::live::LiveConnections;
use crate::sched::{lc::Lc, nq::Nq, sed::Sed, wlc::Wlc};
use crate::snapshot::DestinationId;
use crate::time::Ticks;
use proptest::prelude::*;
use ulvs_model::Thresholds;
use ulvs_wire::FlowKey;

/// The kernel's walks, as ipvs-facts A.3 to A.6 tell them.
fn walks(list: &[Candidate], live: &LiveConnections) -> [Option<usize>; 4] {
    let loads: Vec<_> = list.iter().map(|one| live.of(one.id)).collect();
    let eligible: Vec<_> = (0..list.len()).filter(|&at| list[at].weight > 0 && !loads[at].overloaded).collect();
    let by_weight = |overhead: &dyn Fn(Load) -> i64| {
        let mut walk = eligible.iter().copied();
        let first = walk.next()?;
        Some(walk.fold(first, |least, at| {
            let [least_weight, weight] = [least, at].map(|at| i64::from(list[at].weight));
            if overhead(loads[least]) * weight > overhead(loads[at]) * least_weight { at } else { least }
        }))
    };
    let overhead = |load: Load| 256 * i64::from(load.active) + i64::from(load.total);
    let lc = eligible.iter().copied().min_by_key(|&at| overhead(loads[at]));
    let sed = by_weight(&|load| i64::from(load.active) + 1);
    let idle = eligible.iter().copied().find(|&at| loads[at].active == 0);
    [lc, by_weight(&overhead), sed, idle.or(sed)]
}

struct Leasts(Least<Lc>, Least<Wlc>, Least<Sed>, Least<Nq>);

impl Leasts {
    fn new(list: &[Candidate]) -> Self {
        Self(Least::new(list, 2), Least::new(list, 2), Least::new(list, 2), Least::new(list, 2))
    }

    fn pick(&self, live: &LiveConnections, worker: usize) -> [Option<usize>; 4] {
        let request = Request { key: &FlowKey::default(), worker, live, now: Ticks(0) };
        let Self(lc, wlc, sed, nq) = self;
        [lc.pick(&request), wlc.pick(&request), sed.pick(&request), nq.pick(&request)]
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open(usize, bool),
    End(usize),
    Become(usize),
    Limit(usize, u32),
    Weigh(usize, i32),
    Add(i32),
    Remove(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let one = 0..90_usize;
    prop_oneof![
        8 => (one.clone(), any::<bool>()).prop_map(|(at, active)| Step::Open(at, active)),
        4 => one.clone().prop_map(Step::End),
        4 => one.clone().prop_map(Step::Become),
        2 => (one.clone(), 0..4_u32).prop_map(|(at, upper)| Step::Limit(at, upper)),
        1 => (one.clone(), 0..5).prop_map(|(at, weight)| Step::Weigh(at, weight)),
        1 => (0..5).prop_map(Step::Add),
        1 => one.prop_map(Step::Remove),
    ]
}

/// Weights with a small common multiple.
fn small() -> impl Strategy<Value = i32> {
    prop_oneof![Just(0), Just(1), 1..5]
}

/// Most lists of these have none.
fn any_weight() -> impl Strategy<Value = i32> {
    prop_oneof![small(), 1..100_i32, Just(65_535), Just(i32::MAX)]
}

/// Changes a load as it can change.
fn change(live: &LiveConnections, id: DestinationId, step: Step) {
    let load = live.of(id);
    match step {
        Step::Open(_, active) => live.opened(id, active),
        Step::End(_) if load.inactive() > 0 => live.ended(id, false),
        Step::End(_) if load.active > 0 => live.ended(id, true),
        Step::Become(_) if load.inactive() > 0 => live.became(id, true),
        Step::Become(_) if load.active > 0 => live.became(id, false),
        Step::Limit(_, upper) => live.limit(id, Thresholds::new(upper, 0).unwrap()),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever changes between two picks, by whichever of two workers: each pick is the walk's.
    #[test]
    fn it_picks_as_a_walk_does(
        weights in prop_oneof![prop::collection::vec(small(), 1..90), prop::collection::vec(any_weight(), 1..90)],
        numbers in Just((0..128).collect::<Vec<u32>>()).prop_shuffle(),
        steps in prop::collection::vec((step(), any::<bool>()), 1..200),
    ) {
        let live = LiveConnections::new(128).unwrap();
        let mut numbers = numbers.into_iter().map(DestinationId);
        let new = |id, weight| {
            live.watch(id, true);
            Candidate { id, weight }
        };
        let mut list: Vec<_> = numbers.by_ref().zip(weights).map(|(id, weight)| new(id, weight)).collect();
        let mut leasts = Leasts::new(&list);
        for (step, worker) in steps {
            match step {
                Step::Add(weight) => list.splice(..0, numbers.next().map(|id| new(id, weight))).for_each(drop),
                Step::Weigh(at, weight) if !list.is_empty() => {
                    let at = at % list.len();
                    list[at].weight = weight;
                }
                Step::Remove(at) if !list.is_empty() => drop(list.remove(at % list.len())),
                Step::Open(at, _) | Step::End(at) | Step::Become(at) | Step::Limit(at, _) if !list.is_empty() => {
                    change(&live, list[at % list.len()].id, step);
                }
                _ => {}
            }
            if matches!(step, Step::Add(_) | Step::Weigh(..) | Step::Remove(_)) {
                leasts = Leasts::new(&list);
            }
            prop_assert_eq!(leasts.pick(&live, worker.into()), walks(&list, &live));
        }
    }
}
