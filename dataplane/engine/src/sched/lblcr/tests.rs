//! lblc and lblcr beside the walks of ipvs-facts A.13 and A.14.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::*;
use crate::live::{LiveConnections, Load};
use crate::sched::lblc;
use crate::sched::locality::Member;
use crate::sched::{Candidate, Listed};
use crate::snapshot::DestinationId;
use crate::time::{Ticks, ticks};
use proptest::prelude::*;
use ulvs_model::Thresholds;
use ulvs_wire::{Address, Family, FlowHasher, FlowKey, parse};

const EXPIRATION: u32 = 10;
const NUMBERS: u32 = 600;
const HASHER: FlowHasher = FlowHasher::new([0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8ebc_6af0_9c88_c6e3]);

/// What is known of an address: when it was asked for, when its set changed, and the set, newest first.
type Known = ((Ticks, Ticks), Vec<Member>);

/// The rules as walks.
#[derive(Default)]
struct Walks {
    list: Vec<Listed>,
    known: HashMap<u128, Known>,
}

impl Walks {
    fn place(&self, member: Member) -> Option<usize> {
        let is = |one: &Listed| (one.candidate.id, one.generation) == (member.id, member.generation);
        self.list.iter().position(is)
    }

    fn member(&self, place: usize) -> Member {
        Member { id: self.list[place].candidate.id, generation: self.list[place].generation }
    }

    fn load(&self, live: &LiveConnections, place: usize) -> (Load, i64, i64) {
        let Candidate { id, weight } = self.list[place].candidate;
        (live.of(id), Load::overhead(live.of(id)).into(), weight.into())
    }

    /// The first with the least load for its weight.
    fn least(&self, live: &LiveConnections, places: impl Iterator<Item = usize>) -> Option<usize> {
        let mut eligible = places.filter(|&at| self.load(live, at).2 > 0 && !self.load(live, at).0.overloaded);
        let first = eligible.next()?;
        Some(eligible.fold(first, |least, at| {
            let ((_, load, weight), (_, least_load, least_weight)) = (self.load(live, at), self.load(live, least));
            if load * least_weight < least_load * weight { at } else { least }
        }))
    }

    fn most(&self, live: &LiveConnections, set: &[Member]) -> Option<Member> {
        if let Some(&gone) = set.iter().find(|&&member| self.place(member).is_none()) {
            return Some(gone);
        }
        let mut weighed = set.iter().filter(|&&member| self.load(live, self.place(member).unwrap()).2 > 0);
        let first = weighed.next()?;
        Some(*weighed.fold(first, |most, member| {
            let [(_, load, weight), (_, most_load, most_weight)] =
                [member, most].map(|&member| self.load(live, self.place(member).unwrap()));
            if load * most_weight > most_load * weight { member } else { most }
        }))
    }

    fn is_overloaded(&self, live: &LiveConnections, place: usize) -> bool {
        let active = |at| i64::from(self.load(live, at).0.active);
        active(place) > self.load(live, place).2
            && (0..self.list.len()).any(|at| 2 * active(at) < self.load(live, at).2)
    }

    fn lblc(&mut self, live: &LiveConnections, address: u128, now: Ticks) -> Option<usize> {
        if let Some(((used, _), set)) = self.known.get_mut(&address) {
            *used = now;
            let member = set[0];
            let is_good = |&at: &usize| self.load(live, at).2 > 0 && !self.is_overloaded(live, at);
            if let Some(place) = self.place(member).filter(is_good) {
                return Some(place);
            }
        }
        let place = self.least(live, 0..self.list.len())?;
        let member = self.member(place);
        self.known.entry(address).or_insert(((now, now), Vec::new())).1 = vec![member];
        Some(place)
    }

    fn lblcr(&mut self, live: &LiveConnections, address: u128, now: Ticks) -> Option<usize> {
        if let Some((mut times, mut set)) = self.known.get(&address).cloned() {
            times.0 = now;
            let least = self.least(live, set.iter().filter_map(|&member| self.place(member)));
            if set.len() > 1
                && now.since(times.1) > ticks(EXPIRATION)
                && let Some(most) = self.most(live, &set)
            {
                set.retain(|&member| member != most);
                times.1 = now;
            }
            self.known.insert(address, (times, set));
            if let Some(place) = least.filter(|&place| !self.is_overloaded(live, place)) {
                return Some(place);
            }
        }
        let place = self.least(live, 0..self.list.len())?;
        let member = self.member(place);
        let ((_, changed), set) = self.known.entry(address).or_insert(((now, now), Vec::new()));
        if !set.contains(&member) {
            set.insert(0, member);
            *changed = now;
        }
        Some(place)
    }
}

