//! What was changed since the folder's file was written: kept before it is answered.
//!
//! A change is a line that is written at the journal's end. What is written is the system's, and outlives the process
//! whatever ends it; a power failure it outlives only once the system has written it to the disk, or in [`super::SERVICES`], which
//! the keeper synchronises. Beside each new such file the journal begins anew (`Order::Rotate`), and the one before goes once the
//! file is there (`Order::Folded`), so that it stays short.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::oneshot;
use ulvs_ipvs::Kept;
use ulvs_ipvs::table::{Change, Owner, Table};

use super::record::Written;
use super::{Folder, JOURNAL, JOURNAL_BEFORE};
use crate::words::said;

/// What each journal begins with.
pub(super) const HEAD: &str = "{\"format\":\"ulvs-journal\",\"version\":1}\n";
/// A longer one is not gone on with: the file beside it could not be written for long.
const LONGEST: u64 = 64 << 20;
/// How long an answer waits for the disk: one that hangs holds up nobody for longer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Changes that wait for the thread.
const QUEUE: usize = 1024;

/// Where changes are written to, by a thread of its own: a disk that is slow holds up their answers and nothing else.
#[derive(Debug)]
pub(crate) struct Journal {
    orders: SyncSender<Order>,
    /// The number of the last change of all earlier processes.
    before: u64,
    trouble: Arc<Trouble>,
}

/// What keeps changes from being written.
#[derive(Debug, Default)]
struct Trouble {
    /// The disk doesn't answer: nobody waits for it until it does.
    hangs: AtomicBool,
    /// The last change that found no place among those that wait.
    missed: AtomicU64,
}

#[derive(Debug)]
enum Order {
    /// Write a change, and tell when that is done, or when it can't be.
    Append(u64, Written, oneshot::Sender<()>),
    /// Begin anew, so that what is written up to now can go once a file has it.
    Rotate(oneshot::Sender<()>),
    /// The file has all up to this change.
    Folded(u64),
}

impl Journal {
    /// Begins to write behind what is there: `before` is the last change's number.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn start(folder: &Folder, before: u64) -> Result<Self> {
        let (orders, receiver) = sync_channel(QUEUE);
        let trouble = Arc::<Trouble>::default();
        let mut writer = Writer::new(folder.path.clone(), before, Arc::clone(&trouble));
        let run = move || writer.run(&receiver);
        thread::Builder::new().name("journal".to_owned()).spawn(run).context("no thread for the journal of changes")?;
        Ok(Self { orders, before, trouble })
    }

    /// The number of a change of this process among those of all times.
    pub(super) const fn number(&self, change: u64) -> u64 {
        self.before + change
    }

    /// Has changes written that are in `table`; to be waited for before they are answered.
    pub(crate) fn keep(&self, table: &Table, changes: &[Change], change: u64, by: Owner) -> Option<Kept> {
        let written = Written::of(table, changes, by)?;
        let (number, (done, is_done)) = (self.number(change), oneshot::channel());
        if let Err(TrySendError::Full(_)) = self.orders.try_send(Order::Append(number, written, done)) {
            self.trouble.missed.fetch_max(number, Ordering::Relaxed);
            return None;
        }
        if self.trouble.hangs.load(Ordering::Relaxed) {
            return None;
        }
        let trouble = Arc::clone(&self.trouble);
        Some(Box::pin(async move {
            let is_late = tokio::time::timeout(PATIENCE, is_done).await.is_err();
            if is_late && !trouble.hangs.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    "the disk of {JOURNAL} has taken no change for {} s: until it does, what ipvsadm, keepalived and the API \
                     set is answered at once, and does not survive a restart",
                    PATIENCE.as_secs()
                );
            }
        }))
    }

    /// Begins anew. What the table has now can go once it is in the file.
    pub(super) async fn rotate(&self) {
        let (done, is_done) = oneshot::channel();
        if self.orders.try_send(Order::Rotate(done)).is_ok() {
            // An end without an answer is the end of the process.
            let _ = is_done.await;
        }
    }

    /// Says that the file has all up to this change.
    pub(super) fn folded(&self, number: u64) {
        // If there is no place the next time does.
        let _ = self.orders.try_send(Order::Folded(number));
    }
}

