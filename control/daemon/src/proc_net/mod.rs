//! IPVS's files of `/proc/net`, for programs that read them in the kernel's.
//!
//! A process can't make files in `/proc`, and regular ones are either stale or written anew all the time, with millions of
//! rows. So each is a unix socket `NAME.sock` that tells its listing, as it is at that moment, to whoever connects; the
//! preloaded library connects where a program opens the file. For programs without the library, as `node_exporter`, the
//! short ones are also written as regular files after each snapshot of the counters. docs/design/0003 says why.

mod file;
mod listing;
mod sockets;
mod written;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use ulvs_engine::Shared;
use ulvs_worker::Tsc;

use crate::ipvs;
use crate::words::said;
use file::File;

/// Where the files' contents come from.
pub(crate) struct Sources {
    pub(crate) services: Arc<ipvs::Director>,
    pub(crate) board: Arc<ipvs::Board>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Tsc,
    /// Each worker's.
    pub(crate) cores: Vec<usize>,
}

/// The files while they are served; they go with this value.
pub(crate) struct ProcNet {
    folder: PathBuf,
}

impl ProcNet {
    /// Serves them in `proc/net` beside the API's socket. Within a runtime, and by one director for each folder, which the
    /// API's lock sees to. Without them everything else works, so a failure is told and no more.
    pub(crate) fn serve(api: &Path, sources: Sources) -> (Self, Vec<JoinHandle<()>>) {
        let served = Self { folder: api.with_file_name("proc").join("net") };
        let sources = Arc::new(sources);
        let mut tasks = Vec::new();
        match served.bind_all() {
            Ok(listeners) => {
                for (file, listener) in listeners {
                    tasks.push(tokio::spawn(sockets::serve(listener, file, Arc::clone(&sources))));
                }
                tasks.push(tokio::spawn(written::keep(served.folder.clone(), sources)));
            }
            Err(error) => tracing::warn!(
                "{} can't be filled with IPVS's files of /proc/net ({}), so `ipvsadm -Lnc` lists no connections: choose \
                 another `socket` in [api]",
                served.folder.display(),
                said(&error)
            ),
        }
        (served, tasks)
    }

    fn bind_all(&self) -> io::Result<Vec<(File, UnixListener)>> {
        fs::create_dir_all(&self.folder)?;
        self.remove();
        fs::create_dir_all(&self.folder)?;
        let bind = |file: File| {
            let path = self.folder.join(file.socket());
            let listener = UnixListener::bind(&path)?;
            // readable by everybody, as in /proc
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
            Ok((file, listener))
        };
        File::ALL.into_iter().map(bind).collect()
    }

    /// What this or an earlier director made here.
    fn remove(&self) {
        for file in File::ALL {
            let _ = fs::remove_file(self.folder.join(file.socket()));
            let _ = fs::remove_file(self.folder.join(file.name()));
            let _ = fs::remove_file(self.folder.join(file.unfinished()));
        }
        // not if somebody else has put something there
        let _ = fs::remove_dir(&self.folder);
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}

impl Drop for ProcNet {
    fn drop(&mut self) {
        self.remove();
    }
}
