//! SIGHUP: the file again, and the difference.

use std::path::Path;

use tokio::sync::{mpsc, oneshot};
use ulvs_config::{Director, restart_needed};

use crate::check;
use crate::control::Request;

/// Reads the file and follows it. With errors in it, everything stays as it is.
pub(crate) async fn reload(file: &Path, running: &mut Director, control: &mpsc::Sender<Request>) {
    let director = match check::read(file) {
        Ok(director) => director,
        Err(report) => {
            tracing::error!("{} is not followed, everything stays as it is:\n{}", file.display(), report.trim_end());
            return;
        }
    };
    for sentence in restart_needed(running, &director) {
        tracing::warn!("{sentence}");
    }
    let (reply, answer) = oneshot::channel();
    if control.send(Request::Reload(Box::new(director.clone()), reply)).await.is_err() {
        return;
    }
    if let Ok(plan) = answer.await {
        let changes = plan.steps().len();
        for line in plan.to_string().lines() {
            tracing::info!("{line}");
        }
        tracing::info!("{} followed: {changes} change{}", file.display(), if changes == 1 { "" } else { "s" });
        *running = director;
    }
}
