//! What was kept, put into the table beside the file's services before anything is forwarded.

use anyhow::Result;
use ulvs_ipvs::Refusal;
use ulvs_ipvs::table::{Command, DestinationId, DestinationSpec, Owner, ServiceId, Table, Timeouts};
use ulvs_model::Sysctl;

use super::load::Loaded;
use super::saved::{Saved, SavedDestinationSettings, SavedDeviation, SavedDrain, SavedSettings};
use super::{Folder, SERVICES};
use crate::ipvs::{Director, Operation};
use crate::words::counted;

/// Restores what the folder keeps, and gives the number of the last change in it. What can't be restored is told, one by one, and
/// all that was kept with it is put aside.
///
/// # Errors
/// If what is kept can be neither read nor put aside: then it must not be written over.
pub(crate) fn restore(
    folder: &Folder,
    director: &Director,
    mut install: impl FnMut(Vec<Operation>) -> Result<(), Refusal>,
) -> Result<u64> {
    let Loaded { saved: Some(saved), number } = folder.load()? else { return Ok(0) };
    let text = saved.text();
    let steps = director.look(|table| steps(table, saved));
    let (mut restored, mut refused) = (0, 0);
    for (commands, owner) in &steps {
        if director.adopt(commands, *owner, &mut install).is_ok() {
            restored += commands.len();
            continue;
        }
        // One of them is refused: all others are there in the end.
        for command in commands {
            match director.adopt(std::slice::from_ref(command), *owner, &mut install) {
                Ok(()) => restored += 1,
                Err(refusal) => {
                    tracing::error!("what was set before the restart can't be restored, {command}: {refusal}");
                    refused += 1;
                }
            }
        }
    }
    if refused > 0 {
        let aside = folder.put_aside(SERVICES, &text, "unrestored")?;
        tracing::error!("{} could not be restored; all of them are in {}", counted(refused, "change"), aside.display());
    }
    if restored > 0 {
        tracing::info!("restored what ipvsadm, keepalived and the API had set: {}", counted(restored, "change"));
    }
    Ok(number)
}

/// Drains of destinations that are there in the end.
fn drains(table: &Table, saved: &Saved) -> Vec<Command> {
    let is_there = |drain: &SavedDrain| {
        let of_the_file = table.service(&drain.id.id()).and_then(|one| one.destination(&DestinationId(drain.address)));
        let others = saved.services.iter().filter(|service| service.id == drain.id).flat_map(|one| &one.destinations);
        of_the_file.is_some() || others.map(|one| one.address).any(|address| address == drain.address)
    };
    saved.drains.iter().copied().filter(is_there).map(SavedDrain::command).collect()
}

/// Commands of one owner, in the order to give them.
type Step = (Vec<Command>, Owner);

/// What makes the file's table again what it was. Edits of the file's entries are netlink's: they stay the file's.
pub(super) fn steps(table: &Table, saved: Saved) -> Vec<Step> {
    let drains = drains(table, &saved);
    let Saved { services, deviations, .. } = saved;
    let edits = deviations.into_iter().filter_map(|deviation| made_of_the_files(table, deviation)).collect();
    let mut steps = vec![(edits, Owner::Netlink)];
    let owners = [Owner::Netlink, Owner::Api];
    steps.extend(owners.map(|owner| (Vec::new(), owner)));
    steps.extend(owners.map(|owner| (Vec::new(), owner)));
    for service in services {
        let id = service.id.id();
        let file = table.service(&id);
        match (service.own, file) {
            (Some(_), Some(_)) => tracing::info!("{id} is the file's now, with the file's settings"),
            (Some((owner, settings)), None) => {
                steps[1 + place(owner.owner())].0.push(Command::NewService(settings.spec(id)));
            }
            (None, Some(_)) => {}
            (None, None) => {
                let count = counted(service.destinations.len(), "real server");
                tracing::warn!("{id} is no longer in the file: {count} that others had in it went with it");
                continue;
            }
        }
        for one in service.destinations {
            if file.is_some_and(|file| file.destination(&DestinationId(one.address)).is_some()) {
                tracing::info!("real server {} of {id} is the file's now, with the file's settings", one.address);
            } else {
                let command = Command::NewDestination(id, Ok(one.settings.spec(one.address)));
                steps[3 + place(one.owner.owner())].0.push(command);
            }
        }
    }
    steps.push((drains, Owner::Api));
    steps
}

/// The place of an owner's step among those of one kind.
const fn place(owner: Owner) -> usize {
    match owner {
        Owner::Api => 1,
        Owner::File | Owner::Netlink | Owner::Checks => 0,
    }
}

/// What makes an entry of the file again what others had made of it: nothing if the file says something new of it.
fn made_of_the_files(table: &Table, deviation: SavedDeviation) -> Option<Command> {
    match deviation {
        SavedDeviation::Service { id, said, now } => {
            let id = id.id();
            let file = table.file().service(&id)?;
            if SavedSettings::said(file.spec()) != said {
                told_news(&id, None);
                return None;
            }
            Some(now.map_or(Command::DeleteService(id), |now| Command::SetService(now.spec(id))))
        }
        SavedDeviation::Destination { id, address, said, now } => {
            let id = id.id();
            let file = table.file().service(&id)?.destination(&DestinationId(address))?;
            if SavedDestinationSettings::said(file) != said {
                told_news(&id, Some(DestinationId(address)));
                return None;
            }
            Some(match now {
                Some(now) => Command::SetDestination(id, Ok(now.spec(address))),
                None => Command::DeleteDestination(id, Ok(DestinationSpec::at(address))),
            })
        }
        SavedDeviation::Sysctl { name, said, now } => {
            let which = name.parse::<Sysctl>().ok()?;
            // What was kept may be of an ulvsd that took other numbers.
            let number = which.read(&now.to_string()).ok()??;
            (table.file().sysctls().number(which) == Some(said)).then_some(Command::SetSysctl(which, number))
        }
        SavedDeviation::Timeouts { said, now } => {
            let timeouts = |[tcp, tcp_fin, udp]: [u32; 3]| Timeouts { tcp, tcp_fin, udp };
            (table.file().timeouts() == timeouts(said)).then(|| Command::SetTimeouts(timeouts(now)))
        }
    }
}

fn told_news(id: &ServiceId, destination: Option<DestinationId>) {
    let entry = destination.map_or_else(|| id.to_string(), |one| format!("real server {} of {id}", one.0));
    tracing::info!("{entry}: the file says something new, which counts over what others made of it before the restart");
}