/// A service, with what it remembers and with the walks beside it.
struct Service {
    replicates: bool,
    live: LiveConnections,
    locality: Locality,
    prepared: Prepared,
    walks: Walks,
    candidates: Vec<Candidate>,
    /// The list before, by which a worker still picks that has not got the latest.
    before: (Prepared, Vec<Candidate>),
    now: Ticks,
}

impl Service {
    fn new(replicates: bool, list: Vec<Listed>) -> Self {
        let locality = Locality::new(HASHER);
        locality.expire_after(EXPIRATION.cast_signed());
        let mut service = Self {
            replicates,
            live: LiveConnections::new(NUMBERS as usize).unwrap(),
            prepared: Prepared::new(&[], &[], Some(&locality), 2),
            locality,
            walks: Walks { list, ..Walks::default() },
            candidates: Vec::new(),
            before: (Prepared::new(&[], &[], None, 2), Vec::new()),
            now: Ticks::from_seconds(1000),
        };
        service.publish();
        service
    }

    /// As the compiler does at each change of the list.
    fn publish(&mut self) {
        let list = &self.walks.list;
        let candidates: Vec<_> = list.iter().map(|one| one.candidate).collect();
        let prepared = Prepared::new(list, &candidates, Some(&self.locality), 2);
        self.before =
            (std::mem::replace(&mut self.prepared, prepared), std::mem::replace(&mut self.candidates, candidates));
        for one in list {
            self.live.watch(one.candidate.id, self.prepared.is_watching());
        }
    }

    /// Opens a connection; both must choose alike, and remember the same.
    fn open(&mut self, address: u32, active: bool, worker: usize) -> Result<(), TestCaseError> {
        let address = Address::v4(address);
        let key = FlowKey::new(parse::TCP, Family::V4, (Address::v4(1), 1), (address, 80));
        let request = Request { key: &key, worker, live: &self.live, now: self.now };
        let pick = if self.replicates { pick } else { lblc::pick };
        let picked = pick(&self.prepared, &self.candidates, &self.locality, &request);
        let walked = if self.replicates {
            self.walks.lblcr(&self.live, address.0, self.now)
        } else {
            self.walks.lblc(&self.live, address.0, self.now)
        };
        prop_assert_eq!(picked, walked);
        let known = self.locality.with(|table| table.set_of(address)).unwrap();
        prop_assert_eq!(known.as_ref(), self.walks.known.get(&address.0));
        if let Some(place) = picked {
            self.live.opened(self.candidates[place].id, active);
        }
        Ok(())
    }

    /// Opens a connection by the list before. What then is remembered is right, for nobody walked.
    fn open_late(&mut self, address: u32) {
        let (prepared, candidates) = &self.before;
        let address = Address::v4(address);
        let key = FlowKey::new(parse::TCP, Family::V4, (Address::v4(1), 1), (address, 80));
        let request = Request { key: &key, worker: 1, live: &self.live, now: self.now };
        let pick = if self.replicates { pick } else { lblc::pick };
        if let Some(place) = pick(prepared, candidates, &self.locality, &request) {
            self.live.opened(candidates[place].id, true);
        }
        if let Some(known) = self.locality.with(|table| table.set_of(address)).flatten() {
            self.walks.known.insert(address.0, known);
        }
    }

    fn change(&mut self, at: usize, change: impl FnOnce(&LiveConnections, DestinationId, Load)) {
        if let Some(one) = at.checked_rem(self.candidates.len()).map(|at| self.candidates[at]) {
            change(&self.live, one.id, self.live.of(one.id));
        }
    }

