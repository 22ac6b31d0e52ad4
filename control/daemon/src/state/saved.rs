//! The state's format, apart from the table's types: it outlives versions of ulvsd.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use ulvs_ipvs::table::{
    Command, Deadline, Destination, DestinationId, DestinationSettings, DestinationSpec, Deviation, Drain, Family,
    Flags, Owner, Service, ServiceId, ServiceSettings, ServiceSpec, Table, Timeouts, Tunnel, TunnelKind,
};

const FORMAT: &str = "ulvs-services";
/// Raised when an older ulvsd would misread what a newer one writes.
const VERSION: u32 = 1;

/// What is kept.
#[derive(Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(super) struct Saved {
    format: String,
    version: u32,
    /// Up to which change of the journal it has them all; absent: written by an ulvsd without a journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) changes: Option<u64>,
    /// Services that are not the file's, oldest first, and those of the file in which others have destinations.
    pub(super) services: Vec<SavedService>,
    /// What others made of the file's entries.
    pub(super) deviations: Vec<SavedDeviation>,
    /// Destinations that are being emptied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) drains: Vec<SavedDrain>,
}

/// An operator's wish, whoever the destination is of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(super) struct SavedDrain {
    pub(super) id: SavedId,
    pub(super) address: SocketAddr,
    /// Whether it was taken out.
    pub(super) removed: bool,
    /// When it is taken out at the latest, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) remove_at: Option<u64>,
}

/// What the format begins with, whatever follows.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum SavedId {
    Address { protocol: u16, address: SocketAddr },
    Mark { mark: u32, ipv6: bool },
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SavedOwner {
    Netlink,
    Api,
}

#[derive(Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(super) struct SavedService {
    pub(super) id: SavedId,
    /// Absent: the service is the file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own: Option<(SavedOwner, SavedSettings)>,
    /// Oldest first.
    pub(super) destinations: Vec<SavedDestination>,
}

#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(super) struct SavedSettings {
    scheduler: String,
    flags: u32,
    timeout: u32,
    netmask: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    engine: String,
}

#[derive(Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(super) struct SavedDestination {
    pub(super) address: SocketAddr,
    pub(super) owner: SavedOwner,
    pub(super) settings: SavedDestinationSettings,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(super) struct SavedDestinationSettings {
    method: u8,
    weight: i32,
    #[serde(default, skip_serializing_if = "is_zero")]
    upper: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    lower: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tunnel: Option<(u8, u16, u16)>,
}

/// What the file said, and what it is now; absent: gone.
#[derive(Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SavedDeviation {
    Service {
        id: SavedId,
        said: SavedSettings,
        now: Option<SavedSettings>,
    },
    Destination {
        id: SavedId,
        address: SocketAddr,
        said: SavedDestinationSettings,
        now: Option<SavedDestinationSettings>,
    },
    Timeouts {
        said: [u32; 3],
        now: [u32; 3],
    },
    Sysctl {
        name: String,
        said: i32,
        now: i32,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Default for Saved {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new(), Vec::new())
    }
}

impl Saved {
    /// What of a table has to be kept.
    pub(super) fn of(table: &Table) -> Self {
        let mut services: Vec<_> = table.services(None).filter_map(|(_, service)| SavedService::of(service)).collect();
        services.reverse();
        let deviations = table.deviations().filter_map(|one| SavedDeviation::of(&one)).collect();
        let drains = table.services(None).flat_map(|(_, service)| SavedDrain::all_of(service)).collect();
        Self::new(services, deviations, drains)
    }

