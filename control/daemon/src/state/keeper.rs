//! Keeps the folder in step with the table.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ulvs_ipvs::table::Table;

use super::saved::Saved;
use super::{Folder, SERVICES};
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
    /// Of what is in the folder; what is the same is not written again.
    written: Option<u64>,
}

impl Keeper {
    pub(crate) const fn new(folder: Arc<Folder>) -> Self {
        Self { folder, written: None }
    }

    /// Follows the table until it is aborted.
    pub(crate) async fn run(mut self, director: Arc<Director>) {
        let mut committed = director.committed();
        let mut is_failing = false;
        loop {
            let change = *committed.borrow_and_update();
            let table = director.look(Table::clone);
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
        if let Err(error) = self.write(&director.look(Table::clone), u64::MAX) {
            tracing::error!("{}", self.failed(&error));
        }
    }

    fn write(&mut self, table: &Table, change: u64) -> io::Result<()> {
        let text = Saved::of(table).text();
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        if self.written != Some(hash) {
            self.folder.store(&text, change)?;
            self.written = Some(hash);
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> String {
        format!(
            "{} can't be written ({}): until it can, what ipvsadm, keepalived and the API set does not survive a restart",
            self.folder.path.join(SERVICES).display(),
            said(error)
        )
    }
}
