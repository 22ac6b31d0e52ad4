//! Which limit of new connections the sources of a service's clients have.

use std::collections::HashMap;

use ulvs_model::ServiceKey;
use ulvs_wire::{FlowHasher, FlowKey};

use crate::sources::{SourceLimit, source};

use super::ServiceView;
use super::place::Place;

/// Limits of new connections from one source. A service that says one of its own counts for itself; all others count together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceLimits {
    /// Of the services that say none.
    pub all: Option<SourceLimit>,
    /// Of services that say one; `None`: nobody is limited there.
    pub own: HashMap<ServiceKey, Option<SourceLimit>>,
}

impl SourceLimits {
    /// Whether anybody is limited anywhere.
    pub fn limit_any(&self) -> bool {
        self.all.is_some() || self.own.values().any(Option::is_some)
    }

    /// The limit of who begins a connection of this service, and the hash of what is counted for it; `None`: there is none.
    pub(crate) fn of(&self, hasher: FlowHasher, service: &ServiceView, key: &FlowKey) -> Option<(SourceLimit, u64)> {
        let from = || source(hasher, key.source(), key.family());
        match self.own.get(&service.key) {
            None => self.all.map(|limit| (limit, from())),
            Some(own) => own.map(|limit| (limit, hasher.with(from(), Place::of(&service.key).hash(hasher)))),
        }
    }
}
