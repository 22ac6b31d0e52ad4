//! Plans lead where they say, and no text makes the parser fall.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proptest::prelude::*;
use ulvs_config::{Director, Plan};
use ulvs_model::{Destination, ForwardMethod, Protocol, SchedulerKind, Service, ServiceKey, ServiceSet, Weight};

const EXAMPLE: &str = include_str!("../../../docs/ulvs.example.toml");

fn destination() -> impl Strategy<Value = Destination> {
    (1..6u8, 80..82u16, prop::sample::select(&ForwardMethod::ALL[..]), 0..3i64).prop_map(
        |(host, port, method, weight)| {
            let address = SocketAddr::from(([10, 0, 0, host], port));
            Destination { address, method, weight: Weight::new(weight).unwrap() }
        },
    )
}

fn service() -> impl Strategy<Value = Service> {
    let key = (prop::sample::select(&Protocol::ALL[..]), 1..4u8);
    let scheduler = prop::sample::select(&SchedulerKind::ALL[..]);
    (key, scheduler, prop::collection::vec(destination(), 0..8)).prop_map(
        |((protocol, host), scheduler, destinations)| {
            let key = ServiceKey::new(protocol, SocketAddr::from(([192, 0, 2, host], 80)));
            let mut service = Service::new(key, scheduler).unwrap();
            for destination in destinations {
                let _duplicate = service.add(destination);
            }
            service
        },
    )
}

fn services() -> impl Strategy<Value = ServiceSet> {
    prop::collection::vec(service(), 0..6).prop_map(|services| {
        let mut set = ServiceSet::new();
        for service in services {
            let _duplicate = set.add(service);
        }
        set
    })
}

/// A set without the order of real servers, which plans leave alone.
fn unordered(set: &ServiceSet) -> BTreeMap<ServiceKey, (SchedulerKind, BTreeMap<SocketAddr, Destination>)> {
    let destinations = |service: &Service| service.destinations().iter().map(|&d| (d.address, d)).collect();
    set.iter().map(|service| (service.key(), (service.scheduler(), destinations(service)))).collect()
}

proptest! {
    #[test]
    fn a_plan_turns_the_old_set_into_the_new(old in services(), new in services()) {
        let plan = Plan::between(&old, &new);
        let mut changed = old.clone();
        plan.apply(&mut changed).unwrap();
        prop_assert_eq!(unordered(&changed), unordered(&new));
        prop_assert!(Plan::between(&changed, &new).is_empty());
        prop_assert_eq!(plan.is_empty(), unordered(&old) == unordered(&new));
        prop_assert_eq!(plan.to_string().lines().count(), plan.steps().len());
    }

    #[test]
    fn real_servers_that_stay_keep_their_order(old in services(), new in services()) {
        let mut changed = old.clone();
        Plan::between(&old, &new).apply(&mut changed).unwrap();
        for service in changed.iter() {
            let Some(before) = old.get(&service.key()) else { continue };
            let stayed = |address: &SocketAddr| service.find(*address).is_some();
            let kept: Vec<_> = before.destinations().iter().map(|d| d.address).filter(stayed).collect();
            let now: Vec<_> = service.destinations().iter().map(|d| d.address).take(kept.len()).collect();
            prop_assert_eq!(kept, now);
        }
    }

    #[test]
    fn a_set_built_by_its_plan_is_the_set(new in services()) {
        let mut built = ServiceSet::new();
        Plan::between(&ServiceSet::new(), &new).apply(&mut built).unwrap();
        prop_assert_eq!(built, new);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        check(&text);
    }

    #[test]
    fn any_toml_like_text_is_read_or_refused(text in "([a-z_.=\\[\\]{}\"'#,\n 0-9é]|port|service|workers|real_server){0,200}") {
        check(&text);
    }

    #[test]
    fn a_mutated_example_is_read_or_refused(
        edits in prop::collection::vec((0..EXAMPLE.len(), 0..12usize, "[\\[\\]{}\"=,.a-z0-9\n\r\u{0}é-]{0,6}"), 1..6)
    ) {
        let mut text = EXAMPLE.to_owned();
        for (at, length, replacement) in edits {
            let characters: Vec<char> = text.chars().collect();
            let start = at.min(characters.len());
            let end = (start + length).min(characters.len());
            text = characters[..start].iter().copied().chain(replacement.chars()).chain(characters[end..].iter().copied()).collect();
        }
        check(&text);
    }
}

/// Reads a text; what is wrong with it must have a place in it.
fn check(text: &str) {
    let Err(found) = Director::parse(text) else { return };
    assert!(!found.is_empty());
    for diagnostic in found {
        let line = text.split('\n').nth(diagnostic.line() - 1).expect("the line is in the text");
        assert!(diagnostic.column() <= line.chars().count() + 1);
        assert!(diagnostic.render("f").lines().count() == 4);
    }
}
