//! Real servers of services with the persistence engine sip, which may begin calls themselves (ipvs-facts B.6, C.2).

use std::net::SocketAddr;

use hashbrown::HashMap;
use ulvs_model::ServiceKey;
use ulvs_wire::{FlowKey, parse};

use super::DestinationId;

/// By the address and port that they send from; empty where no service has the engine.
#[derive(Debug, Default)]
pub(crate) struct Callers(HashMap<SocketAddr, (DestinationId, ServiceKey)>);

impl Callers {
    /// Of several with one address and port the last counts.
    pub(super) fn new(all: impl Iterator<Item = (SocketAddr, (DestinationId, ServiceKey))>) -> Self {
        Self(all.collect())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The real server that sent this packet, and its service.
    pub(crate) fn find(&self, key: &FlowKey) -> Option<(DestinationId, ServiceKey)> {
        if key.protocol() != parse::UDP {
            return None;
        }
        self.0.get(&SocketAddr::new(key.source().to_ip(key.family()), key.source_port())).copied()
    }
}
