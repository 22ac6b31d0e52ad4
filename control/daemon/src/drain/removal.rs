//! Takes drained real servers out once they are empty, and when their time is over at the latest.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use ulvs_ipvs::table::{Command, Deadline, DestinationId, Drain, Owner, ServiceId, Table};
use ulvs_ipvs::{Counters, DestinationCounters};

use super::since_1970;
use crate::ipvs::Director;
use crate::words::counted;

/// How often connections are counted, and at most how often the table is looked through.
const LOOK: Duration = Duration::from_millis(500);
/// A handshake that was under way when the drain began is a connection by then, or has failed. It does not count as active.
const SETTLED: Duration = Duration::from_secs(3);

type Key = (ServiceId, DestinationId);

/// Watches drains that have a deadline, until it is aborted.
pub(crate) async fn run(director: Arc<Director>) {
    let mut committed = director.committed();
    committed.mark_changed();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let began = Instant::now();
    let mut removals = Removals::default();
    let mut is_stale = false;
    loop {
        tokio::select! {
            Ok(()) = committed.changed() => is_stale = true,
            _ = look.tick(), if is_stale || !removals.pending.is_empty() => {
                let now = Now { elapsed: began.elapsed(), since_1970: since_1970() };
                if std::mem::take(&mut is_stale) {
                    director.look(|table| removals.follow(table, now));
                }
                let due = removals.take_due(now, |(service, one)| director.datapath().destination(service, one));
                if !due.is_empty() {
                    remove(&director, due).await;
                }
            }
            else => return,
        }
    }
}

/// Takes them out in one step, but for those of which somebody wants something else by now.
async fn remove(director: &Arc<Director>, due: Vec<Due>) {
    let wanted: Vec<_> = due.iter().map(|due| (due.key, due.deadline)).collect();
    let commands = move |table: &Table| {
        let is_wanted = |&((service, one), deadline): &(Key, Deadline)| {
            let known = table.service(&service).and_then(|service| service.destination(&one));
            known.is_some_and(|known| known.hold.drain == Drain::Quiescent(Some(deadline)))
        };
        let still = wanted.iter().filter(|one| is_wanted(one));
        still.map(|((service, one), _)| Command::Drain(*service, *one, Drain::Removed)).collect()
    };
    match director.change_by(commands, Owner::Api).await {
        Ok(lines) if lines.is_empty() => {}
        Ok(_) => due.iter().for_each(Due::tell),
        Err(refusal) => tracing::error!("drained real servers can't be taken out: {refusal}"),
    }
}

/// Two clocks: the one of a deadline may be set, so that what is left of it is taken from the other.
#[derive(Clone, Copy, Debug)]
struct Now {
    /// Since the task began.
    elapsed: Duration,
    since_1970: Duration,
}

/// The drains with a deadline.
#[derive(Debug, Default)]
struct Removals {
    pending: HashMap<Key, Pending>,
    /// Whether workers take no template of a quiescent real server for valid (`expire_quiescent_template`, ipvs-facts B.6).
    expires_templates: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    deadline: Deadline,
    /// By the task's clock: from when on it may be empty, and when its time is over.
    settled: Duration,
    over: Duration,
}

/// A real server to be taken out.
#[derive(Debug)]
struct Due {
    key: Key,
    deadline: Deadline,
    /// What it still has.
    counted: DestinationCounters,
}

impl Removals {
    /// Takes up what the table says; what it says as before goes on.
    fn follow(&mut self, table: &Table, now: Now) {
        self.expires_templates = table.sysctls().expire_quiescent_template != 0;
        let mut before = std::mem::take(&mut self.pending);
        for (_, service) in table.services(None) {
            for one in service.destinations() {
                let Drain::Quiescent(Some(deadline)) = one.hold.drain else { continue };
                let key = (*service.id(), one.id);
                let known = before.remove(&key).filter(|known| known.deadline == deadline);
                self.pending.insert(key, known.unwrap_or_else(|| Pending::new(deadline, now)));
            }
        }
    }

    /// Those that are empty or have no time left. They are no longer pending.
    fn take_due(&mut self, now: Now, count: impl Fn(&Key) -> DestinationCounters) -> Vec<Due> {
        let mut due = Vec::new();
        let expires_templates = self.expires_templates;
        self.pending.retain(|key, pending| {
            let counted = count(key);
            // A client with a template that holds may come back at any time.
            let is_left = counted.persistent == 0 || expires_templates;
            let is_empty = counted.active == 0 && is_left && now.elapsed >= pending.settled;
            let is_due = is_empty || now.elapsed >= pending.over;
            if is_due {
                due.push(Due { key: *key, deadline: pending.deadline, counted });
            }
            !is_due
        });
        due
    }
}

impl Pending {
    fn new(deadline: Deadline, now: Now) -> Self {
        let left = Duration::from_secs(deadline.0).saturating_sub(now.since_1970);
        Self { deadline, settled: now.elapsed + SETTLED, over: now.elapsed.saturating_add(left) }
    }
}

