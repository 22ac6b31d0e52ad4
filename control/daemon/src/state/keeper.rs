//! Keeps the folder in step with the table.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ulvs_ipvs::table::Table;

use super::saved::Saved;
use super::{Folder, JOURNAL, Journal, SERVICES};
use crate::ipvs::Director;
use crate::words::said;

/// Changes that come within this time are written together.
const TOGETHER: Duration = Duration::from_millis(50);
/// After a failure, until it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Writes what has to be kept. The control task is never waited for, nor does it wait: copies of the table share its services.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    folder: Arc<Folder>,
    /// What keeps changes until they are in the folder's file.
    journal: Arc<Journal>,
    /// Of what is in the folder; what is the same is not written again.
    written: Option<u64>,
}

impl Keeper {
    pub(crate) const fn new(folder: Arc<Folder>, journal: Arc<Journal>) -> Self {
        Self { folder, journal, written: None }
    }

    /// Follows the table until it is aborted.
    pub(crate) async fn run(mut self, director: Arc<Director>) {
        let mut committed = director.committed();
        let mut is_failing = false;
        loop {
            committed.mark_unchanged();
            self.journal.rotate().await;
            let (table, change) = director.copy();
            let mut keeper = self.clone();
            let written = tokio::task::spawn_blocking(move || keeper.write(&table, change).map(|()| keeper)).await;
            match written {
                Ok(Ok(keeper)) => {
                    if is_failing {
                        tracing::info!("what ipvsadm, keepalived and the API set is kept again");
                    }
                    (self, is_failing) = (keeper, false);
                }
                Ok(Err(error)) => {
                    if !is_failing {
                        tracing::error!("{}", self.failed(&error));
                    }
                    is_failing = true;
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
                // Only at the end of the process.
                Err(_) => return,
            }
            if committed.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(TOGETHER).await;
        }
    }

    /// Writes a last time, when nothing is changed any more.
    pub(crate) fn finish(mut self, director: &Director) {
        let (table, change) = director.copy();
        match self.write(&table, change) {
            // What is left of it is known to be older.
            Ok(()) => drop(self.folder.forget_journal()),
            Err(error) => tracing::error!("{}", self.failed(&error)),
        }
    }

    fn write(&mut self, table: &Table, change: u64) -> io::Result<()> {
        let (mut saved, number) = (Saved::of(table), self.journal.number(change));
        let mut hasher = DefaultHasher::new();
        saved.hash(&mut hasher);
        let hash = hasher.finish();
        if self.written != Some(hash) {
            saved.changes = Some(number);
            self.folder.store(&saved.text(), number)?;
            self.written = Some(hash);
        }
        self.journal.folded(number);
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> String {
        format!(
            "{} can't be written ({}): until it can, what ipvsadm, keepalived and the API set is in {JOURNAL} alone",
            self.folder.path.join(SERVICES).display(),
            said(error)
        )
    }
}
