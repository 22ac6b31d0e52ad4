//! The file that is followed: read again, compared, applied whole, and gone back to, by SIGHUP and by the API.

mod versions;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};
use ulvs_api::{Applied, Version};
use ulvs_config::{Director, Files, check_changes, restart_needed};
use ulvs_ipvs::Follow;
use ulvs_ipvs::table::Owner;

use crate::checks::Checks;
use crate::control::Request;
use crate::followed::Following;
use crate::vip::Vip;
use crate::words::counted;
use crate::{check, ipvs};

pub(crate) use versions::Versions;

/// Changes of checks that are logged: each is a line that the log's reader may take its time for.
const LOGGED: usize = 100;

/// A file that is followed. Errors are sentences or reports for the operator, and nothing is changed then.
pub(crate) struct Configuration {
    pub(crate) file: PathBuf,
    /// What ulvsd was started with: what needs a restart is told again at every reload until there is one.
    pub(crate) started: Director,
    pub(crate) control: mpsc::Sender<Request>,
    pub(crate) services: Arc<ipvs::Director>,
    pub(crate) checks: Checks,
    pub(crate) vip: Arc<Vip>,
    pub(crate) versions: Option<Versions>,
    pub(crate) following: Following,
    /// What is followed. One follows at a time.
    pub(crate) followed: Mutex<Director>,
}

impl Configuration {
    /// Remembers what ulvsd was started with.
    pub(crate) async fn begin(&self, files: Files) {
        let _followed = self.followed.lock().await;
        self.record(files, "ulvsd's start").await;
    }

    /// SIGHUP: follows the file, and tells the log.
    pub(crate) async fn reload(&self) {
        let shown = self.file.display();
        match self.apply(Follow::Changes, "SIGHUP").await {
            Ok(_) => {}
            Err(report) if report.trim_end().contains('\n') => {
                tracing::error!(file = %shown, "{shown} is not followed, everything stays as it is:\n{}", report.trim_end());
            }
            Err(sentence) => {
                let sentence = sentence.trim_end();
                tracing::error!(file = %shown, "{shown} is not followed, everything stays as it is: {sentence}");
            }
        }
    }

    /// What [`apply`](Self::apply) would do now.
    pub(crate) async fn preview(&self, follow: Follow) -> Result<Applied, String> {
        let followed = self.followed.lock().await;
        let (_, director) = self.read().await?;
        let mut changes =
            ipvs::preview(&self.services, &ipvs::entries(&director), follow).map_err(|no| no.to_string())?;
        changes.extend(check_changes(&followed, &director));
        Ok(self.told(changes, &director))
    }

    /// Follows the file as it is now.
    pub(crate) async fn apply(&self, follow: Follow, who: &str) -> Result<Applied, String> {
        let applied = self.apply_files(follow, who).await;
        if applied.is_err() {
            self.following.failed();
        }
        applied
    }

    async fn apply_files(&self, follow: Follow, who: &str) -> Result<Applied, String> {
        let mut followed = self.followed.lock().await;
        let (files, director) = self.read().await?;
        let mut applied = self.follow(&mut followed, director, follow, who).await?;
        applied.version = self.record(files, who).await;
        Ok(applied)
    }

    /// The versions that are kept, oldest first: the last is the one that is followed.
    pub(crate) async fn versions(&self) -> Result<Vec<Version>, String> {
        let versions = self.kept()?;
        blocking(move || versions.list()).await
    }

    /// Follows a version that is kept, and writes it into the files; without a number the one before the last.
    ///
    /// Files that have not been followed are kept as a version first. The files are written when the director follows
    /// already: they are made sure to be writable before.
    pub(crate) async fn roll_back(&self, number: Option<u64>, who: &str) -> Result<Applied, String> {
        let mut followed = self.followed.lock().await;
        let versions = self.kept()?;
        let (file, kept) = (self.file.clone(), versions.clone());
        let (number, files) = blocking(move || kept.choose(number, &file)).await?;
        let (files, parsed) =
            blocking(move || Ok((files.parse()?, files)).map(|(parsed, files)| (files, parsed))).await?;
        let (file, author, kept, target) = (self.file.clone(), who.to_owned(), versions, files.clone());
        let replacement = blocking(move || {
            // What can't be read now can't be kept either, and is not ours to judge.
            if let Ok(present) = Files::read(&file) {
                kept.record(&present, &format!("{author}, before a rollback; not followed"))?;
            }
            versions::Replacement::prepare(&file, &target)
        })
        .await?;
        let mut applied = self.follow(&mut followed, parsed, Follow::Changes, who).await?;
        blocking(move || replacement.finish()).await?;
        applied.version = self.record(files, &format!("{who}, back to version {number}")).await;
        Ok(applied)
    }

    fn kept(&self) -> Result<Versions, String> {
        self.versions.clone().ok_or_else(|| "no versions are kept, for `folder` of [state] is \"off\"".to_owned())
    }

    async fn read(&self) -> Result<(Files, Director), String> {
        let file = self.file.clone();
        blocking(move || check::read(&file)).await
    }

    /// `followed` is what is followed so far, and from then on `director`.
    async fn follow(
        &self,
        followed: &mut Director,
        director: Director,
        follow: Follow,
        who: &str,
    ) -> Result<Applied, String> {
        self.vip.prepare(&director).await.map_err(|error| format!("{error:#}"))?;
        let entries = ipvs::entries(&director);
        let mut changes = ipvs::follow(&self.services, entries, follow).await.map_err(|refusal| refusal.to_string())?;
        let of_checks = check_changes(followed, &director);
        log(&of_checks);
        changes.extend(of_checks);
        followed.clone_from(&director);
        self.following.follows(&director);
        self.checks.follow(&director).await;
        let applied = self.told(changes, &director);
        let (reply, answer) = oneshot::channel();
        let stopping = || "ulvsd is stopping".to_owned();
        self.control.send(Request::Reload(Box::new(director), reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?;
        for sentence in &applied.restart {
            tracing::warn!("{sentence}");
        }
        let (file, changes) = (self.file.display(), applied.changes.len());
        tracing::info!(%file, changes, by = who, "{file} followed: {} ({who})", counted(changes, "change"));
        if applied.deviations > 0 {
            tracing::warn!(
                "{} of the file stay as others made them, for the file says nothing new of them: `ulvsctl apply --reset` \
                 makes them as the file says",
                if applied.deviations == 1 { "1 entry".to_owned() } else { format!("{} entries", applied.deviations) }
            );
        }
        Ok(applied)
    }

    fn told(&self, changes: Vec<String>, director: &Director) -> Applied {
        let restart = restart_needed(&self.started, director);
        let deviations = self.services.look(|table| table.deviations().count());
        Applied { changes, restart, deviations, version: None }
    }

    /// The number of the version that is followed now.
    async fn record(&self, files: Files, who: &str) -> Option<u64> {
        self.following.recorded(&files);
        let (versions, who) = (self.versions.clone()?, who.to_owned());
        let recorded = blocking(move || versions.record(&files, &who)).await;
        recorded.map_err(|sentence| tracing::error!("{sentence}")).ok()
    }
}

/// Changes of checks; those of services are told where they are made.
fn log(changes: &[String]) {
    for line in changes.iter().take(LOGGED) {
        tracing::info!(change = "check", by = Owner::File.name(), "{line}");
    }
    if let more @ 1.. = changes.len().saturating_sub(LOGGED) {
        tracing::info!(changes = more, by = Owner::File.name(), "and {more} changes of checks more");
    }
}

/// Files are read and written aside from the control task's thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err("ulvsd is stopping".to_owned()))
}