    /// These, whichever change was the last.
    pub(super) fn new(services: Vec<SavedService>, deviations: Vec<SavedDeviation>, drains: Vec<SavedDrain>) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, changes: None, services, deviations, drains }
    }

    /// Reads what [`Self::text`] wrote.
    ///
    /// # Errors
    /// Why it is something else, for people.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let head: Head = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if head.format != FORMAT {
            return Err(format!("its format is \"{}\", not \"{FORMAT}\"", head.format.escape_debug()));
        }
        if head.version != VERSION {
            return Err(format!("it is of version {}, and this ulvsd reads {VERSION}", head.version));
        }
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }

    /// As it is written.
    pub(super) fn text(&self) -> Vec<u8> {
        // Numbers, strings and lists: nothing that JSON has no word for.
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

impl SavedService {
    fn of(service: &Service) -> Option<Self> {
        let own = SavedSettings::own(service);
        let destinations: Vec<_> = service.destinations().rev().filter_map(SavedDestination::of).collect();
        if own.is_none() && destinations.is_empty() {
            return None;
        }
        Some(Self { id: SavedId::of(service.id()), own, destinations })
    }
}

impl SavedDrain {
    fn all_of(service: &Service) -> impl Iterator<Item = Self> {
        service.destinations().filter_map(|one| Self::of(service.id(), one))
    }

    pub(super) fn of(id: &ServiceId, one: &Destination) -> Option<Self> {
        let (removed, remove_at) = match one.hold.drain {
            Drain::No => return None,
            Drain::Quiescent(deadline) => (false, deadline.map(|deadline| deadline.0)),
            Drain::Removed => (true, None),
        };
        Some(Self { id: SavedId::of(id), address: one.id.0, removed, remove_at })
    }

    pub(super) fn command(self) -> Command {
        let drain = if self.removed { Drain::Removed } else { Drain::Quiescent(self.remove_at.map(Deadline)) };
        Command::Drain(self.id.id(), DestinationId(self.address), drain)
    }
}

impl SavedDestination {
    pub(super) fn of(one: &Destination) -> Option<Self> {
        let owner = SavedOwner::of(one.owner)?;
        Some(Self { address: one.id.0, owner, settings: SavedDestinationSettings::of(&one.settings) })
    }
}

impl SavedDeviation {
    pub(super) fn of(deviation: &Deviation) -> Option<Self> {
        let numbers = |timeouts: &Timeouts| [timeouts.tcp, timeouts.tcp_fin, timeouts.udp];
        Some(match deviation {
            Deviation::Service(said, now) => Self::Service {
                id: SavedId::of(&said.id),
                said: SavedSettings::said(said),
                now: now.as_ref().map(SavedSettings::of),
            },
            Deviation::Destination(service, said, now) => Self::Destination {
                id: SavedId::of(service),
                address: said.id(service.family()).ok()?.0,
                said: SavedDestinationSettings::said(said),
                now: now.as_ref().map(SavedDestinationSettings::of),
            },
            Deviation::Sysctl(which, said, now) => {
                Self::Sysctl { name: which.name().to_owned(), said: *said, now: *now }
            }
            Deviation::Timeouts(said, now) => Self::Timeouts { said: numbers(said), now: numbers(now) },
        })
    }
}

impl SavedOwner {
    const fn of(owner: Owner) -> Option<Self> {
        match owner {
            // what health checks add they add again
            Owner::File | Owner::Checks => None,
            Owner::Netlink => Some(Self::Netlink),
            Owner::Api => Some(Self::Api),
        }
    }

    pub(super) const fn owner(self) -> Owner {
        match self {
            Self::Netlink => Owner::Netlink,
            Self::Api => Owner::Api,
        }
    }
}

impl SavedId {
    pub(super) const fn of(id: &ServiceId) -> Self {
        match *id {
            ServiceId::Address { protocol, address } => Self::Address { protocol, address },
            ServiceId::Mark { family, mark } => Self::Mark { mark, ipv6: matches!(family, Family::V6) },
        }
    }

    pub(super) const fn id(self) -> ServiceId {
        match self {
            Self::Address { protocol, address } => ServiceId::Address { protocol, address },
            Self::Mark { mark, ipv6 } => ServiceId::Mark { mark, family: if ipv6 { Family::V6 } else { Family::V4 } },
        }
    }
}

impl SavedSettings {
    /// A service's, and whose it is; `None`: it is the file's.
    pub(super) fn own(service: &Service) -> Option<(SavedOwner, Self)> {
        SavedOwner::of(service.owner()).map(|owner| (owner, Self::of(service.settings())))
    }

    fn of(settings: &ServiceSettings) -> Self {
        Self {
            scheduler: settings.scheduler.name().to_owned(),
            flags: settings.flags.shown() & !Flags::HASHED.shown(),
            timeout: settings.timeout,
            netmask: settings.netmask,
            engine: settings.engine.map_or_else(String::new, |engine| engine.name().to_owned()),
        }
    }

    pub(super) fn said(said: &ServiceSpec) -> Self {
        Self {
            scheduler: said.scheduler.clone(),
            flags: said.flags & said.mask & !Flags::HASHED.shown(),
            timeout: said.timeout,
            netmask: said.netmask,
            engine: said.engine.clone(),
        }
    }

    pub(super) fn spec(self, id: ServiceId) -> ServiceSpec {
        let Self { scheduler, flags, timeout, netmask, engine } = self;
        ServiceSpec { id, scheduler, flags, mask: u32::MAX, timeout, netmask, engine }
    }
}

impl SavedDestinationSettings {
    const fn of(settings: &DestinationSettings) -> Self {
        let DestinationSettings { method, weight, upper, lower, tunnel } = *settings;
        Self::new(method, weight, upper, lower, tunnel)
    }

    pub(super) const fn said(said: &DestinationSpec) -> Self {
        Self::new(said.method, said.weight, said.upper, said.lower, said.tunnel)
    }

    const fn new(method: u8, weight: i32, upper: u32, lower: u32, tunnel: Tunnel) -> Self {
        let Tunnel { kind: TunnelKind(kind), port, flags } = tunnel;
        let tunnel = if kind == 0 && port == 0 && flags == 0 { None } else { Some((kind, port, flags)) };
        Self { method, weight, upper, lower, tunnel }
    }

    pub(super) fn spec(self, address: SocketAddr) -> DestinationSpec {
        let Self { method, weight, upper, lower, tunnel } = self;
        let (kind, port, flags) = tunnel.unwrap_or_default();
        let tunnel = Tunnel { kind: TunnelKind(kind), port, flags };
        let identity = DestinationSpec::at(address);
        DestinationSpec { method, weight, upper, lower, tunnel, ..identity }
    }
}
