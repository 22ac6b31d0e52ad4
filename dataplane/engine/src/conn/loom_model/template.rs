//! Templates: one of a client, not ended while it is held, not used again while it is in the index.

use loom::thread;
use ulvs_model::ForwardMethod;
use ulvs_wire::{Family, FlowKey};

use super::explore;
use super::table::{connection, find, insert, table};
use crate::conn::{ConnId, Helper, Local, NewConnection, Refused, Role, Table};
use crate::proto::State;
use crate::sync::Arc;
use crate::time::Ticks;

const TIMEOUT: u32 = 10;

/// The template of a client, to the real server of `connection(client)`.
fn template(client: u16) -> NewConnection {
    let new = connection(client, ForwardMethod::Nat);
    let key = FlowKey::new(6, Family::V4, (new.key.source(), 0), (new.key.destination(), 80));
    NewConnection { key, role: Role::Template, ..new }
}

fn make(table: &Table, local: &mut Local, new: &NewConnection) -> Result<ConnId, Refused> {
    table.insert(local, (table.home(&new.key), new), State::None, Ticks(0), TIMEOUT)
}

/// As the engine does it: the template is found or made, and held.
fn keep(table: &Table, local: &mut Local, new: &NewConnection) -> Option<ConnId> {
    let found = |table: &Table| {
        let found = table.template(&new.key, None).ok()??;
        Table::hold(found);
        Some(found.id)
    };
    if let Some(id) = found(table) {
        return Some(id);
    }
    match make(table, local, new) {
        Ok(id) => {
            table.entry(id).control_one_more();
            Some(id)
        }
        Err(Refused::Exists) => found(table),
        Err(_) => None,
    }
}

/// Two workers have a client's first packets: they hold one template, the same.
#[test]
fn one_template_is_made_once() {
    explore(2, || {
        let table = table(2);
        let (mine, theirs) = (template(1), NewConnection { port: 999, ..template(1) });
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let mut local = table.local(1);
                keep(&table, &mut local, &theirs)
            })
        };
        let mut local = table.local(0);
        let kept = keep(&table, &mut local, &mine);
        let other = other.join().unwrap();
        let holders = u32::from(kept.is_some()) + u32::from(other.is_some());
        assert!(holders > 0, "one of them gets on");
        let id = kept.or(other).unwrap();
        assert!([kept, other].into_iter().flatten().all(|one| one == id));
        assert_eq!(table.entry(id).controls(), holders);
        assert_eq!(table.template(&mine.key, None).unwrap().map(|found| found.id), Some(id));
    });
}

/// A worker finds a template for a connection while the other's sweep finds that its time has run out: either it is held,
/// and there, or it was not found.
#[test]
fn a_held_template_is_not_ended() {
    explore(3, || {
        let table = table(1);
        let new = template(1);
        let mut local = table.local(0);
        let id = make(&table, &mut local, &new).unwrap();
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let mut local = table.local(1);
                local.quiesce(&table);
                let found = table.template(&new.key, None).unwrap();
                if let Some(found) = found {
                    Table::hold(found);
                }
                local.quiesce(&table);
                found.is_some()
            })
        };
        let mut ended = 0;
        for _ in 0..3 {
            local.quiesce(&table);
            local.sweep(&table, Ticks(TIMEOUT + 1), &mut |_, _| ended += 1);
        }
        let held = other.join().unwrap();
        assert_eq!(held, ended == 0 && table.entry(id).controls() == 1);
        // The last connection ends, and after it the template.
        if held {
            assert!(!table.let_go(id));
            let mut idle = table.local(1);
            for _ in 0..3 {
                local.quiesce(&table);
                idle.quiesce(&table);
                local.sweep(&table, Ticks(100 * TIMEOUT + 7680), &mut |_, _| ended += 1);
            }
        }
        assert_eq!(ended, 1);
        assert!(table.index.is_empty());
    });
}

/// A worker holds a control connection for one that it announces, while another ends it: one of both gives up.
#[test]
fn a_held_connection_is_not_killed() {
    explore(3, || {
        let table = table(1);
        let new = NewConnection { helper: Helper::Ftp, ..connection(1, ForwardMethod::Nat) };
        let mut local = table.local(0);
        let id = insert(&table, &mut local, &new, 0).unwrap();
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || find(&table, &new.key).is_some_and(|hit| Table::hold_connection(hit.entry)))
        };
        let killed = table.kill(&mut local, id).is_some();
        let held = other.join().unwrap();
        assert!(!(held && killed));
        assert_eq!(table.entry(id).controls(), u32::from(held));
        assert_eq!(table.entry(id).control().is_live(), !killed);
        assert_eq!(table.index.is_empty(), killed);
    });
}

/// One worker expels a template while the other's sweep ends it and its entry is to be used again, by a connection that
/// another look might take for the template.
#[test]
fn an_expelled_templates_entry_waits_for_its_slot() {
    explore(2, || {
        let table = table(1);
        let new = template(1);
        let mut local = table.local(0);
        make(&table, &mut local, &new).unwrap();
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let mut local = table.local(1);
                if let Ok(Some(found)) = table.template(&new.key, None) {
                    table.expel(found);
                    assert!(table.template(&new.key, None).unwrap().is_none());
                }
                local.quiesce(&table);
            })
        };
        let mut ended = 0;
        let mut again = Err(Refused::Full);
        for _ in 0..4 {
            local.quiesce(&table);
            local.sweep(&table, Ticks(TIMEOUT + 1), &mut |_, _| ended += 1);
            if again.is_err() {
                again = insert(&table, &mut local, &connection(1, ForwardMethod::Dr), TIMEOUT + 1);
            }
        }
        other.join().unwrap();
        if again.is_ok() {
            assert_eq!(ended, 1);
            assert!(find(&table, &connection(1, ForwardMethod::Dr).key).is_some());
            assert!(table.template(&new.key, None).unwrap().is_none());
        }
    });
}

/// The last connection of a template ends at one worker, while the other makes another one by it: it stays held.
#[test]
fn a_template_changes_hands() {
    explore(2, || {
        let table = table(1);
        let new = template(1);
        let mut local = table.local(0);
        let id = make(&table, &mut local, &new).unwrap();
        table.entry(id).control_one_more();
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let mut local = table.local(1);
                let found = table.template(&new.key, None).unwrap();
                if let Some(found) = found {
                    Table::hold(found);
                }
                local.quiesce(&table);
                found.is_some()
            })
        };
        let mut ended = 0;
        table.let_go(id);
        for _ in 0..3 {
            local.quiesce(&table);
            local.sweep(&table, Ticks(TIMEOUT + 1), &mut |_, _| ended += 1);
        }
        let held = other.join().unwrap();
        assert_eq!(u32::from(held), table.entry(id).controls());
        assert_eq!(held, ended == 0);
    });
}