/// What the thread has.
struct Writer {
    folder: PathBuf,
    file: Option<File>,
    length: u64,
    /// The last change that was not written, and the one up to which the file has them all: what follows a gap is not written
    /// before the file is behind it.
    lost: u64,
    folded: u64,
    trouble: Arc<Trouble>,
    /// What is written together, the last change of it, and who waits for it.
    together: Vec<u8>,
    last: u64,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Writer {
    fn new(folder: PathBuf, before: u64, trouble: Arc<Trouble>) -> Self {
        let (together, waiting) = (Vec::new(), Vec::new());
        Self { folder, file: None, length: 0, lost: 0, folded: before, trouble, together, last: before, waiting }
    }

    /// Until nobody can order any more.
    fn run(&mut self, orders: &Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            for order in std::iter::once(first).chain(orders.try_iter().take(QUEUE)) {
                match order {
                    Order::Append(number, written, done) => {
                        self.together.extend(written.line(number));
                        self.last = number;
                        self.waiting.push(done);
                    }
                    Order::Rotate(done) => {
                        self.flush();
                        if let Err(error) = self.rotate() {
                            tracing::debug!(%error, "{JOURNAL} goes on");
                        }
                        let _ = done.send(());
                    }
                    Order::Folded(number) => {
                        self.flush();
                        self.fold(number);
                    }
                }
            }
            self.flush();
        }
    }

    /// Writes what waits, and tells who waits for it, be it written or not.
    fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        if self.is_behind_a_gap() {
            self.lost = self.last;
        } else if let Err(error) = self.append() {
            self.lost = self.last;
            tracing::error!(
                "{} can't be written ({}): until it can, what ipvsadm, keepalived and the API set is kept a moment after it is \
                 answered",
                self.folder.join(JOURNAL).display(),
                said(&error)
            );
        }
        self.together.clear();
        self.together.shrink_to(1 << 20);
        // Who asked may be gone.
        for done in self.waiting.drain(..) {
            let _ = done.send(());
        }
        if self.trouble.hangs.swap(false, Ordering::Relaxed) {
            tracing::info!("the disk of {JOURNAL} takes changes again");
        }
    }

    fn is_behind_a_gap(&mut self) -> bool {
        self.lost = self.lost.max(self.trouble.missed.load(Ordering::Relaxed));
        self.lost > self.folded
    }

    /// All or nothing.
    fn append(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            let file = File::options().create(true).append(true).mode(0o640).open(self.folder.join(JOURNAL))?;
            self.length = file.metadata()?.len();
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.length == 0 {
            self.together.splice(..0, HEAD.bytes());
        }
        let length = self.length + self.together.len() as u64;
        if length > LONGEST {
            return Err(io::Error::new(ErrorKind::StorageFull, format!("it would be longer than {LONGEST} bytes")));
        }
        if let Err(error) = file.write_all(&self.together) {
            // Half a change would be the last one that is read. What is left of it in spite of this goes when the file is whole.
            let _ = file.set_len(self.length);
            return Err(error);
        }
        self.length = length;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let before = self.folder.join(JOURNAL_BEFORE);
        if before.try_exists()? {
            return Ok(());
        }
        match fs::rename(self.folder.join(JOURNAL), before) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => self.file = None,
        }
        Ok(())
    }

    fn fold(&mut self, number: u64) {
        let had_a_gap = self.is_behind_a_gap();
        self.folded = self.folded.max(number);
        // What can't be removed is no harm: all of it is known to be older.
        let _ = fs::remove_file(self.folder.join(JOURNAL_BEFORE));
        if had_a_gap && !self.is_behind_a_gap() {
            // Nothing behind the gap was written.
            self.file = None;
            match fs::remove_file(self.folder.join(JOURNAL)) {
                Err(error) if error.kind() != ErrorKind::NotFound => self.lost = self.folded + 1,
                _ => tracing::info!("changes are kept before they are answered again"),
            }
        }
    }
}
