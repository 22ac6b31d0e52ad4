//! The switches as files, for scripts that know the kernel's: `echo 1 > /run/ulvs/sys/net/ipv4/vs/conn_reuse_mode`.
//!
//! They are regular files beside the API's socket, and their folder is watched: a file that was written is read, and its value
//! set as `ulvsctl set` does; then the file says what the value is, also if what was written is wrong. A file is always replaced
//! as a whole, so that a reader never sees half of one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use inotify::{Event, EventMask, EventStream, Inotify, WatchMask};
use tokio::task::JoinHandle;
use ulvs_api::SysctlRequest;
use ulvs_model::{Sysctl, Sysctls};

use super::{Shown, set};
use crate::ipvs::Director;
use crate::words::said;

/// News of the folder.
type News = EventStream<Vec<u8>>;
/// Bytes of news that are taken at a time.
const BUFFER: usize = 4096;
/// Bytes of a file that are read; no value has as many.
const LONGEST: u64 = 256;
/// As the kernel's: everybody reads, root writes.
const MODE: u32 = 0o644;

/// The files while they are served; they go with this value.
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Serves them in `sys/net/ipv4/vs` beside the API's socket, within a runtime. Without them everything else works, so a
    /// failure is told and no more.
    pub(crate) fn serve(api: &Path, director: Arc<Director>, shown: Shown) -> (Self, Option<JoinHandle<()>>) {
        let folder = api.with_file_name("sys").join("net").join("ipv4").join("vs");
        let files = Self { folder: folder.clone() };
        let now = *shown.borrow();
        match files.make(&now) {
            Ok(news) => {
                let keeper = Keeper { folder, director, shown, worked: true };
                (files, Some(tokio::spawn(keeper.run(news))))
            }
            Err(error) => {
                tracing::warn!(
                    "{} can't be filled with IPVS's switches ({}): use `ulvsctl set`, or choose another `socket` in [api]",
                    folder.display(),
                    said(&error)
                );
                (files, None)
            }
        }
    }

    fn make(&self, values: &Sysctls) -> io::Result<News> {
        fs::create_dir_all(&self.folder)?;
        // what an ulvsd that was killed left behind is older than what its successor restored
        for &which in Sysctl::ALL {
            write(&self.folder, which, values)?;
        }
        let watch = Inotify::init()?;
        // A file may be written, or another one put in its place, or away.
        let news = WatchMask::CLOSE_WRITE | WatchMask::MOVE | WatchMask::DELETE;
        watch.watches().add(&self.folder, news)?;
        watch.into_event_stream(vec![0; BUFFER])
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for which in Sysctl::ALL {
            let _ = fs::remove_file(self.folder.join(which.name()));
        }
        // not if somebody else has put something there
        for folder in self.folder.ancestors().take(4) {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}

/// Who follows what is written.
struct Keeper {
    folder: PathBuf,
    director: Arc<Director>,
    shown: Shown,
    /// Whether files could be written the last time.
    worked: bool,
}

impl Keeper {
    async fn run(mut self, mut news: News) {
        let mut written = *self.shown.borrow_and_update();
        loop {
            tokio::select! {
                event = news.next() => match event {
                    Some(Ok(event)) => {
                        if event.mask.contains(EventMask::Q_OVERFLOW) {
                            for &which in Sysctl::ALL {
                                self.follow(which).await;
                            }
                        } else if let Some(which) = named(&event) {
                            self.follow(which).await;
                        }
                    }
                    other => {
                        let why = other.and_then(Result::err).map_or_else(|| "it ended".to_owned(), |error| said(&error));
                        tracing::error!("{} can't be followed any more: {why}", self.folder.display());
                        return;
                    }
                },
                changed = self.shown.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = *self.shown.borrow_and_update();
                    for (which, ..) in now.differences(&written) {
                        self.write(which);
                    }
                    written = now;
                }
            }
        }
    }

    /// Sets what was written to a file, and writes what the value is then.
    async fn follow(&mut self, which: Sysctl) {
        let is = self.shown.borrow().get(which);
        let found = read(&self.folder.join(which.name())).unwrap_or_default();
        if found == format!("{is}\n") {
            return;
        }
        if found.split_ascii_whitespace().ne(is.split_ascii_whitespace()) && !found.is_empty() {
            let request = SysctlRequest { name: which.name().to_owned(), value: found };
            if let Err(refusal) = set(&self.director, &request).await {
                tracing::warn!("{}: {refusal}", self.folder.join(which.name()).display());
            }
        }
        self.write(which);
    }

    fn write(&mut self, which: Sysctl) {
        let done = write(&self.folder, which, &self.shown.borrow());
        if let Err(error) = &done
            && self.worked
        {
            tracing::warn!("{} can't be written: {}", self.folder.join(which.name()).display(), said(error));
        }
        self.worked = done.is_ok();
    }
}

/// The switch whose file there is news of.
fn named(event: &Event<OsString>) -> Option<Sysctl> {
    event.name.as_ref()?.to_str()?.parse().ok()
}

/// What a file says. Only a regular one, and only its beginning: whoever writes here must not hold up anything.
fn read(path: &Path) -> io::Result<String> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(folder: &Path, which: Sysctl, values: &Sysctls) -> io::Result<()> {
    let unfinished = folder.join(format!(".{which}.new"));
    fs::write(&unfinished, format!("{}\n", values.get(which)))?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(MODE))?;
    fs::rename(unfinished, folder.join(which.name()))
}
