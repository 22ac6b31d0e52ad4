//! One check of one real server, probe after probe.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use ulvs_config::Check;

use crate::probe::{Failure, Finding, Question, Target};
use crate::{Judge, Opinion, Round};

/// Which of all that run.
pub type Id = u64;

/// An opinion that has changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Which check of which real server.
    pub id: Id,
    /// What it says now.
    pub opinion: Opinion,
    /// Why, if the last probe did not pass.
    pub reason: Option<String>,
}

/// A check of a real server as it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What it says.
    pub opinion: Opinion,
    /// Probes in a row that spoke against it, and how many it takes.
    pub doubts: (u32, u32),
    /// Probes so far.
    pub probes: u64,
    /// Those of them that did not pass.
    pub failures: u64,
    /// Why the last one did not pass; absent: it did, or there was none.
    pub reason: Option<String>,
    /// How long the last one took.
    pub took: Duration,
    /// Since when it is up or down.
    pub since: SystemTime,
}

/// A check of a real server that runs. Written by its task, read by whoever lists.
#[derive(Debug)]
pub struct Watched {
    /// How it is checked.
    pub check: Arc<Check>,
    /// Who is.
    pub target: Target,
    standing: Mutex<Standing>,
}

impl Watched {
    /// Not asked yet.
    pub fn new(check: Arc<Check>, target: Target) -> Self {
        let standing = Standing {
            opinion: Opinion::WELL,
            doubts: (0, check.fall),
            probes: 0,
            failures: 0,
            reason: None,
            took: Duration::ZERO,
            since: SystemTime::now(),
        };
        Self { check, target, standing: Mutex::new(standing) }
    }

    /// As it stands now.
    pub fn standing(&self) -> Standing {
        self.lock().clone()
    }

    /// What it says now.
    pub fn opinion(&self) -> Opinion {
        self.lock().opinion
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, judge: &Judge, found: &Result<Finding, Failure>, took: Duration) -> Option<String> {
        let reason = match found {
            Err(failure) => Some(failure.to_string()),
            Ok(Finding::Said(said)) => said.is_up.as_ref().filter(|(is_up, _)| !is_up).map(|(_, why)| why.clone()),
            Ok(_) => None,
        };
        let mut standing = self.lock();
        let opinion = judge.opinion();
        if opinion.is_up != standing.opinion.is_up {
            standing.since = SystemTime::now();
        }
        standing.opinion = opinion;
        standing.doubts = judge.doubts();
        standing.probes += 1;
        standing.failures += u64::from(found.is_err());
        standing.reason.clone_from(&reason);
        standing.took = took;
        reason
    }
}

/// How many probes may be under way at a time: each has an open file, or is a process.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) sockets: Semaphore,
    pub(crate) programs: Semaphore,
}

/// Probes until it is aborted. `count` are all that run, for the first probes to be spread.
pub(crate) async fn watch(
    (id, watched): (Id, Arc<Watched>),
    question: Question,
    room: Arc<Room>,
    events: mpsc::Sender<Event>,
    count: usize,
) {
    let began = Instant::now();
    let mut round = Round::new(Arc::clone(&watched.check), count, random());
    loop {
        sleep_until(began + round.due()).await;
        let room = if question.is_program() { &room.programs } else { &room.sockets };
        let Ok(place) = room.acquire().await else { return };
        let asked = Instant::now();
        // boxed: between two probes it would be memory for nothing
        let probe = Box::pin(question.ask(&watched.target));
        let most = watched.check.timeout;
        let found = match timeout(most, probe).await {
            Ok(found) => found,
            Err(_) => Err(Failure::new(format!("no answer within {} ms", most.as_millis()))),
        };
        drop(place);
        let changed = round.ended(&found, began.elapsed(), random());
        let reason = watched.write(round.judge(), &found, asked.elapsed());
        if changed && events.send(Event { id, opinion: round.judge().opinion(), reason }).await.is_err() {
            return;
        }
    }
}

/// Randomness for what needs little of it.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}
