use std::net::IpAddr;
use std::sync::Arc;

use super::*;
use crate::state::{Link, Neighbour};

const IFINDEX: u32 = 7;

fn key(host: u8) -> NeighbourKey {
    (IFINDEX, IpAddr::from([10, 0, 0, host]))
}

fn state(neighbours: &[(NeighbourKey, NeighbourState)]) -> KernelState {
    let link = Link { name: "ulvs0".to_owned(), mac: [2, 0, 0, 0, 0, 1], mtu: 1500, up: true };
    let neighbours = neighbours.iter().map(|&(key, state)| (key, Neighbour { mac: Some([2; 6]), state, pinned: true }));
    KernelState {
        links: Arc::new([(IFINDEX, link)].into()),
        neighbours: Arc::new(neighbours.collect()),
        ..KernelState::default()
    }
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn missing_is_asked_at_once_and_each_second() {
    let (mut keeper, wanted, start) = (Keeper::default(), BTreeSet::from([key(1)]), Instant::now());
    let missing = state(&[]);
    assert_eq!(
        keeper.due(&missing, &wanted, start),
        Due { requests: vec![key(1)], wake: Some(start + RETRY), ..Due::default() }
    );
    let early = keeper.due(&missing, &wanted, start + millis(999));
    assert_eq!(early, Due { requests: vec![], wake: Some(start + RETRY), ..Due::default() });
    let failed = state(&[(key(1), NeighbourState::Failed)]);
    let again = keeper.due(&failed, &wanted, start + RETRY);
    assert_eq!(again, Due { requests: vec![key(1)], wake: Some(start + 2 * RETRY), ..Due::default() });
}

#[test]
fn stale_is_asked_at_once_but_not_more_often_than_the_kernel_probes() {
    let (mut keeper, wanted, start) = (Keeper::default(), BTreeSet::from([key(1)]), Instant::now());
    let stale = state(&[(key(1), NeighbourState::Stale)]);
    assert_eq!(keeper.due(&stale, &wanted, start).requests, [key(1)]);
    let early = keeper.due(&stale, &wanted, start + millis(4999));
    assert_eq!(early, Due { requests: vec![], wake: Some(start + REFRESH), ..Due::default() });
    assert_eq!(keeper.due(&stale, &wanted, start + REFRESH).requests, [key(1)]);
}

#[test]
fn stale_after_a_confirmation_is_asked_at_once() {
    let (mut keeper, wanted, start) = (Keeper::default(), BTreeSet::from([key(1)]), Instant::now());
    assert_eq!(keeper.due(&state(&[]), &wanted, start).requests, [key(1)]);
    let reachable = state(&[(key(1), NeighbourState::Reachable)]);
    assert_eq!(keeper.due(&reachable, &wanted, start + millis(3)), Due::default());
    let stale = state(&[(key(1), NeighbourState::Stale)]);
    assert_eq!(keeper.due(&stale, &wanted, start + Duration::from_secs(20)).requests, [key(1)]);
}

#[test]
fn an_answer_that_fails_within_a_second_waits_for_the_second() {
    let (mut keeper, wanted, start) = (Keeper::default(), BTreeSet::from([key(1)]), Instant::now());
    keeper.due(&state(&[(key(1), NeighbourState::Stale)]), &wanted, start);
    let failed = state(&[(key(1), NeighbourState::Failed)]);
    assert_eq!(keeper.due(&failed, &wanted, start + millis(10)).wake, Some(start + RETRY));
    assert_eq!(keeper.due(&failed, &wanted, start + RETRY).requests, [key(1)]);
}

#[test]
fn what_an_operator_set_or_the_kernel_works_on_is_left_alone() {
    use NeighbourState::{Delay, NoArp, Permanent, Probe, Reachable};
    for quiet in [Permanent, NoArp, Reachable, Delay, Probe] {
        let due = Keeper::default().due(&state(&[(key(1), quiet)]), &BTreeSet::from([key(1)]), Instant::now());
        assert_eq!(due, Due::default(), "{quiet:?}");
    }
}

#[test]
fn what_the_kernel_resolved_by_itself_is_pinned() {
    let (mut keeper, wanted, start) = (Keeper::default(), BTreeSet::from([key(1)]), Instant::now());
    let mut unpinned = state(&[(key(1), NeighbourState::Reachable)]);
    Arc::make_mut(&mut unpinned.neighbours).get_mut(&key(1)).unwrap().pinned = false;
    assert_eq!(keeper.due(&unpinned, &wanted, start).requests, [key(1)]);
    assert_eq!(keeper.due(&unpinned, &wanted, start).requests, []);
}

#[test]
fn a_link_that_is_down_is_not_asked() {
    let mut down = state(&[]);
    Arc::make_mut(&mut down.links).get_mut(&IFINDEX).unwrap().up = false;
    assert_eq!(Keeper::default().due(&down, &BTreeSet::from([key(1)]), Instant::now()), Due::default());
}

#[test]
fn many_are_asked_in_bursts_and_none_twice() {
    let wanted: BTreeSet<_> =
        (0..1000_u32).map(|host| (IFINDEX, IpAddr::from((10 << 24 | host).to_be_bytes()))).collect();
    let (mut keeper, mut now, missing) = (Keeper::default(), Instant::now(), state(&[]));
    let mut asked = Vec::new();
    while asked.len() < wanted.len() {
        let due = keeper.due(&missing, &wanted, now);
        assert!(!due.requests.is_empty() && due.requests.len() <= BURST);
        asked.extend(due.requests);
        now = due.wake.unwrap();
    }
    assert_eq!(asked.into_iter().collect::<BTreeSet<_>>().len(), 1000);
}

#[test]
fn what_is_no_longer_wanted_is_released_once_and_forgotten() {
    let (mut keeper, start) = (Keeper::default(), Instant::now());
    keeper.due(&state(&[]), &BTreeSet::from([key(1), key(2)]), start);
    assert_eq!(keeper.asked.len(), 2);
    let due = keeper.due(&state(&[]), &BTreeSet::from([key(2)]), start);
    assert_eq!(due.releases, [key(1)]);
    assert_eq!((keeper.asked.len(), keeper.pinned.len()), (1, 1));
    keeper.due(&state(&[(key(2), NeighbourState::Reachable)]), &BTreeSet::from([key(2)]), start + REFRESH);
    assert!(keeper.asked.is_empty());
    assert_eq!(keeper.due(&state(&[]), &BTreeSet::new(), start + REFRESH).releases, [key(2)]);
    assert_eq!(keeper.due(&state(&[]), &BTreeSet::new(), start + REFRESH), Due::default());
}

/// A model of the kernel's entry over two days: it goes stale after 30 s, waits 5 s when used, probes, and is collected
/// after a minute of neglect. The keeper must never let it become unusable, and must not ask more than needed.
#[test]
fn a_neighbour_stays_resolved_for_days() {
    let (mut keeper, wanted, start) = (Keeper::default(), BTreeSet::from([key(1)]), Instant::now());
    let (mut now, mut requests, mut since, mut known) = (start, 0_u32, start, NeighbourState::Reachable);
    let mut used = None;
    while now < start + Duration::from_secs(2 * 86_400) {
        let due = keeper.due(&state(&[(key(1), known)]), &wanted, now);
        if !due.requests.is_empty() {
            requests += 1;
            used.get_or_insert(now);
        }
        let change = match (known, used) {
            (NeighbourState::Reachable, _) => since + Duration::from_secs(30),
            (_, Some(used)) => used + Duration::from_secs(5),
            (_, None) => since + Duration::from_secs(60),
        };
        now = due.wake.map_or(change, |wake| wake.min(change));
        if now == change {
            assert!(known == NeighbourState::Reachable || used.is_some(), "collected");
            known = match known {
                NeighbourState::Reachable => NeighbourState::Stale,
                _ => NeighbourState::Reachable,
            };
            (since, used) = (now, None);
        }
    }
    let cycles = 2 * 86_400 / 35;
    assert!((cycles..=2 * cycles + 2).contains(&requests), "{requests} requests");
}