    fn collect(&mut self) {
        // Each thirtieth looks at everything.
        (0..30).for_each(|_| self.locality.collect(self.now));
        self.walks.known.retain(|_, ((used, _), _)| self.now.since(*used) < ticks(EXPIRATION));
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open(u32, usize, bool),
    OpenLate(u32, usize),
    End(usize, usize),
    Become(usize, bool),
    Limit(usize, u32),
    Weigh(usize, i32),
    Add(i32),
    Remove(usize, usize),
    Return,
    Wait(u32),
    Collect,
}

fn step() -> impl Strategy<Value = Step> {
    let one = 0..600_usize;
    prop_oneof![
        16 => (0..3_u32, 1..60_usize, prop::bool::weighted(0.9)).prop_map(|(to, count, on)| Step::Open(to, count, on)),
        6 => (0..3_u32, 1..20_usize).prop_map(|(to, count)| Step::OpenLate(to, count)),
        4 => (one.clone(), 1..60_usize).prop_map(|(at, count)| Step::End(at, count)),
        4 => (one.clone(), any::<bool>()).prop_map(|(at, active)| Step::Become(at, active)),
        2 => (one.clone(), 0..4_u32).prop_map(|(at, upper)| Step::Limit(at, upper)),
        6 => (one.clone(), weight()).prop_map(|(at, weight)| Step::Weigh(at, weight)),
        1 => weight().prop_map(Step::Add),
        1 => (one, 1..90_usize).prop_map(|(at, count)| Step::Remove(at, count)),
        2 => Just(Step::Return),
        3 => (0..20_u32).prop_map(Step::Wait),
        1 => Just(Step::Collect),
    ]
}

/// Mostly with a small common multiple.
fn weight() -> impl Strategy<Value = i32> {
    prop_oneof![20 => 0..4_i32, 1 => prop_oneof![1..100_i32, Just(65_535), Just(i32::MAX)]]
}

fn listed(id: u32, weight: i32) -> Listed {
    Listed {
        candidate: Candidate { id: DestinationId(id), weight },
        generation: id + 7,
        last_weight: weight,
        limited: false,
        address: SocketAddr::from(([10, 0, 0, 1], 80)),
    }
}

fn play(
    service: &mut Service,
    numbers: &mut impl Iterator<Item = u32>,
    steps: &[(Step, bool)],
) -> Result<(), TestCaseError> {
    let mut removed = Vec::new();
    for &(step, worker) in steps {
        let count = service.candidates.len();
        match step {
            Step::Open(address, count, active) => {
                (0..count).try_for_each(|_| service.open(address, active, worker.into()))?;
            }
            Step::OpenLate(address, count) => (0..count).for_each(|_| service.open_late(address)),
            Step::End(at, count) => (at..at + count).for_each(|at| {
                service.change(at, |live, id, load| {
                    (0..load.active).for_each(|_| live.ended(id, true));
                    (0..load.inactive()).for_each(|_| live.ended(id, false));
                });
            }),
            Step::Become(at, active) => service.change(at, |live, id, load| {
                if (if active { load.inactive() } else { load.active }) > 0 {
                    live.became(id, active);
                }
            }),
            Step::Limit(at, upper) => {
                service.change(at, |live, id, _| live.limit(id, Thresholds::new(upper, 0).unwrap()));
            }
            Step::Weigh(at, weight) if count > 0 => service.walks.list[at % count].candidate.weight = weight,
            Step::Add(weight) => {
                service.walks.list.splice(..0, numbers.next().map(|id| listed(id, weight))).for_each(drop);
            }
            Step::Remove(at, many) if count > 0 => {
                let at = at % count;
                removed.extend(service.walks.list.drain(at..(at + many).min(count)));
            }
            Step::Return => service.walks.list.splice(..0, removed.drain(..)).for_each(drop),
            Step::Wait(seconds) => service.now.0 += ticks(seconds),
            Step::Collect => service.collect(),
            Step::Weigh(..) | Step::Remove(..) => {}
        }
        if matches!(step, Step::Weigh(..) | Step::Add(_) | Step::Remove(..) | Step::Return) {
            service.publish();
        }
        service.now.0 += 1;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever changes between two picks, by whichever of two workers: each pick and each set is the walks', also after
    /// one of them has picked by the list before.
    #[test]
    fn they_pick_as_walks_do(
        replicates in prop::bool::weighted(0.8),
        weights in prop::collection::vec(weight(), 1..160),
        numbers in prop_oneof![
            Just((0..NUMBERS).collect::<Vec<_>>()),
            Just((0..NUMBERS).rev().collect()),
            Just((0..NUMBERS).collect()).prop_shuffle(),
        ],
        steps in prop::collection::vec((step(), any::<bool>()), 1..120),
    ) {
        let mut numbers = numbers.into_iter();
        let list = numbers.by_ref().zip(weights).map(|(id, weight)| listed(id, weight)).collect();
        play(&mut Service::new(replicates, list), &mut numbers, &steps)?;
    }
}
