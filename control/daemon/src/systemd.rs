//! What the service manager is told (`sd_notify(3)`): that packets are forwarded, and that every worker still runs. Started by
//! something else, ulvsd tells nobody.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use ulvs_engine::Shared;

/// How often it is looked whether workers have begun.
const LOOK: Duration = Duration::from_millis(1);

/// Comes back when every worker has passed its ports once.
pub(crate) async fn begun(shared: &Shared) {
    while shared.workers().iter().any(|worker| worker.loops.get() == 0) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Packets are forwarded, as `status` says; also after a reload.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The file is read again.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// No more packets are forwarded from now on.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Tells, twice in the time that the unit's `WatchdogSec` gives, that every worker has passed its ports since; of one that
/// hangs nothing is told, so that the service manager starts ulvsd anew.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let mut watched = Watched::new(&shared);
    loop {
        tokio::time::sleep(period / 2).await;
        match watched.hanging(&shared) {
            None => tell(&[NotifyState::Watchdog]),
            Some(worker) => tracing::error!(
                "worker {worker} has not passed its ports for {} ms: if it doesn't, the service manager starts ulvsd anew",
                period.as_millis() / 2
            ),
        }
    }
}

/// How often each worker had passed its ports.
struct Watched(Vec<u64>);

impl Watched {
    fn new(shared: &Shared) -> Self {
        Self(shared.workers().iter().map(|worker| worker.loops.get()).collect())
    }

    /// A worker that has not passed its ports since the last look.
    fn hanging(&mut self, shared: &Shared) -> Option<usize> {
        let before = std::mem::replace(self, Self::new(shared));
        before.0.iter().zip(&self.0).position(|(before, now)| before == now)
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("the service manager can't be told: {error}");
    }
}

#[cfg(test)]
mod tests {
    use ulvs_engine::Capacity;

    use super::*;

    #[test]
    fn one_worker_that_hangs_is_found_beside_one_that_runs() {
        let shared = Shared::new(Capacity { connections: 16, destinations: 16, workers: 2 }, [1, 2, 3]).unwrap();
        let mut watched = Watched::new(&shared);
        shared.workers()[0].loops.add(1);
        assert_eq!(watched.hanging(&shared), Some(1));
        shared.workers()[1].loops.add(1);
        assert_eq!(watched.hanging(&shared), Some(0));
        shared.workers().iter().for_each(|worker| worker.loops.add(1));
        assert_eq!(watched.hanging(&shared), None);
    }
}
