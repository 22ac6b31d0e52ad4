//! SIGHUP: the file again, and the difference.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use ulvs_config::{Director, restart_needed};
use ulvs_ipvs::Follow;

use crate::check;
use crate::control::Request;
use crate::ipvs;
use crate::words::counted;

/// A file that is followed.
pub(crate) struct Reloader<'a> {
    pub(crate) file: &'a Path,
    /// What ulvsd was started with: what needs a restart is told again at every reload until there is one.
    pub(crate) started: &'a Director,
    pub(crate) control: mpsc::Sender<Request>,
    pub(crate) services: Arc<ipvs::Director>,
}

impl Reloader<'_> {
    /// Reads the file and follows it. With errors in it, everything stays as it is.
    pub(crate) async fn reload(&mut self) {
        let shown = self.file.display();
        let director = match check::read(self.file) {
            Ok((_, director)) => director,
            Err(report) => {
                tracing::error!("{shown} is not followed, everything stays as it is:\n{}", report.trim_end());
                return;
            }
        };
        for sentence in restart_needed(self.started, &director) {
            tracing::warn!("{sentence}");
        }
        let lines = match ipvs::follow(&self.services, ipvs::entries(&director), Follow::Changes).await {
            Ok(lines) => lines,
            Err(refusal) => {
                tracing::error!("{shown} is not followed, everything stays as it is: {refusal}");
                return;
            }
        };
        let (reply, answer) = oneshot::channel();
        let request = Request::Reload(Box::new(director), reply);
        if self.control.send(request).await.is_err() || answer.await.is_err() {
            return;
        }
        for line in &lines {
            tracing::info!("{line}");
        }
        tracing::info!("{shown} followed: {}", counted(lines.len(), "change"));
        let others = self.services.look(|table| table.deviations().count());
        if others > 0 {
            tracing::warn!(
                "{} of the file stay as others made them, for the file says nothing new of them",
                if others == 1 { "1 entry".to_owned() } else { format!("{others} entries") }
            );
        }
    }
}
