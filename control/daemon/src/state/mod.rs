//! What outlives ulvsd: the services that ipvsadm, keepalived and the API set, and what they made of the file's.

mod journal;
mod keeper;
mod load;
mod record;
mod replay;
mod restore;
mod saved;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::words::said;

pub(crate) use journal::Journal;
pub(crate) use keeper::Keeper;
pub(crate) use restore::restore;

/// The file in the folder.
const SERVICES: &str = "services.json";
/// What was changed since it was written.
const JOURNAL: &str = "services.journal";
/// The same, of changes that are in the next one that is written.
const JOURNAL_BEFORE: &str = "services.journal.before";
/// Copies that were put aside; more than these, and the oldest go.
const ASIDE: usize = 10;

/// The folder that ulvsd keeps its state in, held by a lock.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Which change of the table was the last in what was written: what is older is not written over it.
    newest: Mutex<u64>,
    _lock: Flock<File>,
}

impl Folder {
    /// Takes the folder for this process; makes it if it isn't there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let refused = |what: &str, error: &io::Error| {
            let root = if error.kind() == ErrorKind::PermissionDenied { "run ulvsd as root, or " } else { "" };
            anyhow!("{} can't {what} ({}): {root}choose another `folder` in [state]", path.display(), said(error))
        };
        fs::create_dir_all(path).map_err(|error| refused("be made", &error))?;
        let file = File::options().create(true).append(true).mode(0o600).open(path.join("lock"));
        let file = file.map_err(|error| refused("be written to", &error))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path: path.to_owned(), newest: Mutex::new(0), _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => bail!(
                "another ulvsd keeps its state in {}: stop it, or choose another `folder` in [state]",
                path.display()
            ),
            Err((_, error)) => Err(refused("be locked", &error.into())),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps what was in a file of the folder under a name of its own, and gives the name.
    fn put_aside(&self, name: &str, content: &[u8], why: &str) -> Result<PathBuf> {
        let stem = format!("{name}.{why}-");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let aside = self.path.join(format!("{stem}{now}"));
        write_atomically(&aside, content).map_err(|error| {
            let (path, shown) = (self.path.join(name), aside.display());
            anyhow!("{} can't be copied to {shown} ({}): make room there, or remove it", path.display(), said(&error))
        })?;
        let mut copies: Vec<_> = fs::read_dir(&self.path)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&stem)))
            .collect();
        copies.sort();
        for old in copies.iter().rev().skip(ASIDE) {
            // Too many are no harm.
            let _ = fs::remove_file(old);
        }
        Ok(aside)
    }

    /// Replaces what is kept, at once and for good: a reader, and ulvsd after a crash, finds the old or the new.
    fn store(&self, text: &[u8], change: u64) -> io::Result<()> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if change < *newest {
            return Ok(());
        }
        write_atomically(&self.path.join(SERVICES), text)?;
        *newest = change;
        Ok(())
    }
}

/// Replaces a file's content in one step that survives a crash.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let mut file = File::options().create(true).write(true).truncate(true).mode(0o640).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
