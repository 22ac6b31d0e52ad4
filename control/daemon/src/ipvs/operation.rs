//! Changes of the table in the compiler's words.

use std::net::SocketAddr;

use ulvs_engine::proto::Timeouts;
use ulvs_engine::snapshot::{CompileError, Compiler};
use ulvs_ipvs::Refusal;
use ulvs_ipvs::forward;
use ulvs_ipvs::table::{Change, Table};
use ulvs_model::{Destination, ServiceKey, ServiceSettings};

/// One change of what workers forward with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    AddService(ServiceKey, ServiceSettings),
    EditService(ServiceKey, ServiceSettings),
    RemoveService(ServiceKey),
    AddDestination(ServiceKey, Destination),
    EditDestination(ServiceKey, Destination),
    RemoveDestination(ServiceKey, SocketAddr),
    SetTimeouts(Timeouts),
    /// Counters begin at zero again; of all services without a key.
    Zero(Option<ServiceKey>),
}

impl Operation {
    /// The service it is about.
    pub(crate) const fn service(&self) -> Option<ServiceKey> {
        match self {
            Self::AddService(key, _)
            | Self::EditService(key, _)
            | Self::RemoveService(key)
            | Self::AddDestination(key, _)
            | Self::EditDestination(key, _)
            | Self::RemoveDestination(key, _) => Some(*key),
            Self::Zero(key) => *key,
            Self::SetTimeouts(_) => None,
        }
    }

    /// Does it. Counters are not the compiler's affair.
    pub(crate) fn apply(&self, compiler: &mut Compiler) -> Result<(), CompileError> {
        match *self {
            Self::AddService(key, settings) => compiler.new_service(key, settings),
            Self::EditService(key, settings) => compiler.edit_service(key, settings),
            Self::RemoveService(key) => compiler.remove_service(key),
            Self::AddDestination(key, destination) => compiler.add_destination(key, destination),
            Self::EditDestination(key, destination) => compiler.edit_destination(key, destination),
            Self::RemoveDestination(key, address) => compiler.remove_destination(key, address),
            Self::SetTimeouts(timeouts) => {
                compiler.set_timeouts(timeouts);
                Ok(())
            }
            Self::Zero(_) => Ok(()),
        }
    }
}

/// What changes of the table are for the workers, or why they can't forward so.
pub(super) fn prepare(table: &Table, changes: &[Change]) -> Result<Vec<Operation>, Refusal> {
    // Several changes of one service come one after the other: each service is looked at as it will be in the end.
    let mut looked_at = None;
    for id in changes.iter().filter_map(Change::service) {
        if looked_at != Some(id)
            && let Some(service) = table.preview(changes, id)
        {
            forward::service(&service)?;
        }
        looked_at = Some(id);
    }
    changes.iter().filter_map(|change| operation(change).transpose()).collect()
}

fn operation(change: &Change) -> Result<Option<Operation>, Refusal> {
    Ok(Some(match change {
        Change::ServiceAdded(id, settings, _) => {
            Operation::AddService(forward::key(id)?, forward::settings(id, settings)?)
        }
        Change::ServiceEdited(id, settings, _) => {
            Operation::EditService(forward::key(id)?, forward::settings(id, settings)?)
        }
        Change::ServiceRemoved(id) => Operation::RemoveService(forward::key(id)?),
        Change::DestinationAdded(id, one) => Operation::AddDestination(forward::key(id)?, forward::destination(one)?),
        Change::DestinationEdited(id, one) => Operation::EditDestination(forward::key(id)?, forward::destination(one)?),
        Change::DestinationRemoved(id, one) => Operation::RemoveDestination(forward::key(id)?, one.0),
        Change::TimeoutsSet(timeouts) => {
            Operation::SetTimeouts(Timeouts::with(timeouts.tcp, timeouts.tcp_fin, timeouts.udp))
        }
        Change::Zeroed(Some(id)) => Operation::Zero(Some(forward::key(id)?)),
        Change::Zeroed(None) => Operation::Zero(None),
        Change::DaemonStarted(daemon) => {
            // Kept and listed, for keepalived starts one at each change of its state; forwarding is right without it.
            tracing::warn!(
                "connections are not synchronised yet: the {:?} daemon is listed but does nothing",
                daemon.role
            );
            return Ok(None);
        }
        Change::DaemonStopped(_) => return Ok(None),
    }))
}
