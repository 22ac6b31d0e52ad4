//! The file's services as commands for the table.

use std::net::IpAddr;

use ulvs_model::{Destination, ServiceSet};

use crate::table::{
    Command, DestinationId, DestinationSettings, DestinationSpec, Family, Flags, Owner, Service, ServiceId,
    ServiceSpec, Table, Tunnel,
};

/// The commands after which the table has the file's services with the file's values, for
/// [`Director::change_all`](crate::Director::change_all) with [`Owner::File`].
///
/// Entries of the file that it no longer names go, a service with all its destinations; those that were added through netlink stay. Nothing is said twice:
/// a file that is applied again is no command.
pub fn commands(table: &Table, file: &ServiceSet) -> Vec<Command> {
    let mut commands = Vec::new();
    let named: std::collections::HashSet<_> = file.iter().map(|service| ServiceId::from(service.key())).collect();
    let gone = table.services(None).map(|(_, service)| service);
    let gone = gone.filter(|service| service.owner() == Owner::File && !named.contains(service.id()));
    commands.extend(gone.map(|service| Command::DeleteService(*service.id())));
    for service in file.iter() {
        let spec = service_spec(service);
        match table.service(&spec.id) {
            None => commands.extend(added(service)),
            Some(there) => {
                let id = spec.id;
                if there.owner() != Owner::File || !same(there, &spec) {
                    commands.push(Command::SetService(spec));
                }
                commands.extend(destinations(id, there, service));
            }
        }
    }
    commands
}

/// The commands that add a service with its destinations.
pub fn added(service: &ulvs_model::Service) -> Vec<Command> {
    let spec = service_spec(service);
    let id = spec.id;
    let destinations = service.destinations().iter();
    let added = destinations.map(|one| Command::NewDestination(id, Ok(destination_spec(one))));
    std::iter::once(Command::NewService(spec)).chain(added).collect()
}

/// What has to be said of the destinations of a service that is there.
fn destinations(id: ServiceId, there: &Service, file: &ulvs_model::Service) -> Vec<Command> {
    let gone = there.destinations().filter(|one| one.owner == Owner::File && file.find(one.id.0).is_none());
    let mut commands: Vec<_> = gone.map(|one| Command::DeleteDestination(id, Ok(identity(one.id)))).collect();
    for one in file.destinations() {
        let spec = destination_spec(one);
        let settings = DestinationSettings {
            method: spec.method,
            weight: spec.weight,
            upper: spec.upper,
            lower: spec.lower,
            tunnel: spec.tunnel,
        };
        match there.destination(&DestinationId(one.address)) {
            None => commands.push(Command::NewDestination(id, Ok(spec))),
            Some(known) if known.owner == Owner::File && known.settings == settings => {}
            Some(_) => commands.push(Command::SetDestination(id, Ok(spec))),
        }
    }
    commands
}

fn same(service: &Service, spec: &ServiceSpec) -> bool {
    let settings = service.settings();
    settings.scheduler.name() == spec.scheduler
        && settings.flags == Flags::default()
        && (settings.timeout, settings.netmask) == (spec.timeout, spec.netmask)
        && settings.engine.is_none()
}

fn service_spec(service: &ulvs_model::Service) -> ServiceSpec {
    let id = ServiceId::from(service.key());
    ServiceSpec {
        id,
        scheduler: service.scheduler().name().to_owned(),
        flags: 0,
        mask: u32::MAX,
        timeout: 0,
        netmask: match id.family() {
            Family::V4 => u32::MAX,
            Family::V6 => 128,
        },
        engine: String::new(),
    }
}

fn destination_spec(destination: &Destination) -> DestinationSpec {
    DestinationSpec {
        method: destination.method.code(),
        weight: destination.weight.get(),
        ..identity(DestinationId(destination.address))
    }
}

fn identity(id: DestinationId) -> DestinationSpec {
    let mut address = [0; 16];
    match id.0.ip() {
        IpAddr::V4(ip) => address[..4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => address = ip.octets(),
    }
    DestinationSpec {
        family: id.family().number(),
        address,
        port: id.0.port(),
        method: 0,
        weight: 0,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::default(),
    }
}
