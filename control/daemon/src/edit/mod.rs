//! Services and real servers that are set by the API: edits become commands for the table, as those of ipvsadm and keepalived.

mod real_server;
mod service;
#[cfg(test)]
mod tests;
mod tunnel;

use std::sync::Arc;

use ulvs_api::{Changed, Edit, EditRequest};
use ulvs_ipvs::table::{Change, Command, Owner, Service, ServiceId, Table};
use ulvs_ipvs::{Errno, Host, Refusal};

use crate::ipvs::{Director, Workers};

/// Why edits are not made.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Wrong {
    /// Where in the request: `edits[0].add_service.scheduler`; absent if it is nowhere in particular.
    pub(crate) field: Option<String>,
    /// What is wrong, and what would be right.
    pub(crate) sentence: String,
}

/// What is wrong with a field of an edit.
type InField = (&'static str, String);

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        Self { field: None, sentence: refusal.to_string() }
    }
}

/// Makes the edits, all or none, and returns when all workers forward so.
pub(crate) async fn apply(director: &Arc<Director>, request: EditRequest) -> Result<Changed, Wrong> {
    let EditRequest { dry_run, edits } = request;
    if dry_run {
        let changes = director.preview_with(|table, host: &Workers| plan(table, host, &edits))?;
        return Ok(Changed { changes });
    }
    let plan = move |table: &Table, host: &Workers| plan(table, host, &edits);
    let changes = director.change_with(plan, Owner::Api).await?;
    Ok(Changed { changes })
}

/// What edits change one after the other, and a line for each change.
fn plan(table: &Table, host: &impl Host, edits: &[Edit]) -> Result<(Vec<Change>, Vec<String>), Wrong> {
    let (mut changes, mut lines) = (Vec::new(), Vec::new());
    let mut after = None;
    for (index, edit) in edits.iter().enumerate() {
        let now = after.as_ref().unwrap_or(table);
        let made = one(now, host, edit).map_err(|(field, sentence)| {
            let field = format!("edits[{index}].{}.{field}", kind(edit));
            Wrong { field: Some(field), sentence }
        })?;
        let said = now.describe(&made);
        // What changes nothing is left out, so that nothing of it has to be forwarded.
        if said.is_empty() {
            continue;
        }
        lines.extend(said);
        if index + 1 < edits.len() {
            after.get_or_insert_with(|| table.clone()).commit(&made);
        }
        changes.extend(made);
    }
    Ok((changes, lines))
}

/// What one edit changes.
fn one(table: &Table, host: &impl Host, edit: &Edit) -> Result<Vec<Change>, InField> {
    let command = match edit {
        Edit::AddService(said) => service::added(table, said)?,
        Edit::EditService(said) => service::edited(table, said)?,
        Edit::RemoveService(said) => Command::DeleteService(*known(table, &said.service)?.id()),
        Edit::AddRealServer(said) => real_server::added(known(table, &said.service)?, said)?,
        Edit::EditRealServer(said) => real_server::edited(known(table, &said.service)?, said)?,
        Edit::RemoveRealServer(said) => real_server::removed(known(table, &said.service)?, &said.real_server)?,
    };
    let changes = table.plan(&command, Owner::Api, host).map_err(|errno| refused(&command, errno))?;
    Ok(without_idle_edits(table, changes))
}

/// An edit that leaves everything as it is is no change.
fn without_idle_edits(table: &Table, mut changes: Vec<Change>) -> Vec<Change> {
    changes.retain(|change| match change {
        Change::ServiceEdited(id, settings, owner) => {
            table.service(id).is_none_or(|old| old.settings() != settings || old.owner() != *owner)
        }
        Change::DestinationEdited(id, one) => {
            table.service(id).and_then(|service| service.destination(&one.id)).is_none_or(|old| old != one)
        }
        _ => true,
    });
    changes
}

/// What of IPVS's rules is not looked at before.
fn refused(command: &Command, errno: Errno) -> InField {
    match (command, errno) {
        (Command::NewDestination(_, Ok(spec)), Errno::Invalid) => {
            let address = spec.id(ulvs_ipvs::table::Family::V4).map_or_else(|_| String::new(), |one| one.0.to_string());
            let sentence =
                format!("{address} is not the address of one host that the service can reach: use a unicast address");
            ("real_server", sentence)
        }
        _ => ("service", format!("IPVS's rules refuse {command} with {errno}")),
    }
}

/// The service of this name.
fn known<'a>(table: &'a Table, name: &str) -> Result<&'a Service, InField> {
    let id = named(name)?;
    table.service(&id).ok_or_else(|| ("service", format!("there is no service {id}")))
}

fn named(name: &str) -> Result<ServiceId, InField> {
    name.parse().map_err(|sentence| ("service", sentence))
}

const fn kind(edit: &Edit) -> &'static str {
    match edit {
        Edit::AddService(_) => "add_service",
        Edit::EditService(_) => "edit_service",
        Edit::RemoveService(_) => "remove_service",
        Edit::AddRealServer(_) => "add_real_server",
        Edit::EditRealServer(_) => "edit_real_server",
        Edit::RemoveRealServer(_) => "remove_real_server",
    }
}
