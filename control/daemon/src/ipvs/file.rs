//! The file's services in the table, beside those of ipvsadm and keepalived: a reload never touches the others.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use ulvs_config::{Connections, Plan};
use ulvs_ipvs::table::{Command, Owner, Service as Entry, Table, Timeouts};
use ulvs_ipvs::{file, forward};
use ulvs_model::{Service, ServiceSet};

use super::Director;

/// What came of following a file.
#[derive(Debug)]
pub(crate) struct Followed {
    /// What was to be changed.
    pub(crate) plan: Plan,
    /// How many of these changes were refused; each was logged.
    pub(crate) refused: usize,
}

/// Puts the services that are forwarded from the start into the table.
pub(crate) fn adopt(director: &Director, services: &ServiceSet, connections: &Connections) -> Result<()> {
    let mut commands: Vec<_> = services.iter().flat_map(file::added).collect();
    commands.push(Command::SetTimeouts(timeouts(connections)));
    director
        .adopt(&commands, Owner::File)
        .map_err(|(at, errno)| anyhow!("IPVS's rules refuse {:?} of the file with {errno}", commands.get(at)))
}

/// Makes the file's part of the table what the file says now.
pub(crate) async fn follow(
    director: &Arc<Director>,
    services: &ServiceSet,
    connections: (&Connections, &Connections),
) -> Followed {
    let plan = Plan::between(&director.look(file_owned), services);
    let mut refused = 0;
    // One by one: what one of them lacks is no reason to keep the others back.
    for command in director.look(|table| file::commands(table, services)) {
        let said = format!("{command:?}");
        if let Err(refusal) = director.change(command, Owner::File).await {
            tracing::error!("{said} of the file can't be applied: {refusal} ({})", refusal.errno);
            refused += 1;
        }
    }
    let (old, new) = (timeouts(connections.0), timeouts(connections.1));
    if old != new
        && let Err(refusal) = director.change(Command::SetTimeouts(new), Owner::File).await
    {
        tracing::error!("the timeouts in [connections] can't be applied: {refusal} ({})", refusal.errno);
        refused += 1;
    }
    Followed { plan, refused }
}

/// What of the table the file has said.
fn file_owned(table: &Table) -> ServiceSet {
    let mut services = ServiceSet::new();
    let own = table.services(None).map(|(_, entry)| entry).filter(|entry| entry.owner() == Owner::File);
    for service in own.filter_map(file_owned_service) {
        // Keys are different in the table.
        let _ = services.add(service);
    }
    services
}

fn file_owned_service(entry: &Entry) -> Option<Service> {
    let settings = forward::settings(entry.id(), entry.settings()).ok()?;
    let mut service = Service::new(forward::key(entry.id()).ok()?, settings).ok()?;
    for one in entry.destinations().rev().filter(|one| one.owner == Owner::File) {
        service.add(forward::destination(one).ok()?).ok()?;
    }
    Some(service)
}

fn timeouts(connections: &Connections) -> Timeouts {
    let seconds = |time: std::time::Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    Timeouts {
        tcp: seconds(connections.timeout_tcp),
        tcp_fin: seconds(connections.timeout_tcp_fin),
        udp: seconds(connections.timeout_udp),
    }
}
