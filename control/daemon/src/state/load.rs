//! What was kept, read at the start.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Result, bail};

use super::journal::HEAD;
use super::record::Record;
use super::replay::Replay;
use super::saved::Saved;
use super::{Folder, JOURNAL, JOURNAL_BEFORE, SERVICES};
use crate::words::{counted, said};

/// What was kept.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// `None`: nothing was.
    pub(super) saved: Option<Saved>,
    /// The last change in it.
    pub(super) number: u64,
}

impl Folder {
    /// What was kept, by the file and the journal behind it. What can't be read is put aside, which is told, so that nothing of
    /// it is lost and ulvsd starts all the same.
    pub(super) fn load(&self) -> Result<Loaded> {
        let Some(text) = self.read(SERVICES)? else {
            // The journal says what changed of something that is gone.
            self.begin(Saved::default())?;
            return Ok(Loaded::default());
        };
        let saved = match Saved::parse(&text) {
            Ok(saved) => saved,
            Err(reason) => {
                let aside = self.put_aside(SERVICES, &text, "unreadable")?;
                tracing::error!(
                    "{} is not what ulvsd writes ({reason}): it is kept as {}, and ulvsd begins with the file's services alone",
                    self.path.join(SERVICES).display(),
                    aside.display()
                );
                for journal in [JOURNAL_BEFORE, JOURNAL] {
                    self.read(journal)?.map(|text| self.put_aside(journal, &text, "unreadable")).transpose()?;
                }
                self.begin(Saved::default())?;
                return Ok(Loaded::default());
            }
        };
        let Some(changes) = saved.changes else {
            // An ulvsd that knows of no journal has written it.
            let saved = self.begin(saved)?;
            return Ok(Loaded { saved: Some(saved), number: 0 });
        };
        let mut behind = Behind { replay: Replay::from(saved), number: changes, followed: 0 };
        if self.follow(JOURNAL_BEFORE, &mut behind)? {
            self.follow(JOURNAL, &mut behind)?;
        } else if let Some(text) = self.read(JOURNAL)? {
            self.put_aside(JOURNAL, &text, "unreadable")?;
            self.cut(JOURNAL, 0)?;
        }
        if behind.followed > 0 {
            let changes = counted(behind.followed, "change");
            tracing::info!("the last ulvsd was ended at once: {changes} of its journal are restored with the others");
        }
        Ok(Loaded { saved: Some(behind.replay.saved()), number: behind.number })
    }

    /// Begins a new journal behind what is kept.
    fn begin(&self, mut saved: Saved) -> Result<Saved> {
        self.forget_journal()?;
        saved.changes = Some(0);
        if let Err(error) = self.store(&saved.text(), 0) {
            // The keeper tries again, and tells.
            tracing::debug!(%error, "{SERVICES} is not written yet");
        }
        Ok(saved)
    }

    /// Follows a journal as far as it can be read, and cuts off the rest; whether there was none.
    fn follow(&self, name: &str, behind: &mut Behind) -> Result<bool> {
        let Some(text) = self.read(name)? else { return Ok(true) };
        let path = self.path.join(name);
        let (good, end) = behind.follow(&text);
        match end {
            End::Whole => return Ok(true),
            End::Torn => tracing::info!(
                "{} ends within a change: ulvsd was ended before it had answered it, and it is left out",
                path.display()
            ),
            End::Damaged(reason) => {
                let aside = self.put_aside(name, &text, "unreadable")?;
                tracing::error!(
                    "{} is damaged ({reason}): the changes from there on are not restored; it is kept as {}",
                    path.display(),
                    aside.display()
                );
                self.cut(name, good)?;
                return Ok(false);
            }
        }
        self.cut(name, good)?;
        Ok(true)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => bail!(
                "{} can't be read ({}): make it readable, or remove it if what ipvsadm, keepalived and the API set is to be \
                 forgotten",
                path.display(),
                said(&error)
            ),
        }
    }

    /// Leaves of a journal what can be read, so that it can be gone on with.
    fn cut(&self, name: &str, length: usize) -> Result<()> {
        let path = self.path.join(name);
        let cut = File::options().write(true).open(&path).and_then(|file| file.set_len(length as u64));
        done(&path, cut)
    }

    /// Removes the journal.
    pub(super) fn forget_journal(&self) -> Result<()> {
        for name in [JOURNAL_BEFORE, JOURNAL] {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => done(&path, removed)?,
            }
        }
        Ok(())
    }
}

fn done(path: &Path, result: io::Result<()>) -> Result<()> {
    if let Err(error) = result {
        bail!("{} can't be written to ({}): let ulvsd write there, or remove it", path.display(), said(&error));
    }
    Ok(())
}

/// How far the changes were followed.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) replay: Replay,
    /// The last change.
    pub(super) number: u64,
    /// How many changes were followed.
    pub(super) followed: usize,
}

/// How a journal ends.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum End {
    Whole,
    /// In the middle of a change.
    Torn,
    /// Something else than a change follows.
    Damaged(String),
}

impl Behind {
    /// Follows the changes of a journal that are newer; how many of its bytes, and what comes then.
    pub(super) fn follow(&mut self, text: &[u8]) -> (usize, End) {
        let mut good = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                return (good, if line.contains(&0) { End::Damaged("zeros at its end".to_owned()) } else { End::Torn });
            }
            if good == 0 {
                if line != HEAD.as_bytes() {
                    return (0, End::Damaged(format!("it doesn't begin with {}", HEAD.trim_end())));
                }
            } else if let Err(reason) = self.follow_line(line) {
                return (good, End::Damaged(reason));
            }
            good += line.len();
        }
        (good, End::Whole)
    }

    fn follow_line(&mut self, line: &[u8]) -> Result<(), String> {
        let record: Record = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        if record.number > self.number {
            record.steps.into_iter().for_each(|step| self.replay.follow(step));
            self.number = record.number;
            self.followed += 1;
        }
        Ok(())
    }
}
