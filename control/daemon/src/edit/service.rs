use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ulvs_api::ServiceEdit;
use ulvs_ipvs::table::{Command, Family, Flags, SchedulerName, ServiceId, ServiceSpec, Table};
use ulvs_model::{Netmask, Persistence, PersistenceEngine, SchedulerFlags, SchedulerKind};

use super::{InField, known, named};

/// Its number among IP's protocols.
const UDP: u16 = 17;

/// Adds a service.
pub(super) fn added(table: &Table, said: &ServiceEdit) -> Result<Command, InField> {
    let id = named(&said.service)?;
    if table.service(&id).is_some() {
        return Err(("service", format!("{id} is there already: edit it, or remove it first")));
    }
    if let ServiceId::Address { address, .. } = &id
        && !is_one_host(address)
    {
        return Err(("service", format!("{} is not the address of one host: use a unicast address", address.ip())));
    }
    let fresh = ServiceSpec {
        id,
        scheduler: SchedulerKind::default().name().to_owned(),
        flags: 0,
        mask: u32::MAX,
        timeout: 0,
        netmask: number(every_address(&id)),
        engine: String::new(),
    };
    merged(fresh, said).map(Command::NewService)
}

/// Edits a service: what is not said stays.
pub(super) fn edited(table: &Table, said: &ServiceEdit) -> Result<Command, InField> {
    let service = known(table, &said.service)?;
    let settings = service.settings();
    let now = ServiceSpec {
        id: *service.id(),
        scheduler: settings.scheduler.name().to_owned(),
        flags: settings.flags.bits(),
        mask: u32::MAX,
        timeout: settings.timeout,
        netmask: settings.netmask,
        engine: settings.engine.map_or_else(String::new, |engine| engine.name().to_owned()),
    };
    merged(now, said).map(Command::SetService)
}

fn merged(mut spec: ServiceSpec, said: &ServiceEdit) -> Result<ServiceSpec, InField> {
    let before = spec.scheduler.clone();
    if let Some(name) = &said.scheduler {
        let kind: SchedulerKind =
            name.parse().map_err(|error: ulvs_model::UnknownName| ("scheduler", error.to_string()))?;
        kind.name().clone_into(&mut spec.scheduler);
    }
    let scheduler_flags = SchedulerFlags { fallback: true, port: true }.bits();
    if let Some(names) = &said.flags {
        spec.flags = spec.flags & !scheduler_flags | flags(&spec.scheduler, names)?.bits();
    } else if spec.scheduler != before {
        // They are the other scheduler's.
        spec.flags &= !scheduler_flags;
    }
    match said.persistence {
        None => {}
        Some(0) => {
            spec.flags &= !Flags::PERSISTENT.bits();
            spec.timeout = 0;
            spec.netmask = number(every_address(&spec.id));
            spec.engine.clear();
        }
        Some(seconds @ 1..=Persistence::LONGEST) => {
            spec.flags |= Flags::PERSISTENT.bits();
            spec.timeout = seconds;
        }
        Some(seconds) => {
            let sentence = format!("{seconds} s are too many: clients are kept for at most {} s", Persistence::LONGEST);
            return Err(("persistence", sentence));
        }
    }
    let is_persistent = spec.flags & Flags::PERSISTENT.bits() != 0;
    if let Some(text) = &said.netmask {
        if !is_persistent {
            return Err(("netmask", "it is of clients that are remembered: say `persistence` as well".to_owned()));
        }
        spec.netmask = number(netmask(text, &spec.id)?);
    }
    if let Some(name) = &said.persistence_engine {
        spec.engine = engine(name, &spec.id, is_persistent)?;
    }
    if let Some(is_one_packet) = said.one_packet {
        if is_one_packet && matches!(&spec.id, ServiceId::Address { protocol, .. } if *protocol != UDP) {
            return Err(("one_packet", "it is for UDP: other protocols have connections".to_owned()));
        }
        let bit = Flags::ONE_PACKET.bits();
        spec.flags = if is_one_packet { spec.flags | bit } else { spec.flags & !bit };
    }
    if let ServiceId::Address { address, .. } = &spec.id
        && address.port() == 0
        && !is_persistent
    {
        let sentence = "port 0 stands for all ports, which takes `persistence`: say it, or the port that is served";
        let field = if said.persistence.is_some() { "persistence" } else { "service" };
        return Err((field, sentence.to_owned()));
    }
    Ok(spec)
}

/// The persistence engine of this name; empty: none.
fn engine(name: &str, id: &ServiceId, is_persistent: bool) -> Result<String, InField> {
    let wrong = |sentence: String| Err(("persistence_engine", sentence));
    if name.is_empty() {
        return Ok(String::new());
    }
    if PersistenceEngine::from_name(name).is_none() {
        return wrong(format!("unknown persistence engine \"{}\": there is sip", name.escape_debug()));
    }
    if !is_persistent {
        return wrong("it is of clients that are remembered: say `persistence` as well".to_owned());
    }
    if matches!(id, ServiceId::Address { protocol, .. } if *protocol != UDP) {
        return wrong("SIP is known by UDP only".to_owned());
    }
    Ok(name.to_owned())
}

/// The scheduler's flags of these names.
fn flags(scheduler: &str, names: &[String]) -> Result<SchedulerFlags, InField> {
    let kind = SchedulerName::from_name(scheduler).map(SchedulerName::kind);
    let mut flags = SchedulerFlags::default();
    for name in names {
        match (kind.and_then(|kind| SchedulerFlags::named(kind, name)), kind.and_then(SchedulerFlags::names)) {
            (Some(flag), _) => flags = flags.and(flag),
            (None, Some(known)) => {
                let (name, known) = (name.escape_debug(), known.join(", "));
                return Err(("flags", format!("scheduler {scheduler} has no \"{name}\": use {known}")));
            }
            (None, None) => {
                let sentence = format!("scheduler {scheduler} has none: leave them out, or use scheduler sh or mh");
                return Err(("flags", sentence));
            }
        }
    }
    Ok(flags)
}

/// A mask, or the length of a prefix.
fn netmask(text: &str, id: &ServiceId) -> Result<Netmask, InField> {
    let is_v6 = id.family() == Family::V6;
    let mask = text.parse::<Ipv4Addr>().ok().filter(|_| !is_v6).map(Netmask::V4);
    let read = mask.or_else(|| Netmask::of_length(text.parse().ok()?, is_v6));
    read.ok_or_else(|| {
        let right = if is_v6 { "a number from 1 to 128" } else { "a mask as 255.255.255.0, or a number from 0 to 32" };
        ("netmask", format!("expected {right}, found \"{}\"", text.escape_debug()))
    })
}

fn every_address(id: &ServiceId) -> Netmask {
    match id.family() {
        Family::V4 => Netmask::HOST_V4,
        Family::V6 => Netmask::HOST_V6,
    }
}

/// As netlink has it.
fn number(netmask: Netmask) -> u32 {
    match netmask {
        Netmask::V4(mask) => u32::from_ne_bytes(mask.octets()),
        Netmask::V6(length) => length.into(),
    }
}

fn is_one_host(address: &SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => !(ip == Ipv4Addr::UNSPECIFIED || ip.is_broadcast() || ip.is_multicast()),
        IpAddr::V6(ip) => !(ip == Ipv6Addr::UNSPECIFIED || ip.is_multicast()),
    }
}
