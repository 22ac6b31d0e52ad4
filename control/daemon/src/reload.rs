//! SIGHUP: the file again, and the difference.

use std::path::Path;

use tokio::sync::{mpsc, oneshot};
use ulvs_config::{Director, restart_needed};

use crate::check;
use crate::control::{Reloaded, Request};
use crate::words::counted;

/// Reads the file and follows it. With errors in it, everything stays as it is. `started` is what ulvsd was started with:
/// what needs a restart is told again at every reload until there is one.
pub(crate) async fn reload(file: &Path, started: &Director, control: &mpsc::Sender<Request>) {
    let director = match check::read(file) {
        Ok(director) => director,
        Err(report) => {
            tracing::error!("{} is not followed, everything stays as it is:\n{}", file.display(), report.trim_end());
            return;
        }
    };
    for sentence in restart_needed(started, &director) {
        tracing::warn!("{sentence}");
    }
    let (reply, answer) = oneshot::channel();
    if control.send(Request::Reload(Box::new(director), reply)).await.is_err() {
        return;
    }
    if let Ok(Reloaded { plan, refused }) = answer.await {
        let changes = plan.steps().len();
        for line in plan.to_string().lines() {
            tracing::info!("{line}");
        }
        if refused == 0 {
            tracing::info!("{} followed: {}", file.display(), counted(changes, "change"));
        } else {
            tracing::error!("{} followed in part: {refused} of {} refused", file.display(), counted(changes, "change"));
        }
    }
}
