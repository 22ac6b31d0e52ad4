//! Health checks: what the checks' thread finds becomes weights, removals and sorry servers in the table of services.
//!
//! One task decides. It wakes when an opinion has changed, when the file is followed anew, when somebody else has changed the
//! table (a real server that is added again is held again), and while a real server starts slowly.

mod board;
mod guarded;
mod status;
mod wanted;
mod watches;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};
use ulvs_checks::{Event, Runner};
use ulvs_ipvs::table::{Owner, Service, ServiceId};

use crate::ipvs::Director;
use crate::vip::Vip;

pub(crate) use board::{Board, Row};
use guarded::Guarded;
use wanted::Wanted;
use watches::Watches;

/// How often what time alone changes is looked at, and at most how often what others change.
const TICK: Duration = Duration::from_millis(500);
/// Changed opinions that are taken together.
const AT_ONCE: usize = 1024;

/// The way to the task.
#[derive(Clone)]
pub(crate) struct Checks {
    files: mpsc::Sender<(Box<ulvs_config::Director>, oneshot::Sender<()>)>,
    board: Arc<Board>,
}

/// The task's own.
pub(crate) struct Steward {
    director: Arc<Director>,
    board: Arc<Board>,
    files: mpsc::Receiver<(Box<ulvs_config::Director>, oneshot::Sender<()>)>,
    events: mpsc::Receiver<Event>,
    watches: Watches,
    services: BTreeMap<ulvs_model::ServiceKey, Guarded>,
    began: Instant,
    /// Whether everything has to be looked at: somebody else has changed the table, or a change was refused.
    is_stale: bool,
    /// Services in which a real server starts slowly.
    starting: BTreeSet<ulvs_model::ServiceKey>,
}

impl Checks {
    /// Starts the checks' thread, and checks what the file says.
    ///
    /// # Errors
    /// If there can't be another thread.
    pub(crate) fn start(
        said: &ulvs_config::Director,
        director: Arc<Director>,
        vip: Arc<Vip>,
    ) -> Result<(Self, Steward)> {
        let (runner, events) = Runner::start().context("health checks can't have a thread of their own")?;
        let (files, receiver) = mpsc::channel(1);
        let board = Arc::<Board>::default();
        let mut steward = Steward {
            director,
            board: Arc::clone(&board),
            files: receiver,
            events,
            watches: Watches::new(runner, vip),
            services: BTreeMap::new(),
            began: Instant::now(),
            is_stale: false,
            starting: BTreeSet::new(),
        };
        steward.follow(said);
        Ok((Self { files, board }, steward))
    }

    /// What is known of all checks.
    pub(crate) fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Checks from now on what this file says; what it says as before goes on undisturbed.
    pub(crate) async fn follow(&self, said: &ulvs_config::Director) {
        let (reply, answer) = oneshot::channel();
        if self.files.send((Box::new(said.clone()), reply)).await.is_ok() {
            let _is_stopping = answer.await;
        }
    }
}

impl Steward {
    /// Decides until nobody is there to say anything.
    pub(crate) async fn run(mut self) {
        let mut committed = self.director.committed();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(AT_ONCE);
        loop {
            tokio::select! {
                count = self.events.recv_many(&mut batch, AT_ONCE) => {
                    if count == 0 {
                        return;
                    }
                    let concerned = batch.drain(..).flat_map(|event| self.watches.services(event.id)).collect();
                    self.decide(concerned, false).await;
                }
                said = self.files.recv() => {
                    let Some((said, reply)) = said else { return };
                    self.follow(&said);
                    self.decide(self.services.keys().copied().collect(), true).await;
                    let _ = reply.send(());
                }
                Ok(()) = committed.changed() => self.is_stale = true,
                _ = tick.tick(), if self.is_stale || !self.starting.is_empty() => {
                    let is_all = std::mem::take(&mut self.is_stale);
                    let concerned = if is_all { self.services.keys().copied().collect() } else { self.starting.clone() };
                    self.decide(concerned, is_all).await;
                }
            }
        }
    }

    /// Takes up what a file says.
    fn follow(&mut self, said: &ulvs_config::Director) {
        self.watches.begin();
        let mut before = std::mem::take(&mut self.services);
        for checked in said.checked() {
            let guarded = Guarded::follow(before.remove(&checked.service), checked, said.checks(), &mut self.watches);
            // Before the first probe leaves.
            let id = ServiceId::from(checked.service);
            self.director.look(|table| wrap(&self.watches, &guarded, table.service(&id)));
            self.services.insert(checked.service, guarded);
        }
        self.watches.end();
        self.starting.retain(|key| self.services.contains_key(key));
        self.board.set(&self.services, &self.watches);
    }

    /// Judges these services, and has the table as it should be. `is_all`: what nobody checks any more is let go as well.
    async fn decide(&mut self, concerned: BTreeSet<ulvs_model::ServiceKey>, is_all: bool) {
        let now = self.began.elapsed();
        let mut wanted = Wanted::new(is_all);
        for key in concerned {
            let Some(guarded) = self.services.get_mut(&key) else { continue };
            let outcome = self.director.look(|table| {
                let service = table.service(&ServiceId::from(key));
                wrap(&self.watches, guarded, service);
                guarded.judge(service, now)
            });
            self.board.update(key, guarded, &outcome.news);
            guarded.tell(key, &outcome.news, self.director.datapath().events());
            if outcome.is_starting {
                self.starting.insert(key);
            } else {
                self.starting.remove(&key);
            }
            wanted.add(key.into(), outcome, guarded.sorry_server());
        }
        if self.director.look(|table| wanted.commands(table).is_empty()) {
            return;
        }
        let changed = self.director.change_by(move |table| wanted.commands(table), Owner::Checks).await;
        if let Err(refusal) = changed {
            tracing::error!("what health checks have found can't be followed yet: {refusal}");
            self.is_stale = true;
        }
    }
}

/// Has probes through the virtual address travel as clients' packets do.
fn wrap(watches: &Watches, guarded: &Guarded, service: Option<&Service>) {
    service.into_iter().flat_map(|service| guarded.wraps(service)).for_each(|way| watches.wrap(way));
}
