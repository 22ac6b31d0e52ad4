use std::net::IpAddr;
use std::sync::Arc;

use super::{
    Change, Command, DaemonSpec, Destination, DestinationId, DestinationSettings, DestinationSpec, Drain, Family,
    Flags, Hold, Owner, PersistenceEngine, Role, SchedulerName, Service, ServiceId, ServiceSettings, ServiceSpec,
    SyncDaemon, Table, TunnelKind,
};
use crate::{Errno, Host};

/// The forwarding method that may cross address families.
const TUNNEL: u8 = 2;

impl Table {
    /// What a command changes, by IPVS's rules and in their order (ipvs-facts E.6). The table stays as it is.
    ///
    /// # Errors
    /// The number IPVS answers with.
    pub fn plan(&self, command: &Command, owner: Owner, host: &impl Host) -> Result<Vec<Change>, Errno> {
        let change = match command {
            Command::NewService(spec) => match self.service(&spec.id) {
                Some(_) => return Err(Errno::Exists),
                None => {
                    Change::ServiceAdded(spec.id, settings(spec, Flags::default())?, self.owner(&spec.id, None, owner))
                }
            },
            Command::SetService(spec) => {
                let service = self.known(&spec.id)?;
                Change::ServiceEdited(spec.id, settings(spec, service.settings.flags)?, service.owner.after(owner))
            }
            Command::DeleteService(id) => Change::ServiceRemoved(*self.known(id)?.id()),
            Command::NewDestination(id, spec) => {
                let service = self.known(id)?;
                let spec = (*spec)?;
                let family = self.family(service, &spec)?;
                let destination = destination(&spec, family, owner)?;
                match service.destination(&destination.id) {
                    Some(old) if old.weight().is_none() => return Ok(vec![added_again(*id, old, destination)]),
                    Some(_) => return Err(Errno::Exists),
                    None => {}
                }
                check_address(destination.id.0.ip(), host)?;
                let owner = self.owner(id, Some(&destination.id), owner);
                Change::DestinationAdded(*id, Destination { owner, ..destination })
            }
            Command::SetDestination(id, spec) => {
                let service = self.known(id)?;
                let spec = (*spec)?;
                let edited = destination(&spec, self.family(service, &spec)?, owner)?;
                let old = service.destination(&edited.id).ok_or(Errno::NoEntry)?;
                Change::DestinationEdited(*id, Destination { owner: old.owner.after(owner), hold: old.hold, ..edited })
            }
            Command::DeleteDestination(id, spec) => {
                let service = self.known(id)?;
                let spec = (*spec)?;
                let gone = identity(&spec, family_of(service, &spec)?);
                match service.destination(&gone).ok_or(Errno::NoEntry)?.weight() {
                    Some(_) => Change::DestinationRemoved(*id, gone),
                    None => Change::DestinationForgotten(*id, gone),
                }
            }
            Command::NewDaemon(spec) => Change::DaemonStarted(self.daemon(spec, host)?),
            Command::DeleteDaemon(role) => {
                let role = Role::from_number(*role).ok_or(Errno::Invalid)?;
                if !self.daemons.iter().any(|daemon| daemon.role == role) {
                    return Err(Errno::NoSuch);
                }
                Change::DaemonStopped(role)
            }
            Command::SetTimeouts(wanted) => Change::TimeoutsSet(self.timeouts.changed_to(*wanted)?),
            Command::SetSysctl(which, number) if self.sysctls.number(*which) == Some(*number) => return Ok(Vec::new()),
            Command::SetSysctl(which, number) => Change::SysctlSet(*which, *number),
            Command::Zero(Some(id)) => Change::Zeroed(Some(*self.known(id)?.id())),
            Command::Zero(None) => Change::Zeroed(None),
            Command::HandOver(id, owner) => Change::ServiceEdited(*id, self.known(id)?.settings, *owner),
            Command::Check(id, one, checked) => {
                let old = self.known(id)?.destination(one).ok_or(Errno::NoEntry)?;
                return Ok(held(*id, old, Hold { checked: *checked, ..old.hold }));
            }
            Command::Drain(id, one, drain) => {
                let old = self.known(id)?.destination(one).ok_or(Errno::NoEntry)?;
                return Ok(held(*id, old, Hold { drain: *drain, ..old.hold }));
            }
            Command::FollowFile(file) => Change::FileFollowed(Arc::clone(file)),
            Command::Flush => {
                return Ok(self.services.values().map(|service| Change::ServiceRemoved(service.id)).collect());
            }
        };
        Ok(vec![change])
    }

