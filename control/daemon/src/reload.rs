//! SIGHUP: the file again, and the difference.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use ulvs_config::{Director, restart_needed};

use crate::check;
use crate::control::Request;
use crate::ipvs::{self, Followed};
use crate::words::counted;

/// A file that is followed.
pub(crate) struct Reloader<'a> {
    pub(crate) file: &'a Path,
    /// What ulvsd was started with: what needs a restart is told again at every reload until there is one.
    pub(crate) started: &'a Director,
    /// What was read last.
    pub(crate) running: Director,
    pub(crate) control: mpsc::Sender<Request>,
    pub(crate) services: Arc<ipvs::Director>,
}

impl Reloader<'_> {
    /// Reads the file and follows it. With errors in it, everything stays as it is.
    pub(crate) async fn reload(&mut self) {
        let shown = self.file.display();
        let director = match check::read(self.file) {
            Ok(director) => director,
            Err(report) => {
                tracing::error!("{shown} is not followed, everything stays as it is:\n{}", report.trim_end());
                return;
            }
        };
        for sentence in restart_needed(self.started, &director) {
            tracing::warn!("{sentence}");
        }
        let connections = (self.running.connections(), director.connections());
        let Followed { plan, refused } = ipvs::follow(&self.services, director.services(), connections).await;
        let (reply, answer) = oneshot::channel();
        let request = Request::Reload(Box::new(director.clone()), reply);
        if self.control.send(request).await.is_err() || answer.await.is_err() {
            return;
        }
        self.running = director;
        let changes = plan.steps().len();
        for line in plan.to_string().lines() {
            tracing::info!("{line}");
        }
        if refused == 0 {
            tracing::info!("{shown} followed: {}", counted(changes, "change"));
        } else {
            tracing::error!("{shown} followed in part: {refused} of {} refused", counted(changes, "change"));
        }
    }
}
