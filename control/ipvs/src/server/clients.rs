use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::task::{AbortHandle, Id, JoinSet};

use crate::Access;

/// When a client last said something, for whoever has to choose one to go.
#[derive(Clone, Debug)]
pub(super) struct Active {
    since: Instant,
    /// Microseconds after `since`. The client's task stores, the server loads.
    microseconds: Arc<AtomicU64>,
}

impl Active {
    pub(super) fn now(&self) {
        let microseconds = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.microseconds.store(microseconds, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Client {
    access: Access,
    active: Active,
    task: AbortHandle,
}

/// The connected clients, of which there are never too many.
#[derive(Debug)]
pub(super) struct Clients {
    most: usize,
    started: Instant,
    known: HashMap<Id, Client>,
    tasks: JoinSet<()>,
}

impl Clients {
    pub(super) fn new(most: usize) -> Self {
        Self { most, started: Instant::now(), known: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Waits until a client ends.
    pub(super) async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => drop(self.known.remove(&id)),
            Some(Err(error)) => drop(self.known.remove(&error.id())),
            None => std::future::pending().await,
        }
    }

    /// Starts a client's task. If there is no place for it, the one goes that has been silent longest of those with no
    /// more rights; false if there is none of these.
    pub(super) fn admit<F>(&mut self, access: Access, serve: impl FnOnce(Active) -> F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let full = self.known.len() >= self.most;
        let guests = self.known.values().filter(|client| client.access < Access::Full).count();
        if (full || (access < Access::Full && guests >= self.most / 2)) && !self.evict(access) {
            return false;
        }
        let active = Active { since: self.started, microseconds: Arc::default() };
        active.now();
        let task = self.tasks.spawn(serve(active.clone()));
        self.known.insert(task.id(), Client { access, active, task });
        true
    }

    fn evict(&mut self, newcomer: Access) -> bool {
        let candidates = self.known.iter().filter(|(_, client)| client.access <= newcomer);
        let last_heard = |client: &Client| client.active.microseconds.load(Ordering::Relaxed);
        let chosen = candidates.min_by_key(|(_, client)| (client.access, last_heard(client))).map(|(id, _)| *id);
        match chosen.and_then(|id| self.known.remove(&id)) {
            Some(client) => {
                client.task.abort();
                true
            }
            None => false,
        }
    }
}
