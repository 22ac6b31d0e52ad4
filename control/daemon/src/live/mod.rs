//! The director as it is this second, for those who watch: the web console and `ulvsctl top`.
//!
//! Everything is read from counters; no worker is asked. Of the director as a whole a few minutes are remembered, so that who
//! looks sees at once how it was. Services are looked at only while somebody watches, at most once a second for all viewers.

mod history;
mod services;
mod state;
mod window;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior};
use ulvs_api::{Live, LiveQuery, LiveServices, LiveServicesQuery};

use self::history::History;
use self::services::Seen;
use crate::events::{Kind, Severity};
use crate::status::{Sources, Stopping};

/// Between two samples, and the least between two looks at the services.
const PERIOD: Duration = Duration::from_secs(1);

/// What is remembered for viewers.
#[derive(Default)]
pub(crate) struct Watch {
    history: RwLock<History>,
    /// The services when they were looked at last. Locked while they are looked at, so that viewers share a look.
    seen: Mutex<Option<Arc<Seen>>>,
}

impl Watch {
    /// The director as a whole.
    pub(crate) fn live(&self, sources: &Sources, query: LiveQuery) -> Live {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner);
        Live { status: sources.status(), samples: history.since(query.since) }
    }

    /// A window of the services.
    pub(crate) async fn services(
        &self,
        sources: &Sources,
        query: &LiveServicesQuery,
    ) -> Result<LiveServices, Stopping> {
        let seen = self.look(sources).await?;
        Ok(window::of(&seen, sources, query))
    }

    /// The services as they were within the last second.
    async fn look(&self, sources: &Sources) -> Result<Arc<Seen>, Stopping> {
        let mut seen = self.seen.lock().await;
        if let Some(fresh) = seen.as_ref().filter(|seen| seen.when.elapsed() < PERIOD) {
            return Ok(Arc::clone(fresh));
        }
        let services = sources.engine_services().await?;
        let next = Arc::new(Seen::new(services, sources, seen.as_deref(), (Instant::now(), now_ms())));
        *seen = Some(Arc::clone(&next));
        Ok(next)
    }
}

/// Samples the director once a second, tells when a port's link changes, and forgets the services when nobody watches any more.
pub(crate) async fn run(sources: Arc<Sources>) {
    let watch = &sources.watch;
    let events = sources.services.datapath().events();
    let mut links: Vec<Option<bool>> = vec![None; sources.ports.len()];
    let mut tick = tokio::time::interval(PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let when = tick.tick().await;
        watch.history.write().unwrap_or_else(PoisonError::into_inner).sample(&sources, when, now_ms());
        let mut seen = watch.seen.lock().await;
        if seen.as_ref().is_some_and(|seen| seen.when.elapsed() > services::FORGET) {
            *seen = None;
        }
        drop(seen);
        for ((port, started), before) in sources.ports.iter().zip(sources.started_ports.iter()).zip(&mut links) {
            let up = started.link().ok().map(|link| link.up);
            let name = &port.settings.name;
            match (*before, up) {
                (Some(true), Some(false)) => {
                    events.tell(Kind::Port, Severity::Error, format!("port {name} has lost its link"));
                }
                (Some(false), Some(true)) => {
                    events.tell(Kind::Port, Severity::Info, format!("port {name} has its link again"));
                }
                _ => {}
            }
            *before = up.or(*before);
        }
    }
}

fn now_ms() -> u64 {
    u64::try_from(UNIX_EPOCH.elapsed().unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