    /// What commands change one after the other, all or none.
    ///
    /// # Errors
    /// The first command that is refused, by its index, and the number.
    pub fn plan_all(
        &self,
        commands: &[Command],
        owner: Owner,
        host: &impl Host,
    ) -> Result<Vec<Change>, (usize, Errno)> {
        if let [command] = commands {
            return self.plan(command, owner, host).map_err(|errno| (0, errno));
        }
        let mut after = self.clone();
        let mut all = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            let changes = after.plan(command, owner, host).map_err(|errno| (index, errno))?;
            after.commit(&changes);
            all.extend(changes);
        }
        Ok(all)
    }

    /// Whose a new entry is: what the file names is the file's, as a health checker's real server that comes back.
    fn owner(&self, service: &ServiceId, destination: Option<&DestinationId>, adding: Owner) -> Owner {
        let Some(named) = self.file.service(service) else { return adding };
        match destination {
            Some(destination) if named.destination(destination).is_none() => adding,
            _ => Owner::File,
        }
    }

    fn known(&self, id: &ServiceId) -> Result<&Service, Errno> {
        self.service(id).ok_or(Errno::NoSuch)
    }

    /// The family of a destination to be added or edited.
    fn family(&self, service: &Service, spec: &DestinationSpec) -> Result<Family, Errno> {
        let family = family_of(service, spec)?;
        // a sync message has one family for both addresses (ipvs-facts F.2)
        if family != service.id.family() && (!self.daemons.is_empty() || spec.method != TUNNEL) {
            return Err(Errno::Invalid);
        }
        Ok(family)
    }

    fn daemon(&self, spec: &DaemonSpec, host: &impl Host) -> Result<SyncDaemon, Errno> {
        if spec.group.is_some_and(|group| !group.is_multicast()) || self.mixes_families() {
            return Err(Errno::Invalid);
        }
        let mtu = host.interface_mtu(&spec.interface).ok_or(Errno::NoDevice)?;
        let role = Role::from_number(spec.role).ok_or(Errno::Invalid)?;
        if self.daemons.iter().any(|daemon| daemon.role == role) {
            return Err(Errno::Exists);
        }
        let group = spec.group.unwrap_or(SyncDaemon::DEFAULT_GROUP);
        Ok(SyncDaemon {
            role,
            interface: spec.interface.clone(),
            sync_id: spec.sync_id,
            max_length: SyncDaemon::max_length(role, group, mtu, spec.max_length),
            group,
            port: if spec.port == 0 { SyncDaemon::DEFAULT_PORT } else { spec.port },
            ttl: if spec.ttl == 0 { SyncDaemon::DEFAULT_TTL } else { spec.ttl },
        })
    }
}

/// What is added is not listed, but is there: it has what was said now, and is not drained any more. Its checks decide still.
fn added_again(service: ServiceId, old: &Destination, added: Destination) -> Change {
    let hold = Hold { drain: Drain::No, ..old.hold };
    let added = Destination { hold, owner: old.owner.after(added.owner), ..added };
    match added.weight() {
        Some(_) => Change::DestinationRestored(service, added),
        None => Change::DestinationEdited(service, added),
    }
}

/// What it changes to hold a destination so.
fn held(service: ServiceId, old: &Destination, hold: Hold) -> Vec<Change> {
    if old.hold == hold {
        return Vec::new();
    }
    let new = Destination { hold, ..*old };
    vec![match (old.weight(), new.weight()) {
        (Some(_), None) => Change::DestinationWithdrawn(service, new),
        (None, Some(_)) => Change::DestinationRestored(service, new),
        _ => Change::DestinationEdited(service, new),
    }]
}

pub(super) fn settings(spec: &ServiceSpec, flags: Flags) -> Result<ServiceSettings, Errno> {
    let scheduler = SchedulerName::from_name(&spec.scheduler).ok_or(Errno::NoEntry)?;
    let engine = match spec.engine.as_str() {
        "" => None,
        name => Some(PersistenceEngine::from_name(name).ok_or(Errno::NoEntry)?),
    };
    if spec.id.family() == Family::V6 && !(1..=128).contains(&spec.netmask) {
        return Err(Errno::Invalid);
    }
    Ok(ServiceSettings {
        scheduler,
        flags: flags.changed_to(spec.flags, spec.mask),
        timeout: spec.timeout,
        netmask: spec.netmask,
        engine,
    })
}

fn family_of(service: &Service, spec: &DestinationSpec) -> Result<Family, Errno> {
    match spec.family {
        0 => Ok(service.id.family()),
        number => Family::from_number(number),
    }
}

fn identity(spec: &DestinationSpec, family: Family) -> DestinationId {
    DestinationId((family.address(spec.address), spec.port).into())
}

pub(super) fn destination(spec: &DestinationSpec, family: Family, owner: Owner) -> Result<Destination, Errno> {
    if spec.weight < 0 || spec.lower > spec.upper {
        return Err(Errno::Range);
    }
    if i32::try_from(spec.upper).is_err() || (spec.tunnel.kind == TunnelKind::GUE && spec.tunnel.port == 0) {
        return Err(Errno::Invalid);
    }
    let DestinationSpec { method, weight, upper, lower, tunnel, .. } = *spec;
    let settings = DestinationSettings { method, weight, upper, lower, tunnel };
    Ok(Destination { id: identity(spec, family), settings, owner, hold: Hold::default() })
}

/// Whether an address can be one host's (ipvs-facts D.2).
fn check_address(address: IpAddr, host: &impl Host) -> Result<(), Errno> {
    let good = match address {
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            first != 0 && !ip.is_broadcast() && !ip.is_multicast() && !host.is_subnet_broadcast(ip)
        }
        IpAddr::V6(ip) => {
            let no_host =
                ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local() || ip.to_ipv4_mapped().is_some();
            !no_host || host.is_local(ip)
        }
    };
    if good { Ok(()) } else { Err(Errno::Invalid) }
}
