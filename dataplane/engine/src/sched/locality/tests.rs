use super::*;

const A: Member = Member { id: DestinationId(1), generation: 1 };
const B: Member = Member { id: DestinationId(2), generation: 1 };
const C: Member = Member { id: DestinationId(3), generation: 1 };

fn at(seconds: u32) -> Ticks {
    Ticks::from_seconds(seconds)
}

const HASHER: FlowHasher = FlowHasher::new([0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8ebc_6af0_9c88_c6e3]);

fn members(locality: &Locality, address: u32, now: Ticks) -> Vec<Member> {
    let found = |table: &mut Table| table.find(Address::v4(address), now).map(|at| table.members(at).collect());
    locality.with(found).unwrap().unwrap_or_default()
}

fn fill(locality: &Locality, addresses: std::ops::Range<u32>, now: Ticks) {
    locality.with(|table| addresses.for_each(|address| table.set(Address::v4(address), A, now)));
}

fn used(locality: &Locality) -> (usize, usize) {
    locality.with(|table| (table.entries.used(), table.members.used())).unwrap()
}

#[test]
fn an_address_has_one_destination_or_a_set_newest_first() {
    let (locality, address) = (Locality::new(HASHER), Address::v4(7));
    locality.with(|table| table.set(address, A, at(0)));
    locality.with(|table| table.set(address, B, at(1)));
    assert_eq!(members(&locality, 7, at(1)), [B]);
    locality.with(|table| [A, C, A].map(|member| table.join(address, member, at(2))));
    assert_eq!(members(&locality, 7, at(2)), [C, A, B]);
    let stale = |now| locality.with(|table| table.is_stale(0, now, ticks(10))).unwrap();
    assert!(!stale(at(12)) && stale(Ticks(at(12).0 + 1)));
    locality.with(|table| table.leave(0, A, at(20)));
    assert_eq!(members(&locality, 7, at(20)), [C, B]);
    locality.with(|table| table.leave(0, C, at(20)));
    assert_eq!((members(&locality, 7, at(20)), stale(at(1000))), (vec![B], false));
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