impl Due {
    fn tell(&self) {
        let (service, one) = &self.key;
        let left = match self.counted.active {
            0 => "no active connection is left".to_owned(),
            active => format!("its time is over, with {}", counted(active as usize, "active connection")),
        };
        let (real_server, active_connections) = (one.0, self.counted.active);
        let state = "removed";
        tracing::info!(%service, %real_server, state, active_connections, "a drained real server is taken out: {left}");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use ulvs_ipvs::table::{DestinationSpec, ServiceSpec};
    use ulvs_model::{Protocol, ServiceKey, Sysctl};

    use super::*;
    use crate::nowhere::Nowhere;

    const START: u64 = 1_700_000_000;

    fn now(seconds: u64) -> Now {
        Now { elapsed: Duration::from_secs(seconds), since_1970: Duration::from_secs(START + seconds) }
    }

    fn service() -> ServiceId {
        ServiceKey::new(Protocol::Tcp, ([192, 0, 2, 100], 80).into()).into()
    }

    fn real(host: u8) -> DestinationId {
        DestinationId(SocketAddr::from(([10, 0, 0, host], 80)))
    }

    fn run(table: &mut Table, command: &Command) {
        let changes = table.plan(command, Owner::File, &Nowhere).unwrap();
        table.commit(&changes);
    }

    /// Two real servers, 10.0.0.1 drained with 60 s.
    fn table() -> Table {
        let mut table = Table::new();
        let (id, scheduler) = (service(), "rr".to_owned());
        let spec = ServiceSpec {
            id,
            scheduler,
            flags: 0,
            mask: u32::MAX,
            timeout: 0,
            netmask: u32::MAX,
            engine: String::new(),
        };
        run(&mut table, &Command::NewService(spec));
        for host in [1, 2] {
            run(&mut table, &Command::NewDestination(id, Ok(DestinationSpec::at(real(host).0))));
        }
        drain(&mut table, Some(START + 60));
        table
    }

    fn drain(table: &mut Table, deadline: Option<u64>) {
        let drain = Drain::Quiescent(deadline.map(Deadline));
        run(table, &Command::Drain(service(), real(1), drain));
    }

    fn followed(table: &Table, seconds: u64) -> Removals {
        let mut removals = Removals::default();
        removals.follow(table, now(seconds));
        removals
    }

    fn due(removals: &mut Removals, seconds: u64, active: u32, persistent: u32) -> Vec<DestinationId> {
        let counted = DestinationCounters { active, persistent, ..DestinationCounters::default() };
        let due = removals.take_due(now(seconds), |_| counted);
        due.into_iter().map(|due| due.key.1).collect()
    }

    #[test]
    fn it_is_taken_out_when_its_time_is_over() {
        let mut removals = followed(&table(), 0);
        assert_eq!(due(&mut removals, 59, 1, 0), []);
        assert_eq!(due(&mut removals, 60, 1, 0), [real(1)]);
        assert_eq!(due(&mut removals, 61, 1, 0), [], "once");
    }

    #[test]
    fn it_is_taken_out_earlier_when_no_connection_is_left() {
        let mut removals = followed(&table(), 0);
        assert_eq!(due(&mut removals, 2, 0, 0), [], "a handshake may be under way");
        assert_eq!(due(&mut removals, 3, 1, 0), []);
        assert_eq!(due(&mut removals, 4, 0, 1), [], "a client is to keep it");
        assert_eq!(due(&mut removals, 5, 0, 0), [real(1)]);
    }

    /// ipvs-facts B.6: with `expire_quiescent_template` a template leads to no real server of weight 0.
    #[test]
    fn templates_that_hold_nobody_are_not_waited_for() {
        let mut table = table();
        let set = |table: &mut Table, value| run(table, &Command::SetSysctl(Sysctl::ExpireQuiescentTemplate, value));
        let mut removals = followed(&table, 0);
        assert_eq!(due(&mut removals, 10, 0, 1), []);
        set(&mut table, 1);
        removals.follow(&table, now(10));
        assert_eq!(due(&mut removals, 11, 1, 1), [], "a connection counts as ever");
        set(&mut table, 0);
        removals.follow(&table, now(11));
        assert_eq!(due(&mut removals, 12, 0, 1), []);
        set(&mut table, 1);
        removals.follow(&table, now(12));
        assert_eq!(due(&mut removals, 12, 0, 1), [real(1)]);
    }

    #[test]
    fn a_restart_does_not_begin_it_anew() {
        let mut removals = followed(&table(), 40);
        assert_eq!(due(&mut removals, 59, 1, 0), []);
        assert_eq!(due(&mut removals, 60, 1, 0), [real(1)]);
        let mut late = followed(&table(), 1000);
        assert_eq!(due(&mut late, 1000, 1, 0), [real(1)]);
    }

    #[test]
    fn a_clock_that_is_set_changes_nothing() {
        let mut removals = followed(&table(), 0);
        let set = Now { elapsed: Duration::from_secs(10), since_1970: Duration::from_secs(START * 2) };
        removals.follow(&table(), set);
        assert_eq!(due(&mut removals, 59, 1, 0), []);
        assert_eq!(due(&mut removals, 60, 1, 0), [real(1)]);
    }

    #[test]
    fn only_what_has_a_deadline_is_taken_out_and_the_last_word_counts() {
        let mut table = table();
        let mut removals = followed(&table, 0);
        drain(&mut table, Some(START + 100));
        removals.follow(&table, now(50));
        assert_eq!(due(&mut removals, 99, 1, 0), []);
        drain(&mut table, None);
        removals.follow(&table, now(99));
        assert_eq!(due(&mut removals, 1000, 0, 0), []);
    }
}
