//! Changes as lines for people: what a plan is going to do.

use std::fmt::Write;
use std::net::Ipv4Addr;

use ulvs_model::Encapsulation;

use super::{
    Change, Destination, DestinationSettings, Drain, Family, Flags, Owner, ServiceId, ServiceSettings, Table, Timeouts,
};

impl Table {
    /// A line for each change of services, destinations, timeouts and sysctls, `self` being the table before them:
    /// `+ tcp 192.0.2.100:80 real server 10.0.0.13:80 dr weight 1`.
    pub fn describe(&self, changes: &[Change]) -> Vec<String> {
        changes.iter().filter_map(|change| self.line(change)).collect()
    }

    fn line(&self, change: &Change) -> Option<String> {
        Some(match change {
            Change::ServiceAdded(id, settings, _) => format!("+ {id} {}", service(id, settings)),
            Change::ServiceRemoved(id) => format!("- {id}"),
            Change::ServiceEdited(id, settings, owner) => {
                let old = self.service(id)?;
                let to = service(id, settings);
                match (old.owner() == *owner, old.settings() == settings) {
                    (true, true) => return None,
                    (true, false) => format!("~ {id} {} -> {to}", service(id, old.settings())),
                    (false, true) => format!("~ {id} {}", taken(old.owner(), *owner)),
                    (false, false) => {
                        format!("~ {id} {} -> {to}, {}", service(id, old.settings()), taken(old.owner(), *owner))
                    }
                }
            }
            Change::DestinationAdded(id, one) => format!("+ {} {}", real_server(id, one), destination(&one.settings)),
            Change::DestinationRemoved(id, gone) | Change::DestinationForgotten(id, gone) => {
                let known = self.service(id).and_then(|service| service.destination(gone));
                let settings = known.map_or_else(String::new, |one| format!(" {}", destination(&one.settings)));
                format!("- {id} real server {}{settings}", gone.0)
            }
            Change::DestinationWithdrawn(id, one) => format!("~ {} taken out", real_server(id, one)),
            Change::DestinationRestored(id, one) => {
                format!("~ {} put back, {}", real_server(id, one), destination(&one.settings))
            }
            Change::DestinationEdited(id, one) => {
                let to = destination(&one.settings);
                let Some(old) = self.service(id).and_then(|service| service.destination(&one.id)) else {
                    return Some(format!("~ {} {to}", real_server(id, one)));
                };
                if old.settings == one.settings && old.owner == one.owner {
                    return Some(format!("~ {} {}", real_server(id, one), held(old, one)));
                }
                let mut line = format!("~ {} {} -> {to}", real_server(id, one), destination(&old.settings));
                if old.owner != one.owner {
                    let _ = write!(line, ", {}", taken(old.owner, one.owner));
                }
                line
            }
            Change::TimeoutsSet(to) => format!("~ timeouts {} -> {}", timeouts(self.timeouts()), timeouts(*to)),
            Change::SysctlSet(which, to) => format!("~ sysctl {which} {} -> {to}", self.sysctls().get(*which)),
            Change::DaemonStarted(_) | Change::DaemonStopped(_) | Change::Zeroed(_) | Change::FileFollowed(_) => {
                return None;
            }
        })
    }
}

/// What keeps a destination from its weight, or no longer does.
fn held(old: &Destination, new: &Destination) -> String {
    let weight = |one: &Destination| one.weight().map_or_else(|| "none".to_owned(), |weight| weight.to_string());
    match new.hold.drain {
        drain if drain == old.hold.drain => format!("checked, weight {} -> {}", weight(old), weight(new)),
        Drain::No => "no longer drained".to_owned(),
        Drain::Quiescent(_) => "drained".to_owned(),
        Drain::Removed => "drained and taken out".to_owned(),
    }
}

fn taken(from: Owner, to: Owner) -> String {
    format!("from {} to {}", from.name(), to.name())
}

fn timeouts(timeouts: Timeouts) -> String {
    format!("tcp {} tcp_fin {} udp {}", timeouts.tcp, timeouts.tcp_fin, timeouts.udp)
}

fn real_server(service: &ServiceId, destination: &Destination) -> String {
    format!("{service} real server {}", destination.id.0)
}

fn service(id: &ServiceId, settings: &ServiceSettings) -> String {
    let mut words = format!("scheduler {}", settings.scheduler.name());
    if settings.flags.has(Flags::PERSISTENT) {
        let _ = write!(words, " persistent {}", settings.timeout);
        match id.family() {
            Family::V4 if settings.netmask != u32::MAX => {
                let _ = write!(words, " mask {}", Ipv4Addr::from(settings.netmask.to_ne_bytes()));
            }
            Family::V6 if settings.netmask != 128 => {
                let _ = write!(words, " mask {}", settings.netmask);
            }
            Family::V4 | Family::V6 => {}
        }
    }
    if settings.flags.has(Flags::ONE_PACKET) {
        words.push_str(" one-packet");
    }
    if let Some(engine) = settings.engine {
        let _ = write!(words, " engine {}", engine.name());
    }
    let others = settings.flags.shown() & !(Flags::PERSISTENT.shown() | Flags::ONE_PACKET.shown());
    if others != 0 {
        let _ = write!(words, " flags {others:#x}");
    }
    words
}

/// A destination's settings: `dr weight 1`.
fn destination(settings: &DestinationSettings) -> String {
    let method = match settings.method {
        0 => "nat".to_owned(),
        1 => "local".to_owned(),
        2 => "tun".to_owned(),
        3 => "dr".to_owned(),
        other => format!("method {other}"),
    };
    let mut words = format!("{method} weight {}", settings.weight);
    if settings.upper != 0 {
        let _ = write!(words, " upper {} lower {}", settings.upper, settings.lower);
    }
    match settings.tunnel.encapsulation() {
        Some(Encapsulation::IpIp) => {}
        Some(known) => {
            let _ = write!(words, " {known}");
        }
        None => {
            let _ = write!(words, " tunnel {}", settings.tunnel.kind.0);
        }
    }
    words
}
