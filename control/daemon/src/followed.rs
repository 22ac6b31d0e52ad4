//! What of the director's files is followed, for those who tell of it.

use std::time::SystemTime;

use tokio::sync::watch;
use ulvs_config::{Digest, Director, Files, Metrics};

/// What is followed now.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    /// How much the metrics tell.
    pub(crate) metrics: Metrics,
    /// The sum of the files' text.
    pub(crate) digest: Digest,
    /// When they were followed.
    pub(crate) at: SystemTime,
    /// Whether the last try to follow files succeeded.
    pub(crate) is_current: bool,
}

/// Who follows says so here.
#[derive(Debug)]
pub(crate) struct Following(watch::Sender<Followed>);

impl Following {
    /// At the start.
    pub(crate) fn begin(director: &Director, files: &Files) -> Self {
        Self(watch::Sender::new(Followed {
            metrics: director.metrics().clone(),
            digest: files.digest(),
            at: SystemTime::now(),
            is_current: true,
        }))
    }

    /// What is followed, as it changes.
    pub(crate) fn told(&self) -> watch::Receiver<Followed> {
        self.0.subscribe()
    }

    /// A director has taken effect.
    pub(crate) fn follows(&self, director: &Director) {
        self.0.send_modify(|followed| followed.metrics.clone_from(director.metrics()));
    }

    /// It was in these files.
    pub(crate) fn recorded(&self, files: &Files) {
        self.0.send_modify(|followed| {
            followed.digest = files.digest();
            followed.at = SystemTime::now();
            followed.is_current = true;
        });
    }

    /// Files were not followed.
    pub(crate) fn failed(&self) {
        self.0.send_modify(|followed| followed.is_current = false);
    }
}
