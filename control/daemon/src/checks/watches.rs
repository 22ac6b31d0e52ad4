use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ulvs_checks::probe::Target;
use ulvs_checks::{Id, Runner, Watched};
use ulvs_config::Check;
use ulvs_model::{Encapsulation, ServiceKey};

use crate::vip::{Vip, Way};

/// What tells watches apart: the check's name, and who is asked for whom.
type Key = (String, Target);

/// All checks of real servers that run, each once however many services share it.
pub(crate) struct Watches {
    runner: Runner,
    running: HashMap<Key, Running>,
    keys: HashMap<Id, Key>,
    made: Id,
    vip: Arc<Vip>,
}

struct Running {
    id: Id,
    watched: Arc<Watched>,
    services: BTreeSet<ServiceKey>,
}

impl Watches {
    pub(crate) fn new(runner: Runner, vip: Arc<Vip>) -> Self {
        Self { runner, running: HashMap::new(), keys: HashMap::new(), made: 0, vip }
    }

    /// From now on it is said anew what is wanted.
    pub(crate) fn begin(&mut self) {
        self.running.values_mut().for_each(|one| one.services.clear());
        self.vip.registry.begin();
    }

    /// The address by which a real server is asked through the virtual one; absent if there are no more of them, which is told.
    pub(crate) fn through(&self, way: Way) -> Option<IpAddr> {
        let address = self.vip.registry.address(way);
        if address.is_none() {
            tracing::error!(
                "too many real servers are checked through virtual addresses: {} of {} is asked at its own",
                way.real_server,
                way.vip
            );
        }
        address
    }

    /// Probes of a way travel so, if they travel in a tunnel.
    pub(crate) fn wrap(&self, (way, encapsulation): (&Way, Encapsulation)) {
        self.vip.registry.wrap(way, encapsulation);
    }

    /// A real server is to be checked so for a service. One that is checked so already is not disturbed. Absent if this machine
    /// can't ask so; that was logged.
    pub(crate) fn want(&mut self, check: &Check, target: Target, service: ServiceKey) -> Option<Arc<Watched>> {
        let key = (check.name.clone(), target);
        if let Some(one) = self.running.get_mut(&key) {
            if *one.watched.check == *check {
                one.services.insert(service);
                return Some(Arc::clone(&one.watched));
            }
            let id = one.id;
            self.forget(&key, id);
        }
        let watched = Arc::new(Watched::new(Arc::new(check.clone()), key.1.clone()));
        self.made += 1;
        let id = self.made;
        if let Err(error) = self.runner.watch(id, Arc::clone(&watched)) {
            tracing::error!(
                "check {} of {} can't be asked, its real servers count as up: {error}",
                key.0,
                key.1.address
            );
            return None;
        }
        self.keys.insert(id, key.clone());
        self.running.insert(key, Running { id, watched: Arc::clone(&watched), services: BTreeSet::from([service]) });
        Some(watched)
    }

    /// Everything was said: what nobody wants ends.
    pub(crate) fn end(&mut self) {
        let unwanted = self.running.iter().filter(|(_, one)| one.services.is_empty());
        let unwanted: Vec<_> = unwanted.map(|(key, one)| (key.clone(), one.id)).collect();
        for (key, id) in &unwanted {
            self.forget(key, *id);
        }
        self.vip.registry.end();
    }

    /// The services that a watch counts for.
    pub(crate) fn services(&self, id: Id) -> Vec<ServiceKey> {
        let running = self.keys.get(&id).and_then(|key| self.running.get(key));
        running.map_or_else(Vec::new, |one| one.services.iter().copied().collect())
    }

    /// All that run, with the services they count for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<Watched>, &BTreeSet<ServiceKey>)> {
        self.running.values().map(|one| (&one.watched, &one.services))
    }

    fn forget(&mut self, key: &Key, id: Id) {
        self.runner.forget(id);
        self.running.remove(key);
        self.keys.remove(&id);
    }
}
