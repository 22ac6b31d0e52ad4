//! How much fits, and what it takes.

use ulvs_model::ForwardMethod;

use super::{connection, find, insert, pass, reply, table, with_method};
use crate::conn::{Entry, Refused};
use crate::time::Ticks;

const NOW: Ticks = Ticks(1);

/// NAT connections, two slots each: none fails below 90 %, whatever the size; then the table is full and says so, and
/// recovers when connections end.
#[test]
fn nine_tenths_always_fit() {
    for capacity in [1u32, 10, 100, 1_000, 10_000, 100_000, 300_000] {
        for workers in [1, 2, 4] {
            let (table, mut locals) = table(capacity, workers);
            let nat = |number| with_method(number, ForwardMethod::Nat);
            let mut made = Vec::new();
            for number in 0..capacity {
                let local = &mut locals[number as usize % workers];
                match insert(&table, local, &nat(number), NOW) {
                    Ok(id) => made.push((number, id)),
                    Err(refused) => {
                        assert_eq!(refused, Refused::Full);
                        assert!(
                            u64::from(number) * 10 >= u64::from(capacity) * 9,
                            "{number} of {capacity}, {workers} workers"
                        );
                    }
                }
                if number % 64 == 0 {
                    pass(&table, &mut locals);
                }
            }
            if made.len() == capacity as usize {
                assert_eq!(insert(&table, &mut locals[0], &nat(capacity), NOW), Err(Refused::Full));
            }
            for (number, id) in &made {
                assert_eq!(find(&table, &nat(*number).key).and_then(|hit| table.number_of(hit.entry)), Some(*id));
                assert_eq!(find(&table, &reply(&nat(*number))).and_then(|hit| table.number_of(hit.entry)), Some(*id));
            }
            for (at, (_, id)) in made.iter().enumerate() {
                assert!(table.kill(&mut locals[at % workers], *id).is_some());
                if at % 64 == 0 {
                    pass(&table, &mut locals);
                }
            }
            pass(&table, &mut locals);
            assert!(table.index.is_empty());
            let again = (0..capacity).filter(|n| insert(&table, &mut locals[0], &nat(*n), NOW).is_ok()).count();
            assert!(
                again * 10 >= capacity as usize * 9,
                "{again} of {capacity} after all had ended, {workers} workers"
            );
        }
    }
}

/// At 80 % of a million, all NAT: index, entries and the workers' own memory are at most 160 bytes a connection.
#[test]
fn a_connection_takes_at_most_160_bytes() {
    for workers in [1, 2, 8] {
        let (table, mut locals) = table(1_000_000, workers);
        let live = 800_000;
        for number in 0..live {
            let local = &mut locals[number as usize % workers];
            insert(&table, local, &with_method(number, ForwardMethod::Nat), NOW).unwrap();
        }
        let bytes = table.bytes();
        assert!(bytes <= 160 * live as usize, "{bytes} for {live} connections, {workers} workers");
    }
}

/// The same client port may be connected to one real server through a few services; the replies of more can't be told
/// apart, and nothing of a refused connection stays.
#[test]
fn replies_that_look_alike() {
    let (table, mut locals) = table(100, 1);
    let mut through = with_method(1, ForwardMethod::Nat);
    for service in 0..4 {
        through.key = through.key.to(through.key.destination(), 80 + service);
        assert!(insert(&table, &mut locals[0], &through, NOW).is_ok());
    }
    through.key = through.key.to(through.key.destination(), 84);
    assert_eq!(insert(&table, &mut locals[0], &through, NOW), Err(Refused::ReplyTuple));
    assert!(find(&table, &through.key).is_none());
    let first = find(&table, &reply(&through)).unwrap();
    assert!(table.kill(&mut locals[0], table.number_of(first.entry).unwrap()).is_some());
    assert!(insert(&table, &mut locals[0], &through, NOW).is_ok());
}

/// A worker that can't retire more makes and ends nothing until the others have passed; then it goes on.
#[test]
fn a_stalled_worker_stops_ends_and_loses_nothing() {
    let (table, mut locals) = table(1000, 2);
    let mut ended = 0u32;
    while locals[0].can_retire() {
        let id = insert(&table, &mut locals[0], &connection(ended), NOW).unwrap();
        assert!(table.kill(&mut locals[0], id).is_some());
        locals[0].quiesce(&table);
        ended += 1;
    }
    assert_eq!(insert(&table, &mut locals[0], &connection(0), NOW), Err(Refused::Full));
    let id = insert(&table, &mut locals[1], &connection(0), NOW).unwrap();
    assert!(table.kill(&mut locals[0], id).is_none());
    assert!(find(&table, &connection(0).key).is_some());
    locals[1].quiesce(&table);
    locals[0].quiesce(&table);
    assert!(table.kill(&mut locals[0], id).is_some());
    pass(&table, &mut locals);
    let made = (0..1000).filter(|n| insert(&table, &mut locals[0], &connection(*n), NOW).is_ok()).count();
    assert!(made >= 900, "{made}");
}

#[test]
fn an_entry_of_no_table_has_no_number() {
    let (table, _) = table(4, 1);
    let (elsewhere, outside) = (super::table(4, 1).0, Entry::default());
    assert_eq!(table.number_of(&outside), None);
    assert_eq!((table.number_of(elsewhere.entry(3)), elsewhere.number_of(table.entry(0))), (None, None));
    assert!((0..4).all(|id| table.number_of(table.entry(id)) == Some(id)));
}
