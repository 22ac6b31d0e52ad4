//! Changes of the table in the compiler's words.

use std::collections::HashSet;
use std::net::SocketAddr;

use ulvs_engine::proto::Timeouts;
use ulvs_engine::snapshot::{CompileError, Compiler};
use ulvs_ipvs::forward::{self, Obstacle};
use ulvs_ipvs::table::{Change, Role, ServiceId, Table};
use ulvs_ipvs::{Errno, Refusal};
use ulvs_model::{Destination, ServiceKey, ServiceSettings, Sysctl};

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
    SetSysctl(Sysctl, i32),
    /// Whether a sync daemon is a backup.
    SetBackup(bool),
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
            Self::SetTimeouts(_) | Self::SetSysctl(..) | Self::SetBackup(_) => None,
        }
    }

    /// Whether it lets counters begin anew.
    pub(crate) const fn is_zero(&self) -> bool {
        matches!(self, Self::Zero(_))
    }

    /// What it adds, if that is a destination.
    const fn added(&self) -> Option<(ServiceKey, SocketAddr)> {
        match self {
            Self::AddDestination(key, destination) => Some((*key, destination.address)),
            _ => None,
        }
    }

    /// Does all of them, or none: nothing but want of room can fail of what fits the table.
    pub(crate) fn apply_all(operations: &[Self], compiler: &mut Compiler) -> Result<(), CompileError> {
        compiler.room_for_all(operations.iter().filter_map(Self::added))?;
        operations.iter().try_for_each(|operation| operation.apply(compiler))
    }

    /// Does it. Counters are not the compiler's affair.
    fn apply(&self, compiler: &mut Compiler) -> Result<(), CompileError> {
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
            Self::SetSysctl(which, number) => {
                let mut sysctls = compiler.sysctls();
                sysctls.put(which, number);
                compiler.set_sysctls(sysctls);
                compiler.look_at_room();
                Ok(())
            }
            Self::SetBackup(is_backup) => {
                compiler.set_backup(is_backup);
                Ok(())
            }
            Self::Zero(_) => Ok(()),
        }
    }
}

/// What changes of the table are for the workers, or why they can't forward so.
pub(super) fn prepare(table: &Table, changes: &[Change]) -> Result<Vec<Operation>, Refusal> {
    // Each service is looked at as it will be in the end. Of one service that takes less than a copy of the table.
    let ids: HashSet<_> = changes.iter().filter_map(Change::service).collect();
    if let [id] = ids.iter().copied().collect::<Vec<_>>()[..] {
        table.preview(changes, id).as_ref().map(forward::service).transpose()?;
    } else if !ids.is_empty() {
        let after = table.after(changes);
        for id in ids {
            after.service(id).map(|service| forward::service(service).map_err(|why| named(id, &why))).transpose()?;
        }
    }
    changes.iter().filter_map(|change| operation(change).transpose()).collect()
}

fn operation(change: &Change) -> Result<Option<Operation>, Refusal> {
    Ok(Some(match change {
        Change::ServiceAdded(id, settings, _) => {
            Operation::AddService(forward::key(id)?, forward::settings(id, settings))
        }
        Change::ServiceEdited(id, settings, _) => {
            Operation::EditService(forward::key(id)?, forward::settings(id, settings))
        }
        Change::ServiceRemoved(id) => Operation::RemoveService(forward::key(id)?),
        Change::DestinationAdded(id, one) | Change::DestinationRestored(id, one) => {
            Operation::AddDestination(forward::key(id)?, forward::destination(one)?)
        }
        Change::DestinationEdited(_, one) if one.weight().is_none() => return Ok(None),
        Change::DestinationEdited(id, one) => Operation::EditDestination(forward::key(id)?, forward::destination(one)?),
        Change::DestinationRemoved(id, one) => Operation::RemoveDestination(forward::key(id)?, one.0),
        Change::DestinationWithdrawn(id, one) => Operation::RemoveDestination(forward::key(id)?, one.id.0),
        Change::TimeoutsSet(timeouts) => {
            Operation::SetTimeouts(Timeouts::with(timeouts.tcp, timeouts.tcp_fin, timeouts.udp))
        }
        Change::SysctlSet(which, number) => Operation::SetSysctl(*which, *number),
        Change::Zeroed(Some(id)) => Operation::Zero(Some(forward::key(id)?)),
        Change::Zeroed(None) => Operation::Zero(None),
        Change::DaemonStarted(daemon) => {
            // Kept and listed, for keepalived starts one at each change of its state; of its state `backup_only` makes use.
            tracing::warn!(
                "connections are not synchronised yet: the {:?} daemon is listed but does nothing",
                daemon.role
            );
            match daemon.role {
                Role::Backup => Operation::SetBackup(true),
                Role::Master => return Ok(None),
            }
        }
        Change::DaemonStopped(Role::Backup) => Operation::SetBackup(false),
        Change::DaemonStopped(Role::Master) | Change::FileFollowed(_) | Change::DestinationForgotten(..) => {
            return Ok(None);
        }
    }))
}

/// Of several services, which one it is that can't be forwarded.
fn named(id: &ServiceId, why: &Obstacle) -> Refusal {
    Refusal::because(Errno::NotSupported, format!("{id}: {why}"))
}
