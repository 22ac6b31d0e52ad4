use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ulvs_model::Sysctl;

use super::{Checked, DestinationId, Drain, Family, FileEntries, Owner, ServiceId, Timeouts, Tunnel};
use crate::Errno;

/// What a client wants changed, as far as its message alone can tell that it makes sense.
///
/// IPVS looks the service up before it looks at the destination, so a destination that couldn't be read is an error of
/// its own only if the service is there. This is why commands carry it as a result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Add a service.
    NewService(ServiceSpec),
    /// Edit a service.
    SetService(ServiceSpec),
    /// Remove a service.
    DeleteService(ServiceId),
    /// Add a destination.
    NewDestination(ServiceId, Result<DestinationSpec, Errno>),
    /// Edit a destination.
    SetDestination(ServiceId, Result<DestinationSpec, Errno>),
    /// Remove a destination. Only what identifies it counts.
    DeleteDestination(ServiceId, Result<DestinationSpec, Errno>),
    /// Start a sync daemon.
    NewDaemon(DaemonSpec),
    /// Stop the sync daemon with this number of a role.
    DeleteDaemon(u32),
    /// Set the timeouts that are not 0.
    SetTimeouts(Timeouts),
    /// Set one of IPVS's switches to a number in its range.
    SetSysctl(Sysctl, i32),
    /// Count from zero: a service and its destinations, or all.
    Zero(Option<ServiceId>),
    /// Remove all services.
    Flush,
    /// A service is another owner's from now on; nothing else of it changes.
    HandOver(ServiceId, Owner),
    /// Health checks have found this of a destination.
    Check(ServiceId, DestinationId, Checked),
    /// An operator wants this of a destination.
    Drain(ServiceId, DestinationId, Drain),
    /// Remember what the file says.
    FollowFile(Arc<FileEntries>),
}

/// A service as a client describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceSpec {
    /// What identifies it.
    pub id: ServiceId,
    /// A scheduler's name, or "none".
    pub scheduler: String,
    /// Flags to be set or cleared.
    pub flags: u32,
    /// Which of the flags are meant.
    pub mask: u32,
    /// Seconds of persistence.
    pub timeout: u32,
    /// As in [`ServiceSettings`](super::ServiceSettings).
    pub netmask: u32,
    /// A persistence engine's name; empty for none.
    pub engine: String,
}

/// A destination as a client describes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DestinationSpec {
    /// Its address family's number; 0 is the service's.
    pub family: u16,
    /// IPv4 in the first four bytes.
    pub address: [u8; 16],
    /// Port.
    pub port: u16,
    /// The forwarding method's number, 0 to 7.
    pub method: u8,
    /// May still be negative.
    pub weight: i32,
    /// Upper threshold.
    pub upper: u32,
    /// Lower threshold.
    pub lower: u32,
    /// The tunnel, if the method is one.
    pub tunnel: Tunnel,
}

impl DestinationSpec {
    /// Only what identifies it, as it is enough to remove one.
    pub fn at(address: SocketAddr) -> Self {
        let mut bytes = [0; 16];
        match address.ip() {
            IpAddr::V4(ip) => bytes[..4].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => bytes = ip.octets(),
        }
        Self {
            family: Family::of(address.ip()).number(),
            address: bytes,
            port: address.port(),
            method: 0,
            weight: 0,
            upper: 0,
            lower: 0,
            tunnel: Tunnel::default(),
        }
    }

    /// What identifies it, in a service of this family.
    ///
    /// # Errors
    /// EAFNOSUPPORT if its own family is none.
    pub fn id(&self, service: Family) -> Result<DestinationId, Errno> {
        let family = match self.family {
            0 => service,
            number => Family::from_number(number)?,
        };
        Ok(DestinationId((family.address(self.address), self.port).into()))
    }
}

/// A sync daemon as a client describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DaemonSpec {
    /// The number of a role.
    pub role: u32,
    /// An interface's name.
    pub interface: String,
    /// Sync id.
    pub sync_id: u32,
    /// Longest message. 0: by the interface.
    pub max_length: u16,
    /// Multicast group.
    pub group: Option<IpAddr>,
    /// UDP port. 0: the default.
    pub port: u16,
    /// Time to live. 0: the default.
    pub ttl: u8,
}

impl fmt::Display for Command {
    /// What it is about, for sentences: `to add real server 10.0.0.11:80 to tcp 192.0.2.100:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |id: &ServiceId, spec: &Result<DestinationSpec, Errno>| {
            spec.and_then(|spec| spec.id(id.family())).map_or_else(|_| "?".to_owned(), |one| one.0.to_string())
        };
        match self {
            Self::NewService(spec) => write!(f, "to add {} with scheduler \"{}\"", spec.id, spec.scheduler),
            Self::SetService(spec) => write!(f, "to edit {}", spec.id),
            Self::DeleteService(id) => write!(f, "to remove {id}"),
            Self::NewDestination(id, spec) => write!(f, "to add real server {} to {id}", named(id, spec)),
            Self::SetDestination(id, spec) => write!(f, "to edit real server {} of {id}", named(id, spec)),
            Self::DeleteDestination(id, spec) => write!(f, "to remove real server {} from {id}", named(id, spec)),
            Self::NewDaemon(spec) => write!(f, "to start a sync daemon on {}", spec.interface),
            Self::DeleteDaemon(role) => write!(f, "to stop the sync daemon of role {role}"),
            Self::SetTimeouts(_) => f.write_str("to set the timeouts"),
            Self::SetSysctl(which, number) => write!(f, "to set sysctl {which} to {number}"),
            Self::Zero(_) => f.write_str("to set counters to zero"),
            Self::Flush => f.write_str("to remove all services"),
            Self::HandOver(id, owner) => write!(f, "to leave {id} to {}", owner.name()),
            Self::Check(id, one, _) => write!(f, "to note the health of real server {} of {id}", one.0),
            Self::Drain(id, one, _) => write!(f, "to drain real server {} of {id}", one.0),
            Self::FollowFile(_) => f.write_str("to follow the file"),
        }
    }
}
