//! The table's entries in the datapath's words, as far as it has words for them yet.

use std::num::NonZeroU32;

use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Netmask, Persistence, Protocol, SchedulerFlags, ServiceError,
    ServiceKey, ServiceSettings, Thresholds, Weight,
};

use crate::table::{self, Family, Flags, Service, ServiceId};
use crate::{Errno, Refusal};

/// What the datapath can't forward rightly yet.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Obstacle {
    /// A service by the mark 0, which is none.
    #[error("a firewall mark is not 0: packets without one have it")]
    Mark,
    /// Another protocol than TCP, UDP and SCTP.
    #[error("services have no protocol {0}: use TCP, UDP or SCTP")]
    Protocol(u16),
    /// A forwarding method that is neither NAT nor tunnel nor direct routing.
    #[error("forwarding method {0} is not there yet: use masquerading, tunnelling or direct routing")]
    Method(u8),
    /// A tunnel of a type that IPVS has not.
    #[error("there is no tunnel of type {0}: use ipip, gue or gre")]
    Tunnel(u8),
    /// What is wrong for the datapath, though IPVS takes it.
    #[error(transparent)]
    Entry(#[from] ServiceError),
}

impl From<Obstacle> for Refusal {
    fn from(obstacle: Obstacle) -> Self {
        Self::because(Errno::NotSupported, obstacle.to_string())
    }
}

/// The service for the datapath, with its destinations in the order in which they were added.
///
/// # Errors
/// The first thing that can't be forwarded rightly.
pub fn service(service: &Service) -> Result<ulvs_model::Service, Obstacle> {
    let mut forwarded = ulvs_model::Service::new(key(service.id())?, settings(service.id(), service.settings()))?;
    for one in service.destinations().rev() {
        forwarded.add(destination(one)?)?;
    }
    Ok(forwarded)
}

/// What can be edited of the service, for the datapath.
pub fn settings(id: &ServiceId, settings: &table::ServiceSettings) -> ServiceSettings {
    ServiceSettings {
        scheduler: settings.scheduler.kind(),
        scheduler_flags: SchedulerFlags::from_bits(settings.flags.shown()),
        persistence: persistence(id, settings),
        one_packet: settings.flags.has(Flags::ONE_PACKET),
    }
}

fn persistence(id: &ServiceId, settings: &table::ServiceSettings) -> Option<Persistence> {
    if !settings.flags.has(Flags::PERSISTENT) {
        return None;
    }
    let netmask = match id.family() {
        Family::V4 => Netmask::V4(settings.netmask.to_ne_bytes().into()),
        // The table has no others than 1 to 128.
        Family::V6 => Netmask::V6(u8::try_from(settings.netmask).unwrap_or(128)),
    };
    Some(Persistence { timeout: settings.timeout, netmask, engine: settings.engine })
}

/// What identifies the service for the datapath.
///
/// # Errors
/// If the datapath has no such services.
pub fn key(id: &ServiceId) -> Result<ServiceKey, Obstacle> {
    match id {
        ServiceId::Mark { family, mark } => {
            let mark = NonZeroU32::new(*mark).ok_or(Obstacle::Mark)?;
            Ok(ServiceKey::Mark { family: (*family).into(), mark })
        }
        ServiceId::Address { protocol, address } => {
            let known = u8::try_from(*protocol).ok().and_then(Protocol::from_number);
            Ok(ServiceKey::new(known.ok_or(Obstacle::Protocol(*protocol))?, *address))
        }
    }
}

/// The destination for the datapath, with the weight that nothing keeps it from.
///
/// # Errors
/// The first thing that can't be forwarded rightly.
pub fn destination(destination: &table::Destination) -> Result<Destination, Obstacle> {
    let settings = destination.settings;
    let method = ForwardMethod::from_code(settings.method).ok_or(Obstacle::Method(settings.method))?;
    let encapsulation = match settings.tunnel.encapsulation() {
        Some(known) => known,
        // Kept and shown with other methods too, to which it means nothing.
        None if method != ForwardMethod::Tun => Encapsulation::default(),
        None => return Err(Obstacle::Tunnel(settings.tunnel.kind.0)),
    };
    let weight = destination.weight().unwrap_or(settings.weight);
    let weight = Weight::new(weight.into()).unwrap_or(Weight::QUIESCENT);
    let thresholds = Thresholds::new(settings.upper, settings.lower).unwrap_or_default();
    Ok(Destination { address: destination.id.0, method, encapsulation, weight, thresholds })
}
