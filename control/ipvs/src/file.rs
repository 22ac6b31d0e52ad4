//! The file's services as commands for the table.

use std::sync::Arc;

use ulvs_model::{Destination, Netmask, ServiceSet, Sysctl, Sysctls};

use crate::table::{
    Command, DestinationId, DestinationSpec, Family, Flags, Owner, Service, ServiceId, ServiceSpec, Table, Timeouts,
};
pub use crate::table::{FileEntries, FileService};

/// How far a file is followed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Follow {
    /// Where it says something else than before.
    #[default]
    Changes,
    /// In all it says: entries of the file that others edited or removed are as the file says again.
    Reset,
}

/// What the file says, in the table's words.
pub fn entries(file: &ServiceSet, timeouts: Timeouts, sysctls: Sysctls) -> FileEntries {
    let service = |service: &ulvs_model::Service| {
        let mut said = FileService::new(service_spec(service));
        service.destinations().iter().for_each(|one| said.add(destination_spec(one)));
        said
    };
    FileEntries::new(file.iter().map(service), timeouts, sysctls)
}

/// The commands after which the table follows the file, for [`Owner::File`].
///
/// They are about what the file says now and didn't say when it was followed last, so that what others did to the file's
/// entries in between stays as it is; with [`Follow::Reset`] the file's word counts again for all its entries. A service
/// that the file no longer names goes with the file's destinations; one in which others have destinations is theirs then.
/// A file that is followed again is no command.
pub fn commands(table: &Table, file: &Arc<FileEntries>, follow: Follow) -> Vec<Command> {
    let mut commands = Vec::new();
    for before in table.file().services().iter().filter(|before| file.service(before.id()).is_none()) {
        let owned = table.service(before.id()).filter(|there| there.owner() == Owner::File);
        commands.extend(owned.into_iter().flat_map(dropped));
    }
    for said in file.services() {
        let before = table.file().service(said.id());
        let is_news = |before: Option<&ServiceSpec>| follow == Follow::Reset || before != Some(said.spec());
        match table.service(said.id()) {
            None if is_news(before.map(FileService::spec)) => commands.extend(said_anew(said)),
            None => {}
            Some(there) => {
                let is_so = there.owner() == Owner::File && there.is_as(said.spec());
                if is_news(before.map(FileService::spec)) && !is_so {
                    commands.push(Command::SetService(said.spec().clone()));
                }
                commands.extend(destinations(there, before, said, follow));
            }
        }
    }
    let timeouts = file.timeouts();
    let is_news = follow == Follow::Reset || table.file().timeouts() != timeouts;
    if is_news && table.timeouts() != timeouts {
        commands.push(Command::SetTimeouts(timeouts));
    }
    for &which in Sysctl::ALL {
        let Some(said) = file.sysctls().number(which) else { continue };
        let is_news = follow == Follow::Reset || table.file().sysctls().number(which) != Some(said);
        if is_news && table.sysctls().number(which) != Some(said) {
            commands.push(Command::SetSysctl(which, said));
        }
    }
    if **table.file() != **file {
        commands.push(Command::FollowFile(Arc::clone(file)));
    }
    commands
}

/// The commands that add a service with its destinations.
pub fn added(service: &ulvs_model::Service) -> Vec<Command> {
    let mut said = FileService::new(service_spec(service));
    service.destinations().iter().for_each(|one| said.add(destination_spec(one)));
    said_anew(&said).collect()
}

fn said_anew(said: &FileService) -> impl Iterator<Item = Command> {
    let destinations = said.destinations().iter().map(|(_, spec)| Command::NewDestination(*said.id(), Ok(*spec)));
    std::iter::once(Command::NewService(said.spec().clone())).chain(destinations)
}

/// What has to be done with a service that the file no longer names.
fn dropped(there: &Service) -> Vec<Command> {
    let id = *there.id();
    // what the checks of the file's service have added goes with it
    let is_own = |owner| matches!(owner, Owner::File | Owner::Checks);
    let Some(other) = there.destinations().map(|one| one.owner).find(|owner| !is_own(*owner)) else {
        return vec![Command::DeleteService(id)];
    };
    let own = there.destinations().filter(|one| is_own(one.owner));
    let gone = own.map(|one| Command::DeleteDestination(id, Ok(DestinationSpec::at(one.id.0))));
    gone.chain([Command::HandOver(id, other)]).collect()
}

/// What has to be said of the destinations of a service that is there.
fn destinations(there: &Service, before: Option<&FileService>, said: &FileService, follow: Follow) -> Vec<Command> {
    let id = *said.id();
    let named = |one: &DestinationId| said.destination(one).is_some();
    let gone = there.destinations().filter(|one| one.owner == Owner::File && !named(&one.id));
    let mut commands: Vec<_> =
        gone.map(|one| Command::DeleteDestination(id, Ok(DestinationSpec::at(one.id.0)))).collect();
    for (destination, spec) in said.destinations() {
        let before = before.and_then(|before| before.destination(destination));
        if follow == Follow::Changes && before == Some(spec) {
            continue;
        }
        match there.destination(destination) {
            None => commands.push(Command::NewDestination(id, Ok(*spec))),
            Some(known) if known.owner == Owner::File && known.is_as(spec) => {}
            Some(_) => commands.push(Command::SetDestination(id, Ok(*spec))),
        }
    }
    commands
}

fn service_spec(service: &ulvs_model::Service) -> ServiceSpec {
    let id = ServiceId::from(service.key());
    let persistence = service.settings().persistence;
    let every_address = match id.family() {
        Family::V4 => Netmask::HOST_V4,
        Family::V6 => Netmask::HOST_V6,
    };
    ServiceSpec {
        id,
        scheduler: service.scheduler().name().to_owned(),
        flags: flags(service.settings()),
        mask: u32::MAX,
        timeout: persistence.map_or(0, |persistence| persistence.timeout),
        netmask: match persistence.map_or(every_address, |persistence| persistence.netmask) {
            Netmask::V4(mask) => u32::from_ne_bytes(mask.octets()),
            Netmask::V6(length) => length.into(),
        },
        engine: persistence
            .and_then(|persistence| persistence.engine)
            .map_or_else(String::new, |engine| engine.name().to_owned()),
    }
}

fn flags(settings: ulvs_model::ServiceSettings) -> u32 {
    let flag = |flag: Flags, is_set| if is_set { flag.bits() } else { 0 };
    settings.scheduler_flags.bits()
        | flag(Flags::PERSISTENT, settings.persistence.is_some())
        | flag(Flags::ONE_PACKET, settings.one_packet)
}

fn destination_spec(destination: &Destination) -> DestinationSpec {
    DestinationSpec {
        method: destination.method.code(),
        weight: destination.weight.get(),
        upper: destination.thresholds.upper(),
        lower: destination.thresholds.lower(),
        tunnel: destination.encapsulation.into(),
        ..DestinationSpec::at(destination.address)
    }
}
