use std::net::SocketAddr;

use super::table::MOST;
use super::*;
use crate::live::LiveConnections;
use crate::sched::least::Aged;
use crate::sched::roster::{Roster, View};
use crate::sched::{Candidate, Listed};

const A: Member = Member { id: DestinationId(1), generation: 1 };
const B: Member = Member { id: DestinationId(2), generation: 1 };
const C: Member = Member { id: DestinationId(3), generation: 1 };

fn at(seconds: u32) -> Ticks {
    Ticks::from_seconds(seconds)
}

const HASHER: FlowHasher = FlowHasher::new([0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8ebc_6af0_9c88_c6e3]);

fn members(locality: &Locality, address: u32, now: Ticks) -> Vec<Member> {
    let found =
        |table: &mut Table| table.find(Address::v4(address), now).and_then(|_| table.set_of(Address::v4(address)));
    locality.with(found).unwrap().map(|(_, members)| members).unwrap_or_default()
}

fn fill(locality: &Locality, addresses: std::ops::Range<u32>, now: Ticks) {
    locality.with(|table| addresses.for_each(|address| table.set(Address::v4(address), A, now)));
}

fn used(locality: &Locality) -> (usize, usize) {
    let (addresses, members, wide) = locality.with(|table| table.used()).unwrap();
    assert_eq!(wide, (0, 0));
    (addresses, members)
}

/// A list of destinations with these weights.
fn list(weights: impl IntoIterator<Item = i32>) -> Roster {
    let one = |(id, weight)| Listed {
        candidate: Candidate { id: DestinationId(id), weight },
        generation: 1,
        last_weight: 1,
        limited: false,
        address: SocketAddr::from(([10, 0, 0, 1], 80)),
    };
    Roster::new(&(0..).zip(weights).map(one).collect::<Vec<_>>())
}

/// A table, loads, and a list of so many destinations with the weight 1.
fn with_list(count: usize) -> (Locality, LiveConnections, Roster) {
    (Locality::new(HASHER), LiveConnections::new(20_000).unwrap(), list(std::iter::repeat_n(1, count)))
}

#[test]
fn an_address_has_one_destination_or_a_set_newest_first() {
    let ((locality, live, roster), address) = (with_list(10), Address::v4(7));
    let view = View { roster: &roster, live: &live, edition: 1, is_watched: false };
    locality.with(|table| table.set(address, A, at(0)));
    locality.with(|table| table.set(address, B, at(1)));
    assert_eq!(members(&locality, 7, at(1)), [B]);
    locality.with(|table| [A, C, A].map(|member| table.join(address, member, at(2))));
    assert_eq!(members(&locality, 7, at(2)), [C, A, B]);
    let stale = |now| locality.with(|table| table.is_stale(0, now, ticks(10))).unwrap();
    assert!(!stale(at(12)) && stale(Ticks(at(12).0 + 1)));
    live.opened(A.id, true);
    locality.with(|table| table.shrink(0, &view, at(20)));
    assert_eq!(members(&locality, 7, at(20)), [C, B]);
    locality.with(|table| table.shrink(0, &view, at(20)));
    assert_eq!((members(&locality, 7, at(20)), stale(at(1000))), (vec![B], false));
}

/// The memory of a wide set is given back as it shrinks, and when its address is forgotten.
#[test]
fn a_set_takes_memory_by_its_members() {
    let (locality, live, roster) = with_list(1000);
    let view = View { roster: &roster, live: &live, edition: 1, is_watched: false };
    let used = || locality.with(|table| table.used()).unwrap();
    let member = |id| Member { id: DestinationId(id), generation: 1 };
    let join = |id: u32| locality.with(|table| table.join(Address::v4(7), member(id), at(0))).unwrap();
    (0..32).for_each(join);
    assert_eq!(used(), (1, 32, (0, 0)));
    join(32);
    assert_eq!(used(), (1, 0, (1, 3)));
    (0..1000).for_each(join);
    assert_eq!(used(), (1, 0, (8, 63)));
    assert_eq!(members(&locality, 7, at(0)), (0..1000).rev().map(member).collect::<Vec<_>>());
    // Of equals the newest goes first.
    (0..872).for_each(|_| locality.with(|table| table.shrink(0, &view, at(1))).unwrap());
    assert_eq!(used(), (1, 0, (1, 8)));
    (0..30).for_each(|_| locality.collect(at(100_000)));
    assert_eq!(used(), (0, 0, (0, 0)));
}

/// Another destination with the number of one that is gone takes its place.
#[test]
fn a_number_is_in_a_wide_set_once() {
    let (locality, ..) = with_list(0);
    let member = |id, generation| Member { id: DestinationId(id), generation };
    let join = |member| locality.with(|table| table.join(Address::v4(7), member, at(0))).unwrap();
    (0..40).for_each(|id| join(member(id, 1)));
    join(member(5, 2));
    let others = (0..40).rev().filter(|&id| id != 5).map(|id| member(id, 1));
    let expected: Vec<_> = std::iter::once(member(5, 2)).chain(others).collect();
    assert_eq!(members(&locality, 7, at(0)), expected);
}

