use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ulvs_checks::{News, Watched};
use ulvs_model::ServiceKey;

use super::guarded::Guarded;
use super::watches::Watches;

/// What is known of all checks: written by the task that decides, read by whoever lists.
#[derive(Default)]
pub(crate) struct Board(RwLock<Rows>);

#[derive(Default)]
struct Rows {
    services: BTreeMap<ServiceKey, Row>,
    watched: Vec<(Arc<Watched>, Vec<ServiceKey>)>,
}

/// A service whose real servers are checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Whether enough of them are up.
    pub(crate) has_quorum: bool,
    /// How often that has changed.
    pub(crate) quorum_changes: u64,
    /// Whether each is up, and how often that has changed.
    pub(crate) real_servers: HashMap<SocketAddr, (bool, u64)>,
}

impl Board {
    /// What is checked now.
    pub(super) fn set(&self, services: &BTreeMap<ServiceKey, Guarded>, watches: &Watches) {
        let mut rows = self.write();
        let mut before = std::mem::take(&mut rows.services);
        for (key, guarded) in services {
            let mut row = before.remove(key).unwrap_or_default();
            row.has_quorum = guarded.has_quorum();
            let changes = |address| row.real_servers.get(&address).map_or(0, |(_, changes)| *changes);
            row.real_servers = guarded.members().map(|(address, is_up)| (address, (is_up, changes(address)))).collect();
            rows.services.insert(*key, row);
        }
        let services = |services: &std::collections::BTreeSet<_>| services.iter().copied().collect();
        rows.watched = watches.iter().map(|(watched, keys)| (Arc::clone(watched), services(keys))).collect();
        rows.watched.sort_by(|(one, _), (other, _)| {
            let key = |one: &Watched| (one.check.name.clone(), one.target.address, one.target.service);
            key(one).cmp(&key(other))
        });
    }

    /// What has changed of a service.
    pub(super) fn update(&self, key: ServiceKey, guarded: &Guarded, news: &[News]) {
        if news.is_empty() {
            return;
        }
        let mut rows = self.write();
        let Some(row) = rows.services.get_mut(&key) else { return };
        row.has_quorum = guarded.has_quorum();
        for one in news {
            match one {
                News::QuorumMet(_) | News::QuorumLost(_) => row.quorum_changes += 1,
                News::Up(address) | News::Down(address) => {
                    if let Some((is_up, changes)) = row.real_servers.get_mut(address) {
                        *is_up = matches!(one, News::Up(_));
                        *changes += 1;
                    }
                }
            }
        }
    }

    /// A service's row, if it is checked.
    pub(crate) fn service(&self, key: ServiceKey) -> Option<Row> {
        self.read().services.get(&key).cloned()
    }

    /// All services that are checked.
    pub(crate) fn services(&self) -> Vec<(ServiceKey, Row)> {
        self.read().services.iter().map(|(key, row)| (*key, row.clone())).collect()
    }

    /// Each check of a real server that runs, with the services it counts for.
    pub(crate) fn watched(&self) -> Vec<(Arc<Watched>, Vec<ServiceKey>)> {
        self.read().watched.clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, Rows> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Rows> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
