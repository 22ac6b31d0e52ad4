//! Four workers and a lister on one small, crowded table.
//!
//! `ULVS_STRESS_OPERATIONS` is how many operations the workers do together.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::thread;

use ulvs_wire::Family;

use super::{connection, find, insert, pass, reply, table};
use crate::conn::{Control, Direction, Entry, Local, NewConnection, Refused, Table};
use crate::live::{LiveConnections, Load};
use crate::proto::State;
use crate::snapshot::DestinationId;
use crate::time::Ticks;

const WORKERS: usize = 4;
const FLOWS: u32 = 6_000;
const CAPACITY: u32 = 5_000;
/// Short, so that expiry races with packets all the time.
const LIFE: u32 = 40;

struct Shared {
    table: Table,
    live: LiveConnections,
    connections: AtomicI64,
    made: AtomicU64,
    clock: AtomicU32,
    stop: AtomicBool,
}

struct Worker<'a> {
    shared: &'a Shared,
    local: Local,
    random: u64,
    now: Ticks,
}

impl Worker<'_> {
    fn random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        u32::try_from(self.random >> 32).unwrap_or_default()
    }

    fn burst(&mut self, worker: usize) {
        // Time passes with the work done, and is taken once a burst.
        let tick = u32::from(self.random().is_multiple_of(4) && worker == 0);
        self.now = Ticks(self.shared.clock.fetch_add(tick, Relaxed));
        self.local.quiesce(&self.shared.table);
        if !self.local.can_retire() {
            // On fewer processors than workers: the others are to pass.
            thread::yield_now();
        }
        let shared = self.shared;
        self.local.sweep(&shared.table, self.now, &mut |id, was| {
            shared.live.ended(shared.table.entry(id).destination_id().0, !was.has(Control::INACTIVE));
            shared.connections.fetch_sub(1, Relaxed);
        });
        for _ in 0..32 {
            let (choice, number) = (self.random() % 16, self.random() % FLOWS);
            let new = connection(number);
            match choice {
                0..4 => self.open(&new),
                4 => self.end(&new),
                _ => self.packet(&new, choice % 2 == 0),
            }
        }
    }

    fn open(&mut self, new: &NewConnection) {
        if find(&self.shared.table, &new.key).is_some() {
            return;
        }
        let table = &self.shared.table;
        match table.insert(&mut self.local, (table.home(&new.key), new), State::SynRecv, self.now, LIFE) {
            Ok(_) => {
                self.shared.live.opened(new.destination, true);
                self.shared.connections.fetch_add(1, Relaxed);
                self.shared.made.fetch_add(1, Relaxed);
            }
            Err(Refused::Exists | Refused::Full) => {}
            Err(Refused::ReplyTuple) => panic!("each flow has its own replies"),
        }
    }

    fn number_of(&self, entry: &Entry) -> u32 {
        self.shared.table.number_of(entry).unwrap_or_else(|| panic!("an entry of no table"))
    }

    fn kill(&mut self, id: u32, destination: DestinationId) {
        if let Some(was) = self.shared.table.kill(&mut self.local, id) {
            self.shared.live.ended(destination, !was.has(Control::INACTIVE));
            self.shared.connections.fetch_sub(1, Relaxed);
        }
    }

    fn end(&mut self, new: &NewConnection) {
        if let Some(hit) = find(&self.shared.table, &new.key) {
            self.kill(self.number_of(hit.entry), new.destination);
        }
    }

    fn packet(&mut self, new: &NewConnection, is_reply: bool) {
        let key = if is_reply { reply(new) } else { new.key };
        let Some(hit) = find(&self.shared.table, &key) else {
            return;
        };
        let entry = hit.entry;
        assert_eq!(hit.direction, if is_reply { Direction::Out } else { Direction::In });
        assert_eq!((entry.destination(), entry.destination_id().0), ((new.address, new.port), new.destination));
        if entry.expires_in(self.now).is_none() {
            return self.kill(self.number_of(entry), new.destination);
        }
        let state = if self.random().is_multiple_of(2) { State::Established } else { State::TimeWait };
        let changed = |c: Control| c.with_state(state).with_flag(Control::INACTIVE, !state.is_active());
        let was = entry.swap_control(|c| c.is_live().then(|| changed(c)));
        if let Some(was) = was
            && was.has(Control::INACTIVE) == state.is_active()
        {
            self.shared.live.became(new.destination, state.is_active());
        }
        entry.touch(self.now, LIFE);
        // In this worker's hands until the burst ends, whatever the others do.
        assert_eq!((entry.key(), entry.destination()), (new.key, (new.address, new.port)));
    }
}

