//! Against a map: several workers interleaved on one thread, time passing, entries used again.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{TIMEOUT, connection, find, insert, reply, table};
use crate::conn::{ConnId, Direction, Local, Refused, Table};
use crate::time::Ticks;

const WORKERS: usize = 3;

#[derive(Clone, Debug)]
enum Operation {
    Insert(u32),
    /// A packet, in the direction of replies or not, by a worker whose clock is this much behind.
    Packet(u32, bool, u32),
    Kill(u32),
    /// The worker begins a new burst.
    Housekeeping,
    Wait(u32),
    List,
}

fn operation() -> impl Strategy<Value = (usize, Operation)> {
    let flow = 0u32..60;
    let one = prop_oneof![
        4 => flow.clone().prop_map(Operation::Insert),
        4 => (flow.clone(), any::<bool>(), 0u32..2).prop_map(|(f, r, b)| Operation::Packet(f, r, b)),
        2 => flow.prop_map(Operation::Kill),
        6 => Just(Operation::Housekeeping),
        2 => prop_oneof![0..4u32, 100..400u32, TIMEOUT - 1..TIMEOUT + 3].prop_map(Operation::Wait),
        1 => Just(Operation::List),
    ];
    (0..WORKERS, one)
}

/// The table, and what must be in it: number and time of the last packet of each flow.
struct Checked {
    table: Table,
    locals: Vec<Local>,
    live: HashMap<u32, (ConnId, Ticks)>,
    now: Ticks,
}

impl Checked {
    fn new(capacity: u32, now: u32) -> Self {
        let (table, locals) = table(capacity, WORKERS);
        Self { table, locals, live: HashMap::new(), now: Ticks(now) }
    }

    fn step(&mut self, worker: usize, operation: &Operation) -> Result<(), TestCaseError> {
        match *operation {
            Operation::Insert(flow) => self.insert(worker, flow)?,
            Operation::Packet(flow, is_reply, behind) => self.packet(flow, is_reply, behind)?,
            Operation::Kill(flow) => {
                if let Some(&(id, _)) = self.live.get(&flow)
                    && self.locals[worker].can_retire()
                {
                    prop_assert!(self.table.kill(&mut self.locals[worker], id).is_some());
                    prop_assert!(self.table.kill(&mut self.locals[worker], id).is_none());
                    self.live.remove(&flow);
                }
            }
            Operation::Housekeeping => self.housekeeping(worker)?,
            Operation::Wait(ticks) => self.now = Ticks(self.now.0.wrapping_add(ticks)),
            Operation::List => self.list()?,
        }
        Ok(())
    }

    fn insert(&mut self, worker: usize, flow: u32) -> Result<(), TestCaseError> {
        match insert(&self.table, &mut self.locals[worker], &connection(flow), self.now) {
            Ok(id) => {
                prop_assert!(self.live.values().all(|(other, _)| *other != id), "an entry in two connections' use");
                prop_assert!(self.live.insert(flow, (id, self.now)).is_none(), "two connections of one flow");
            }
            Err(Refused::Exists) => prop_assert!(self.live.contains_key(&flow)),
            Err(Refused::Full) => {}
            Err(Refused::ReplyTuple) => prop_assert!(false, "each flow has its own replies"),
        }
        Ok(())
    }

    /// As the engine does it, except that here a packet of an expired connection does nothing.
    fn packet(&mut self, flow: u32, is_reply: bool, behind: u32) -> Result<(), TestCaseError> {
        let new = connection(flow);
        let key = if is_reply { reply(&new) } else { new.key };
        let hit = find(&self.table, &key);
        let expected = self.live.get_mut(&flow);
        prop_assert_eq!(hit.and_then(|hit| self.table.number_of(hit.entry)), expected.as_ref().map(|(id, _)| *id));
        if let (Some(hit), Some((_, seen))) = (hit, expected) {
            prop_assert_eq!(hit.direction, if is_reply { Direction::Out } else { Direction::In });
            let entry = hit.entry;
            prop_assert_eq!(entry.destination(), (new.address, new.port));
            prop_assert_eq!(entry.vip(), (new.key.destination(), new.key.destination_port()));
            let now = Ticks(self.now.0.wrapping_sub(behind));
            if entry.expires_in(now).is_some() {
                entry.touch(now, TIMEOUT);
                *seen = now;
            }
        }
        Ok(())
    }

    fn housekeeping(&mut self, worker: usize) -> Result<(), TestCaseError> {
        let mut gone = Vec::new();
        self.locals[worker].quiesce(&self.table);
        self.locals[worker].sweep(&self.table, self.now, &mut |id, _| gone.push(id));
        for id in gone {
            let flow = self.live.iter().find(|(_, (live, _))| *live == id).map(|(flow, _)| *flow);
            let removed = flow.and_then(|flow| self.live.remove(&flow));
            prop_assert!(removed.is_some(), "what ended was not there");
            let seen = removed.map_or(self.now, |(_, seen)| seen);
            prop_assert!(self.now.since(seen) > TIMEOUT, "ended before its time");
        }
        Ok(())
    }

    fn list(&self) -> Result<(), TestCaseError> {
        let (mut listed, mut from) = (Vec::new(), Some(0));
        while let Some(at) = from {
            from = self.table.list(at, 7, self.now, &mut |connection| listed.push(connection.key));
        }
        prop_assert_eq!(listed.len(), self.live.len());
        prop_assert!(self.live.keys().all(|flow| listed.contains(&connection(*flow).key)));
        Ok(())
    }

    /// Two seconds after everything's time has run out nothing is left, and every entry can be used again.
    fn finish(mut self) -> Result<(), TestCaseError> {
        self.now = Ticks(self.now.0.wrapping_add(TIMEOUT + 2));
        for _ in 0..600 {
            self.now = Ticks(self.now.0.wrapping_add(1));
            for worker in 0..WORKERS {
                self.housekeeping(worker)?;
            }
        }
        prop_assert!(self.live.is_empty(), "{} never ended", self.live.len());
        prop_assert!(self.table.index.is_empty());
        super::pass(&self.table, &mut self.locals);
        let mut made = 0;
        while let Ok(id) =
            insert(&self.table, &mut self.locals[made % WORKERS], &connection(1000 + id_of(made)), self.now)
        {
            prop_assert!((id as usize) < self.table.capacity());
            made += 1;
        }
        prop_assert!(made <= self.table.capacity());
        Ok(())
    }
}

fn id_of(number: usize) -> u32 {
    u32::try_from(number).expect("few connections")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn the_table_is_a_map(
        capacity in prop_oneof![Just(4u32), Just(40), Just(100)],
        start in prop_oneof![Just(0u32), Just(u32::MAX - 2000), Just(1 << 31)],
        operations in prop::collection::vec(operation(), 1..400),
    ) {
        let mut checked = Checked::new(capacity, start);
        for (worker, operation) in &operations {
            checked.step(*worker, operation)?;
        }
        checked.finish()?;
    }
}
