//! The whole table in miniature: one or two entries, two workers.

use std::sync::LazyLock;

use loom::thread;
use ulvs_model::ForwardMethod;
use ulvs_wire::{Address, Family, FlowHasher, FlowKey};

use super::explore;
use crate::conn::control::Control;
use crate::conn::{ConnId, Direction, Helper, Hit, Local, NewConnection, Refused, Role, Table};
use crate::live::{LiveConnections, Load};
use crate::proto::State;
use crate::snapshot::{DestinationId, Destinations};
use crate::sync::Arc;
use crate::time::Ticks;

const TIMEOUT: u32 = 10;

/// Nothing is known of any.
static NO_DESTINATIONS: LazyLock<Destinations> = LazyLock::new(Destinations::default);

pub(super) fn table(capacity: u32) -> Arc<Table> {
    Arc::new(Table::new(capacity, 2, FlowHasher::new([3, 5, 7])).unwrap())
}

/// A connection of client `client` to real server `client + 100`, port `client + 200`.
pub(super) fn connection(client: u16, method: ForwardMethod) -> NewConnection {
    let key = FlowKey::new(6, Family::V4, (Address::v4(client.into()), client), (Address::v4(50), 80));
    NewConnection {
        key,
        method,
        destination: DestinationId(0),
        generation: 0,
        address: Address::v4(u32::from(client) + 100),
        family: Family::V4,
        port: client + 200,
        role: Role::Single,
        helper: Helper::None,
        paired: false,
    }
}

pub(super) fn insert(table: &Table, local: &mut Local, new: &NewConnection, now: u32) -> Result<ConnId, Refused> {
    table.insert(local, (table.home(&new.key), new), State::SynRecv, Ticks(now), TIMEOUT)
}

pub(super) fn find<'a>(table: &'a Table, key: &FlowKey) -> Option<Hit<'a>> {
    let home = table.home(key);
    Table::likely::<true>(table.prefetch_entry(home), key, &NO_DESTINATIONS).or_else(|| table.search(home, key))
}

/// Two workers make the same connection with different real servers: it is made once, and both directions find it.
#[test]
fn one_connection_is_made_once() {
    explore(2, || {
        let table = table(2);
        let new = connection(1, ForwardMethod::Nat);
        let theirs = NewConnection { port: 999, ..new };
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let mut local = table.local(1);
                insert(&table, &mut local, &theirs, 0)
            })
        };
        let mut local = table.local(0);
        let mine = insert(&table, &mut local, &new, 0);
        let other = other.join().unwrap();
        let (id, made) = match (mine, other) {
            (Ok(id), Err(Refused::Exists)) => (id, new),
            (Err(Refused::Exists), Ok(id)) => (id, theirs),
            both => panic!("{both:?}"),
        };
        assert_eq!(
            find(&table, &new.key).map(|hit| (table.number_of(hit.entry), hit.direction)),
            Some((Some(id), Direction::In))
        );
        let reply = made.key.to(made.address, made.port).reversed();
        assert_eq!(
            find(&table, &reply).map(|hit| (table.number_of(hit.entry), hit.direction)),
            Some((Some(id), Direction::Out))
        );
        assert!(table.kill(&mut local, id).is_some());
        assert!(table.index.is_empty(), "nothing is left behind");
    });
}

/// One worker ends a connection and makes another in the same entry while the other worker has a packet of the first.
#[test]
fn an_entry_in_use_is_not_used_again() {
    explore(2, || {
        let table = table(1);
        let (first, second) = (connection(1, ForwardMethod::Dr), connection(2, ForwardMethod::Dr));
        let mut local = table.local(0);
        let id = insert(&table, &mut local, &first, 0).unwrap();
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let mut local = table.local(1);
                for _ in 0..2 {
                    if let Some(hit) = find(&table, &first.key) {
                        assert_eq!(hit.entry.destination(), (first.address, first.port));
                        hit.entry.touch(Ticks(1), TIMEOUT);
                        assert_eq!(hit.entry.destination(), (first.address, first.port));
                    }
                    local.quiesce(&table);
                }
                local
            })
        };
        assert!(table.kill(&mut local, id).is_some());
        local.quiesce(&table);
        let again = insert(&table, &mut local, &second, 5);
        other.join().unwrap().quiesce(&table);
        local.quiesce(&table);
        match again {
            // The late touch of the first connection came before the second's time.
            Ok(id) => assert_eq!(table.entry(id).expires_in(Ticks(5)), Some(TIMEOUT)),
            Err(refused) => {
                assert_eq!(refused, Refused::Full);
                assert!(insert(&table, &mut local, &second, 5).is_ok(), "the entry is free once all have passed");
            }
        }
        assert!(find(&table, &second.key).is_some() && find(&table, &first.key).is_none());
    });
}

