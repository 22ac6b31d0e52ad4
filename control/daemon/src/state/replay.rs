//! What was kept, followed from the file through the journal.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::record::Step;
use super::saved::{Saved, SavedDestination, SavedDeviation, SavedDrain, SavedId, SavedService};

/// What is kept, in an order in which changes are found. An entry that is made anew is the newest.
#[derive(Debug, Default)]
pub(super) struct Replay {
    services: BTreeMap<u64, SavedService>,
    places: HashMap<SavedId, u64>,
    made: u64,
    deviations: BTreeMap<Subject, SavedDeviation>,
    drains: BTreeMap<SavedId, Vec<SavedDrain>>,
}

/// What a deviation is of. Those of a service follow each other, its own first.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Subject {
    Timeouts,
    Sysctl(String),
    Entry(SavedId, Option<SocketAddr>),
}

impl Subject {
    fn of(deviation: &SavedDeviation) -> Self {
        match deviation {
            SavedDeviation::Service { id, .. } => Self::Entry(*id, None),
            SavedDeviation::Destination { id, address, .. } => Self::Entry(*id, Some(*address)),
            SavedDeviation::Timeouts { .. } => Self::Timeouts,
            SavedDeviation::Sysctl { name, .. } => Self::Sysctl(name.clone()),
        }
    }
}

impl Replay {
    /// Begins with what a file keeps.
    pub(super) fn from(saved: Saved) -> Self {
        let mut replay = Self::default();
        for service in saved.services {
            replay.place(service.id);
            let SavedService { id, own, destinations } = service;
            if let Some(service) = replay.service(id) {
                (service.own, service.destinations) = (own, destinations);
            }
        }
        replay.deviate(saved.deviations);
        saved.drains.into_iter().for_each(|drain| replay.drains.entry(drain.id).or_default().push(drain));
        replay
    }

    /// What is kept after all that was followed.
    pub(super) fn saved(self) -> Saved {
        let is_of_any = |service: &SavedService| service.own.is_some() || !service.destinations.is_empty();
        let services = self.services.into_values().filter(is_of_any).collect();
        Saved::new(services, self.deviations.into_values().collect(), self.drains.into_values().flatten().collect())
    }

    /// Follows one step.
    pub(super) fn follow(&mut self, step: Step) {
        match step {
            Step::Whole(saved) => *self = Self::from(saved),
            Step::Forgotten { id, deviations } => {
                if let Some(place) = self.places.remove(&id) {
                    self.services.remove(&place);
                }
                self.drains.remove(&id);
                let of_it = |subject: &&Subject| matches!(subject, Subject::Entry(service, _) if *service == id);
                let subjects = self.deviations.range(Subject::Entry(id, None)..).map(|(subject, _)| subject);
                let subjects: Vec<_> = subjects.take_while(of_it).cloned().collect();
                for subject in &subjects {
                    self.deviations.remove(subject);
                }
                self.deviate(deviations);
            }
            Step::Service { id, own, deviation } => {
                self.place(id);
                if let Some(service) = self.service(id) {
                    service.own = own;
                }
                self.replace(Subject::Entry(id, None), deviation);
            }
            Step::Destination { id, address, own, deviation, drain } => {
                self.place(id);
                if let Some(service) = self.service(id) {
                    put(&mut service.destinations, address, own);
                }
                self.replace(Subject::Entry(id, Some(address)), deviation);
                let drains = self.drains.entry(id).or_default();
                drains.retain(|one| one.address != address);
                drains.extend(drain);
            }
            Step::Numbers(deviations) => {
                self.deviations.retain(|subject, _| matches!(subject, Subject::Entry(..)));
                self.deviate(deviations);
            }
        }
    }

    /// Makes a service the newest, unless it is there.
    fn place(&mut self, id: SavedId) {
        if !self.places.contains_key(&id) {
            self.made += 1;
            self.places.insert(id, self.made);
            self.services.insert(self.made, SavedService { id, own: None, destinations: Vec::new() });
        }
    }

    fn service(&mut self, id: SavedId) -> Option<&mut SavedService> {
        self.services.get_mut(self.places.get(&id)?)
    }

    fn deviate(&mut self, deviations: Vec<SavedDeviation>) {
        self.deviations.extend(deviations.into_iter().map(|one| (Subject::of(&one), one)));
    }

    fn replace(&mut self, subject: Subject, deviation: Option<SavedDeviation>) {
        match deviation {
            Some(deviation) => drop(self.deviations.insert(subject, deviation)),
            None => drop(self.deviations.remove(&subject)),
        }
    }
}

/// Says what is so of one destination. Those of the file are not among them; one that is made anew is the newest.
fn put(destinations: &mut Vec<SavedDestination>, address: SocketAddr, now: Option<SavedDestination>) {
    let at = destinations.iter().position(|one| one.address == address);
    match (at, now) {
        (Some(at), Some(now)) => destinations[at] = now,
        (Some(at), None) => drop(destinations.remove(at)),
        (None, Some(now)) => destinations.push(now),
        (None, None) => {}
    }
}
