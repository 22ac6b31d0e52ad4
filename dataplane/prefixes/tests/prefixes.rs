//! The table does what a map and a look at every prefix do.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;
use ulvs_prefixes::Prefixes;

/// Few bits, so that prefixes stand below, beside and above each other often.
fn address(is_v6: bool, bits: u8) -> IpAddr {
    if is_v6 { Ipv6Addr::from_bits(u128::from(bits) << 120).into() } else { Ipv4Addr::new(bits, 0, 0, 0).into() }
}

fn prefix() -> impl Strategy<Value = IpNet> {
    (any::<bool>(), any::<u8>(), 0..=9_u8).prop_map(|(is_v6, bits, length)| {
        let longest = if is_v6 { 128 } else { 32 };
        let length = if length == 9 { longest } else { length };
        IpNet::new(address(is_v6, bits), length).unwrap()
    })
}

fn steps() -> impl Strategy<Value = Vec<(IpNet, Option<u8>)>> {
    prop::collection::vec((prefix(), prop::option::of(0..3_u8)), 0..80)
}

fn longest(map: &BTreeMap<IpNet, u8>, address: IpAddr) -> Option<u8> {
    let holding = map.iter().filter(|(prefix, _)| prefix.contains(&address));
    holding.max_by_key(|(prefix, _)| prefix.prefix_len()).map(|(_, value)| *value)
}

/// Makes the changes in both; whether they agreed on which changed anything.
fn play(table: &mut Prefixes<u8>, map: &mut BTreeMap<IpNet, u8>, steps: &[(IpNet, Option<u8>)]) -> bool {
    steps.iter().all(|(prefix, value)| {
        let key = prefix.trunc();
        let before = match value {
            Some(value) => map.insert(key, *value),
            None => map.remove(&key),
        };
        table.set(prefix, *value) == (before != *value)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_a_map(steps in steps()) {
        let (mut table, mut map) = (Prefixes::default(), BTreeMap::new());
        prop_assert!(play(&mut table, &mut map, &steps));
        prop_assert_eq!(table.len(), map.len());
        prop_assert_eq!(table.is_empty(), map.is_empty());
        let listed: Vec<_> = table.iter().map(|(prefix, value)| (prefix, *value)).collect();
        prop_assert_eq!(listed, map.iter().map(|(prefix, value)| (*prefix, *value)).collect::<Vec<_>>());
        for (prefix, _) in &steps {
            prop_assert_eq!(table.get(prefix), map.get(&prefix.trunc()));
        }
        for (is_v6, bits) in [false, true].into_iter().flat_map(|is_v6| (0..=255).map(move |bits| (is_v6, bits))) {
            prop_assert_eq!(table.longest(address(is_v6, bits)).copied(), longest(&map, address(is_v6, bits)));
        }
        // Another order of the same leads to the same.
        prop_assert_eq!(map.into_iter().rev().collect::<Prefixes<_>>(), table);
    }

    #[test]
    fn what_is_behind_a_prefix_is_the_rest_of_all(steps in steps(), others in prop::collection::vec(prefix(), 0..8)) {
        let (mut table, mut map) = (Prefixes::default(), BTreeMap::new());
        prop_assert!(play(&mut table, &mut map, &steps));
        for prefix in steps.iter().map(|(prefix, _)| prefix).chain(&others).map(IpNet::trunc) {
            let rest = map.iter().filter(|(one, _)| **one > prefix).map(|(one, value)| (*one, *value));
            let behind = table.after(&prefix).map(|(one, value)| (one, *value));
            prop_assert_eq!(behind.collect::<Vec<_>>(), rest.collect::<Vec<_>>());
        }
    }

    #[test]
    fn changes_lead_from_one_to_the_other(one in steps(), two in steps(), is_copy: bool) {
        let (mut before, mut map) = (Prefixes::default(), BTreeMap::new());
        prop_assert!(play(&mut before, &mut map, &one));
        let (mut now, mut now_map) = if is_copy { (before.clone(), map.clone()) } else { Default::default() };
        prop_assert!(play(&mut now, &mut now_map, &two));
        let mut told = BTreeMap::new();
        now.changes(&before, |prefix, value| assert_eq!(told.insert(prefix, value.copied()), None));
        let all = map.keys().chain(now_map.keys());
        let differ = all.filter(|prefix| map.get(*prefix) != now_map.get(*prefix));
        let expected: BTreeMap<_, _> = differ.map(|prefix| (*prefix, now_map.get(prefix).copied())).collect();
        prop_assert_eq!(&told, &expected);
        prop_assert_eq!(now == before, told.is_empty());
        // The copy that was left behind is what it was.
        prop_assert_eq!(before, map.into_iter().collect());
    }
}

#[test]
fn a_change_among_many_is_found_without_looking_at_them() {
    #[derive(Clone)]
    struct Counted(u32, std::rc::Rc<std::cell::Cell<u32>>);
    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            self.1.set(self.1.get() + 1);
            self.0 == other.0
        }
    }
    let compared = std::rc::Rc::default();
    let value = |number| Counted(number, std::rc::Rc::clone(&compared));
    let prefix = |number: u32| IpNet::new(Ipv4Addr::from_bits(number << 8).into(), 24).unwrap();
    let before: Prefixes<_> = (0..10_000).map(|number| (prefix(number), value(number))).collect();
    let mut now = before.clone();
    now.set(&prefix(77), None);
    now.set(&prefix(78), Some(value(1)));
    compared.set(0);
    let mut changed = Vec::new();
    now.changes(&before, |prefix, value| changed.push((prefix, value.map(|value| value.0))));
    assert_eq!(changed, [(prefix(77), None), (prefix(78), Some(1))]);
    assert!(compared.get() < 40, "{} values compared", compared.get());
}