/// A packet comes in the last moment, by the clock of its worker, while the sweep of the other finds that time ran out.
#[test]
fn a_touched_connection_survives() {
    explore(3, || {
        let table = table(1);
        let new = connection(1, ForwardMethod::Dr);
        let mut local = table.local(0);
        insert(&table, &mut local, &new, 0).unwrap();
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let mut local = table.local(1);
                local.quiesce(&table);
                let hit = find(&table, &new.key);
                if let Some(hit) = hit {
                    hit.entry.touch(Ticks(TIMEOUT), TIMEOUT);
                }
                local.quiesce(&table);
                hit.is_some()
            })
        };
        let mut ended = 0;
        for _ in 0..3 {
            local.quiesce(&table);
            local.sweep(&table, Ticks(TIMEOUT + 1), &mut |_, _| ended += 1);
        }
        let touched = other.join().unwrap();
        local.quiesce(&table);
        local.sweep(&table, Ticks(TIMEOUT + 1), &mut |_, _| ended += 1);
        assert_eq!(find(&table, &new.key).is_some(), touched);
        assert_eq!(ended, u32::from(!touched));
    });
}

/// One worker ends a connection while the other changes its state: the destination's counters end at zero.
#[test]
fn counters_end_at_zero() {
    explore(3, || {
        let shared = Arc::new((table(1), LiveConnections::new(1).unwrap()));
        let destination = DestinationId(0);
        let new = connection(1, ForwardMethod::Dr);
        let (mut local, mut late) = (shared.0.local(0), shared.0.local(1));
        let id = insert(&shared.0, &mut local, &new, 0).unwrap();
        shared.1.opened(destination, State::SynRecv.is_active());
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (table, live) = &*shared;
                // As the engine does it.
                for state in [State::Close, State::Established] {
                    let Some(hit) = find(table, &new.key) else { return };
                    let changed = |c: Control| c.with_state(state).with_flag(Control::INACTIVE, !state.is_active());
                    let was = hit.entry.swap_control(|c| c.is_live().then(|| changed(c)));
                    if let Some(was) = was
                        && was.has(Control::INACTIVE) == state.is_active()
                    {
                        live.became(destination, state.is_active());
                    }
                }
            })
        };
        let (table, live) = &*shared;
        let end = |local: &mut Local| {
            if let Some(was) = table.kill(local, id) {
                live.ended(destination, !was.has(Control::INACTIVE));
                return true;
            }
            false
        };
        assert!(end(&mut local));
        other.join().unwrap();
        assert!(!end(&mut late));
        assert_eq!(live.of(destination), Load::default());
    });
}

/// The control side lists an entry while its connection ends and another takes its place: it sees one or the other.
#[test]
fn a_listed_connection_is_one_that_was() {
    explore(2, || {
        let table = table(1);
        let (first, second) = (connection(1, ForwardMethod::Dr), connection(2, ForwardMethod::Dr));
        let mut local = table.local(0);
        let mut idle = table.local(1);
        let id = insert(&table, &mut local, &first, 0).unwrap();
        let lister = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                table.list(0, 1, Ticks(0), &mut |listed| {
                    let made = if listed.key == first.key { first } else { second };
                    assert_eq!(listed.key, made.key);
                    assert_eq!(
                        (listed.destination, listed.destination_port),
                        (made.address.to_ip(Family::V4), made.port)
                    );
                    assert_eq!(listed.expires_in, TIMEOUT);
                });
            })
        };
        assert!(table.kill(&mut local, id).is_some());
        local.quiesce(&table);
        idle.quiesce(&table);
        local.quiesce(&table);
        insert(&table, &mut local, &second, 0).unwrap();
        lister.join().unwrap();
    });
}
