//! The index alone, with buckets of two slots.

use loom::thread;

use super::explore;
use crate::conn::entry::ConnId;
use crate::conn::index::{Home, Index, Inserted};
use crate::sync::Arc;

fn index(slots: usize) -> (Arc<Index>, Home) {
    let index = Arc::new(Index::new(slots).unwrap());
    let home = index.home(7 << 56);
    (index, home)
}

/// Another flow's, with the same home bucket and another fingerprint.
fn stranger(index: &Index) -> Home {
    index.home(9 << 56)
}

/// Inserts `id` of the flow whose numbers are 1 and 2.
fn insert(index: &Index, home: Home, id: ConnId) -> ConnId {
    match index.insert(home, id, 0, |other| other <= 2) {
        Inserted::Yes => id,
        Inserted::Exists(other) => other,
        Inserted::Full => ConnId::MAX,
    }
}

/// The flow is there once, and each of the two workers knows the number or that another has it.
fn assert_once(index: &Index, home: Home, mine: ConnId, theirs: ConnId) {
    let found = index.find(home, |id| id <= 2).expect("the flow is there");
    assert!(index.find(home, |id| id <= 2 && id != found).is_none(), "the flow is there twice");
    assert!(mine == found || theirs == found);
}

/// Two workers insert the same flow.
#[test]
fn one_flow_is_inserted_once() {
    explore(3, || {
        let (index, home) = index(1);
        let other = {
            let index = Arc::clone(&index);
            thread::spawn(move || insert(&index, home, 1))
        };
        let mine = insert(&index, home, 2);
        let theirs = other.join().unwrap();
        assert_once(&index, home, mine, theirs);
    });
}

/// As before, but a slot before the first worker's becomes free at that moment, so that the two claim different ones.
fn insert_beside_a_removal(of: impl Fn(&Index, Home) -> Home + Sync + Send + 'static) {
    explore(3, move || {
        let (index, home) = index(4);
        let neighbours = of(&index, home);
        assert_eq!(index.insert(neighbours, 8, 0, |_| false), Inserted::Yes);
        assert_eq!(index.insert(neighbours, 9, 0, |_| false), Inserted::Yes);
        let other = {
            let index = Arc::clone(&index);
            thread::spawn(move || insert(&index, home, 1))
        };
        assert!(index.remove(neighbours, 8));
        let mine = insert(&index, home, 2);
        let theirs = other.join().unwrap();
        assert_once(&index, home, mine, theirs);
        assert!(index.remove(neighbours, 9) && index.remove(home, index.find(home, |id| id <= 2).unwrap()));
        assert!(index.has_no_overflow());
    });
}

#[test]
fn one_flow_is_inserted_once_beside_a_removal() {
    insert_beside_a_removal(|_, home| home);
}

/// The word of the home bucket says nothing of the one that went on.
#[test]
fn one_flow_is_inserted_once_beside_a_strangers_removal() {
    insert_beside_a_removal(|index, _| stranger(index));
}

/// A flow beyond its full home bucket is found while others come and go there.
#[test]
fn overflow_hides_nothing() {
    explore(3, || {
        let (index, home) = index(4);
        for id in [7, 8, 9] {
            assert_eq!(index.insert(home, id, 0, |_| false), Inserted::Yes);
        }
        let other = {
            let index = Arc::clone(&index);
            thread::spawn(move || {
                assert_eq!(index.insert(home, 1, 0, |_| false), Inserted::Yes);
                assert!(index.remove(home, 1));
            })
        };
        assert_eq!(index.find(home, |id| id == 9), Some(9));
        assert_eq!(index.find(home, |id| id == 9), Some(9));
        other.join().unwrap();
        assert!(index.remove(home, 9) && index.remove(home, 8) && index.remove(home, 7));
        assert!(index.has_no_overflow());
    });
}

/// A flow is found while its neighbours, in its own bucket and the one before, are removed.
#[test]
fn removal_of_neighbours_hides_nothing() {
    explore(3, || {
        let (index, home) = index(4);
        for id in [6, 7, 8, 9] {
            assert_eq!(index.insert(home, id, 0, |_| false), Inserted::Yes);
        }
        let other = {
            let index = Arc::clone(&index);
            thread::spawn(move || assert!(index.remove(home, 6) && index.remove(home, 8)))
        };
        assert_eq!(index.find(home, |id| id == 9), Some(9));
        other.join().unwrap();
        assert!(index.remove(home, 9) && index.remove(home, 7));
        assert!(index.has_no_overflow());
    });
}

/// Two workers fill the last places of a chain: each gets one or is told that it is full, and counts are right after.
#[test]
fn a_full_chain_is_full_for_all() {
    explore(3, || {
        let (index, home) = index(2);
        assert_eq!(index.insert(home, 9, 0, |_| false), Inserted::Yes);
        let other = {
            let index = Arc::clone(&index);
            thread::spawn(move || index.insert(home, 1, 0, |_| false))
        };
        let mine = index.insert(home, 2, 0, |_| false);
        let theirs = other.join().unwrap();
        let full = usize::from(mine == Inserted::Full) + usize::from(theirs == Inserted::Full);
        assert_eq!(full, 1);
        assert!(index.remove(home, 9));
        assert!(index.remove(home, 1) != index.remove(home, 2));
        assert!(index.has_no_overflow());
    });
}
