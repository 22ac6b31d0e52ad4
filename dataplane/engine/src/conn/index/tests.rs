//! The index as a map, and how full it gets.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

proptest! {
    /// Against a map: what was inserted is found, what was removed is not, in any order, at any crowding.
    #[test]
    fn is_a_map(
        operations in prop::collection::vec((any::<bool>(), 0u64..40), 1..400), slots in 1usize..60,
    ) {
        let index = Index::new(slots).unwrap();
        let mut model = HashMap::<u64, ConnId>::new();
        // Few distinct hashes: chains overflow and tags collide.
        let home = |key: u64| index.home(((key % 3) << 33) | ((key % 5) * 0x1999_9999));
        for (insert, key) in operations {
            let id = u32::try_from(key).unwrap() + 100;
            if insert {
                let existed = model.contains_key(&key);
                // Another number of the same flow, as a second worker would have.
                let number = if existed { id + 100 } else { id };
                match index.insert(home(key), number, 0, |other| other == id) {
                    Inserted::Yes => { prop_assert!(!existed); model.insert(key, id); }
                    Inserted::Exists(other) => prop_assert!(existed && other == id),
                    Inserted::Full => prop_assert!(!existed),
                }
            } else {
                prop_assert_eq!(index.remove(home(key), id), model.remove(&key).is_some());
            }
            for (&key, &id) in &model {
                prop_assert_eq!(index.find(home(key), |other| other == id), Some(id));
            }
        }
        for (key, id) in model {
            prop_assert!(index.remove(home(key), id));
        }
        prop_assert!(index.is_empty());
    }
}

/// The contract: no insert fails below 90 % of the connections a table is made for, with two slots each.
#[test]
fn nine_tenths_of_a_table_always_fit() {
    let connections = 100_000;
    let index = Index::new(crate::conn::table::index_slots(connections)).unwrap();
    let mut hash = 1u64;
    for id in 0..connections * 9 / 10 * 2 {
        hash = hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let spread = hash ^ hash >> 29;
        let id = u32::try_from(id).unwrap();
        assert_eq!(index.insert(index.home(spread), id, 0, |_| false), Inserted::Yes, "{id}");
    }
}