/// What a worker finds that has not got the latest list is not taken for right by one that has.
#[test]
fn a_wide_set_goes_by_the_latest_list() {
    let (locality, live, before) = with_list(40);
    let after = list((0..40).map(|id| if id == 5 { 10 } else { 1 }));
    let member = |id| Member { id: DestinationId(id), generation: 1 };
    for id in 0..40 {
        locality.with(|table| table.join(Address::v4(7), member(id), at(0))).unwrap();
        live.watch(DestinationId(id), true);
    }
    let least = |roster, edition| {
        let view = View { roster, live: &live, edition, is_watched: true };
        locality.with(|table| table.least::<Aged>(0, &view)).unwrap()
    };
    assert_eq!([least(&before, 1), least(&after, 2), least(&before, 1)], [Some(39); 3]);
    (0..40).for_each(|id| live.opened(DestinationId(id), true));
    assert_eq!([least(&before, 1), least(&after, 2), least(&after, 2)], [Some(39), Some(5), Some(5)]);
}

/// Without room a set grows no more; what it has stays, and what is given back is taken again.
#[test]
fn wide_sets_have_a_limit() {
    let (locality, ..) = with_list(0);
    let join = |address, id| {
        let member = Member { id: DestinationId(id), generation: 1 };
        locality.with(|table| table.join(Address::v4(address), member, at(address))).unwrap();
    };
    let used = || locality.with(|table| table.used()).unwrap();
    for address in 0..400 {
        // Each in a group and a node of its own.
        (0..100).for_each(|number| join(address, number * 128));
    }
    let (addresses, lists, (nodes, groups)) = used();
    assert_eq!((addresses, nodes, groups), (400, MOST / 4, MOST / 4));
    assert_eq!(lists, (400 - MOST.div_ceil(400)) * 32);
    (0..400).for_each(|address| assert!([32, 100, 44].contains(&members(&locality, address, at(400)).len())));
    (0..30).for_each(|_| locality.collect(at(200_000)));
    assert_eq!(used(), (0, 0, (0, 0)));
    (0..100).for_each(|number| join(7, number * 128));
    assert_eq!(used(), (1, 0, (100, 100)));
}

#[test]
fn a_full_table_takes_no_more_and_forgets_none() {
    let locality = Locality::new(HASHER);
    fill(&locality, 0..30_000, at(0));
    assert_eq!(used(&locality), (MOST, MOST));
    assert_eq!(members(&locality, 24_575, at(0)), [A]);
    assert_eq!(members(&locality, 24_576, at(0)), []);
    locality.with(|table| table.join(Address::v4(1), B, at(0)));
    assert_eq!(members(&locality, 1, at(0)), [B, A]);
}

/// Of more than 16,384 addresses those idle for six minutes go, at most a third more than are too many, and a bucket's.
#[test]
fn too_many_addresses_make_way() {
    let locality = Locality::new(HASHER);
    fill(&locality, 0..20_000, at(0));
    locality.collect(at(359));
    assert_eq!(used(&locality).0, 20_000);
    fill(&locality, 0..1000, at(359));
    locality.collect(at(360));
    let (left, _) = used(&locality);
    assert!((15_050..=15_179).contains(&left), "{left}");
    assert_eq!(used(&locality), (left, left));
    fill(&locality, 0..1000, at(360));
    assert_eq!(used(&locality).0, left, "none that was asked for went");
    locality.collect(at(100_000));
    assert_eq!(used(&locality).0, left, "there are no longer too many");
}

#[test]
fn every_thirtieth_collection_forgets_what_was_idle_for_a_day() {
    let locality = Locality::new(HASHER);
    fill(&locality, 0..1000, at(0));
    fill(&locality, 1000..1100, at(1));
    for _ in 0..29 {
        locality.collect(at(86_400));
        assert_eq!(used(&locality).0, 1100);
    }
    locality.collect(at(86_400));
    assert_eq!(used(&locality), (100, 100));
    assert_eq!(members(&locality, 1000, at(86_400)), [A]);
}

#[test]
fn a_sysctl_says_how_long_that_is() {
    let locality = Locality::new(HASHER);
    locality.expire_after(60);
    fill(&locality, 0..10, at(0));
    fill(&locality, 10..15, at(1));
    (0..30).for_each(|_| locality.collect(at(60)));
    assert_eq!(used(&locality).0, 5);
    locality.expire_after(i32::MAX);
    (0..30).for_each(|_| locality.collect(at(100_000)));
    assert_eq!(used(&locality).0, 5);
}

#[test]
fn a_table_that_somebody_has_is_not_waited_for() {
    let locality = Locality::new(HASHER);
    let inner = locality.with(|_| locality.with(|_| ()));
    assert_eq!(inner, Some(None));
}