/// Lists all the while: what is listed is always one whole connection.
fn lister(shared: &Shared) -> u64 {
    let mut seen = 0;
    while !shared.stop.load(Relaxed) {
        let mut from = Some(0);
        while let Some(at) = from {
            from = shared.table.list(at, 500, Ticks(shared.clock.load(Relaxed)), &mut |listed| {
                let key = listed.key;
                let high = key.source().0 >> if key.family() == Family::V6 { 64 } else { 0 };
                let client = u32::try_from(high).expect("32 bits") - 0x0a00_0000;
                let number = (client << 8) + u32::from(key.source_port() - 1024);
                let new = connection(number);
                assert_eq!(
                    (key, listed.method, listed.destination, listed.destination_port),
                    (new.key, new.method, new.address.to_ip(new.family), new.port)
                );
                assert!(listed.expires_in <= LIFE);
                seen += 1;
            });
        }
    }
    seen
}

#[test]
fn many_workers_and_a_lister() {
    let operations: u64 =
        std::env::var("ULVS_STRESS_OPERATIONS").map_or(2_000_000, |text| text.parse().expect("a number of operations"));
    let (table, locals) = table(CAPACITY, WORKERS);
    let shared = Shared {
        table,
        live: LiveConnections::new(10).unwrap(),
        connections: AtomicI64::new(0),
        made: AtomicU64::new(0),
        clock: AtomicU32::new(u32::MAX - 1000),
        stop: AtomicBool::new(false),
    };
    let bursts = operations / 32 / WORKERS as u64;
    let mut locals = thread::scope(|scope| {
        let listing = scope.spawn(|| lister(&shared));
        let workers: Vec<_> = locals
            .into_iter()
            .enumerate()
            .map(|(at, local)| {
                let random = 0x9e37_79b9_7f4a_7c15 ^ (at as u64 + 1) << 32;
                let mut worker = Worker { shared: &shared, local, random, now: Ticks(0) };
                scope.spawn(move || {
                    (0..bursts).for_each(|_| worker.burst(at));
                    // Not to hold the others up; this worker holds nothing any more.
                    worker.local
                })
            })
            .collect();
        let locals: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
        shared.stop.store(true, Relaxed);
        assert!(listing.join().unwrap() > 0);
        locals
    });
    let made = shared.made.load(Relaxed);
    println!("{made} connections in {operations} operations");
    assert!(made > operations / 100, "{made}");
    check_the_rest(&shared, &mut locals);
}

/// What is left is counted right, ends in time, and leaves nothing behind.
fn check_the_rest(shared: &Shared, locals: &mut [Local]) {
    let mut listed = HashSet::new();
    let now = Ticks(shared.clock.load(Relaxed));
    shared.table.list(0, CAPACITY, now, &mut |one| assert!(listed.insert(format!("{:?}", one.key)), "{one:?} twice"));
    assert_eq!(i64::try_from(listed.len()).ok(), Some(shared.connections.load(Relaxed)));
    for tick in 0..LIFE + 600 {
        for local in &mut *locals {
            local.quiesce(&shared.table);
            local.sweep(&shared.table, Ticks(now.0.wrapping_add(tick)), &mut |id, was| {
                let active = !was.has(Control::INACTIVE);
                shared.live.ended(shared.table.entry(id).destination_id().0, active);
                shared.connections.fetch_sub(1, Relaxed);
            });
        }
    }
    assert_eq!(shared.connections.load(Relaxed), 0);
    assert!((0..10).all(|id| shared.live.of(DestinationId(id)) == Load::default()));
    assert!(shared.table.index.is_empty());
    pass(&shared.table, locals);
    let fits = (0..CAPACITY).filter(|n| insert(&shared.table, &mut locals[0], &connection(*n), now).is_ok()).count();
    assert!(fits * 10 >= CAPACITY as usize * 9, "{fits} of {CAPACITY} can be used again");
}
