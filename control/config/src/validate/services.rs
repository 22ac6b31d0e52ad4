use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use ulvs_model::{
    Destination, Family, ForwardMethod, Netmask, Persistence, PersistenceEngine, Protocol, SchedulerFlags,
    SchedulerKind, Service, ServiceKey, ServiceSet, ServiceSettings, Thresholds,
};

use super::checks::{self, Names};
use super::place::Place;
use super::tunnel;
use crate::draft::{DraftNetmask, DraftRealServer, DraftService};
use crate::problems::{At, Problems};
use crate::{Destinations, ServiceChecks, SourceLimit};

/// The services of several files, what of them is checked, and how many connections sources may begin where a service says
/// that. One that lacks something is left out; that was reported.
pub(super) fn validate(
    drafts: Vec<Vec<DraftService>>,
    texts: &[(String, String)],
    limit: &Destinations,
    names: &Names<'_>,
    problems: &mut [Problems],
) -> (ServiceSet, Vec<ServiceChecks>, Vec<(ServiceKey, SourceLimit)>) {
    let mut services = Services {
        limit,
        room: limit.capacity as usize,
        set: ServiceSet::new(),
        names,
        checked: Vec::new(),
        limited: Vec::new(),
        texts,
        places: HashMap::new(),
    };
    for (file, (drafts, problems)) in drafts.into_iter().zip(problems).enumerate() {
        for draft in drafts {
            services.add(draft, file, problems);
        }
    }
    (services.set, services.checked, services.limited)
}

/// The services so far.
struct Services<'a> {
    limit: &'a Destinations,
    room: usize,
    set: ServiceSet,
    names: &'a Names<'a>,
    checked: Vec<ServiceChecks>,
    limited: Vec<(ServiceKey, SourceLimit)>,
    texts: &'a [(String, String)],
    places: HashMap<ServiceKey, Place>,
}

impl Services<'_> {
    fn add(&mut self, draft: DraftService, file: usize, problems: &mut Problems) {
        let limit = self.limit;
        let Some(At { value: key, span }) = draft.key else { return };
        let scheduler_flags = flags(draft.scheduler, draft.flags, problems);
        let timeout = (draft.persistence, draft.has_persistence);
        let persistence = persistence(timeout, draft.netmask.as_ref(), key.family() == Family::V6, problems);
        let written = (draft.persistence_engine.as_ref(), draft.has_persistence);
        let persistence = with_engine(persistence, written, key, problems);
        if key.mark().is_none() && key.port() == 0 && persistence.is_none() {
            let message =
                "port 0 stands for all ports, which takes `persistence`: write it, or the port that is served";
            if !draft.has_persistence {
                problems.wrong(span, message);
            }
            return;
        }
        self.limited.extend(draft.source_limit.map(|limit| (key, limit)));
        let one_packet = one_packet(draft.one_packet, key, problems);
        let settings = ServiceSettings { scheduler: draft.scheduler, scheduler_flags, persistence, one_packet };
        let mut service = match Service::new(key, settings) {
            Ok(service) => service,
            Err(error) => return problems.wrong(span, error.to_string()),
        };
        let mut draft_checked = draft.checked;
        if !draft_checked.checks.is_empty() || draft.real_servers.iter().any(|one| one.checks.is_some()) {
            draft_checked.place = None;
        }
        let common = self.names.find(std::mem::take(&mut draft_checked.checks), problems);
        let mut real_servers = Vec::with_capacity(draft.real_servers.len());
        for mut real_server in draft.real_servers {
            let own = real_server.checks.take().map(|own| self.names.find(own, problems));
            let (method, place) = (real_server.method, real_server.ip.as_ref().map(|ip| ip.span.clone()));
            if let Some(address) = add(real_server, &mut service, problems) {
                let checks = own.unwrap_or_else(|| common.clone());
                if (method == Some(ForwardMethod::Nat) || key.vip().is_none())
                    && let Some(check) = self.names.through_vip(&checks)
                    && let Some(place) = place
                {
                    problems.doubtful(place, without_vip(&check.name, key));
                }
                real_servers.push((address, checks));
            }
        }
        self.checked.extend(checks::validate(draft_checked, real_servers, &service, problems));
        if service.destinations().len() > self.room {
            let message = format!(
                "there are more than {} real servers up to this service: raise `capacity` of [destinations]",
                limit.capacity
            );
            problems.wrong(span.clone(), message);
        }
        self.room = self.room.saturating_sub(service.destinations().len());
        if self.set.add(service).is_ok() {
            self.places.insert(key, Place { file, at: span.start });
        } else {
            let first = self.places.get(&key).map_or_else(|| "above".to_owned(), |first| first.shown(file, self.texts));
            let message = format!("service {key} is there already, {first}: remove one, or join their real servers");
            problems.wrong(span, message);
        }
    }
}

/// It is of UDP, and of marks for what of their packets is UDP.
fn one_packet(draft: Option<At<bool>>, key: ServiceKey, problems: &mut Problems) -> bool {
    let Some(At { value, span }) = draft else { return false };
    if let (true, Some(protocol)) = (value, key.protocol())
        && protocol != Protocol::Udp
    {
        problems.wrong(span, format!("`one_packet` is for UDP: {protocol} has connections, so leave it out"));
    }
    value
}

/// What `persistence_engine` adds.
fn with_engine(
    persistence: Option<Persistence>,
    (engine, has_persistence): (Option<&At<PersistenceEngine>>, bool),
    key: ServiceKey,
    problems: &mut Problems,
) -> Option<Persistence> {
    let Some(At { value: engine, span }) = engine else { return persistence };
    if !has_persistence {
        problems.wrong(span.clone(), "`persistence_engine` is of clients that are remembered: write `persistence`");
    }
    if key.protocol().is_some_and(|protocol| protocol != Protocol::Udp) {
        problems.wrong(span.clone(), "`persistence_engine`: SIP is known by UDP only, so leave it out");
    }
    persistence.map(|persistence| Persistence { engine: Some(*engine), ..persistence })
}

/// What `persistence`, and whether it is written, and `netmask` say together.
fn persistence(
    (timeout, is_written): (Option<u32>, bool),
    netmask: Option<&At<DraftNetmask>>,
    is_v6: bool,
    problems: &mut Problems,
) -> Option<Persistence> {
    let every_address = if is_v6 { Netmask::HOST_V6 } else { Netmask::HOST_V4 };
    let netmask = match netmask {
        None => every_address,
        Some(written) => {
            if !is_written {
                problems
                    .wrong(written.span.clone(), "`netmask` is of clients that are remembered: write `persistence`");
            }
            let read = match written.value {
                DraftNetmask::Mask(mask) => (!is_v6).then_some(Netmask::V4(mask)),
                DraftNetmask::Length(length) => Netmask::of_length(length, is_v6),
            };
            read.unwrap_or_else(|| {
                let right = if is_v6 { "a number from 1 to 128" } else { "a mask, or a number from 0 to 32" };
                let family = if is_v6 { "IPv6" } else { "IPv4" };
                problems
                    .wrong(written.span.clone(), format!("`netmask`: expected {right}, as clients are of {family}"));
                every_address
            })
        }
    };
    timeout.map(|timeout| Persistence { timeout, netmask, engine: None })
}

/// Its address, if it could be added.
fn add(draft: DraftRealServer, service: &mut Service, problems: &mut Problems) -> Option<SocketAddr> {
    let (ip, method) = (draft.ip?, draft.method?);
    let served = service.key().port();
    let port = draft.port.unwrap_or(served);
    if method != ForwardMethod::Nat && port != served {
        problems.wrong(ip.span, only_nat_changes_ports(ip.value, served));
        return None;
    }
    if port == 0 && served != 0 {
        let message = format!("a real server has no port 0: leave the port out, as clients' port {served} is it then");
        problems.wrong(ip.span, message);
        return None;
    }
    let encapsulation = tunnel::encapsulation(draft.tunnel, method, &ip.span, problems);
    let thresholds = thresholds(draft.upper_threshold, draft.lower_threshold, problems);
    let destination = Destination {
        address: SocketAddr::new(ip.value, port),
        method,
        encapsulation: encapsulation?,
        weight: draft.weight,
        thresholds,
    };
    if let Err(error) = service.add(destination) {
        problems.wrong(ip.span, error.to_string());
        return None;
    }
    Some(destination.address)
}

fn without_vip(check: &str, key: ServiceKey) -> String {
    let who = if key.vip().is_none() { "services by firewall mark" } else { "real servers of method \"nat\"" };
    format!(
        "check \"{check}\" asks through the virtual address, which {who} do not have: name another check in `checks` of this \
         real server"
    )
}

pub(super) fn only_nat_changes_ports(ip: IpAddr, served: u16) -> String {
    format!("only \"nat\" changes ports: leave the port out, or write {}", SocketAddr::new(ip, served))
}

/// The scheduler's flags of these names.
fn flags(scheduler: SchedulerKind, names: Vec<At<String>>, problems: &mut Problems) -> SchedulerFlags {
    let mut flags = SchedulerFlags::default();
    for name in names {
        match (SchedulerFlags::named(scheduler, &name.value), SchedulerFlags::names(scheduler)) {
            (Some(flag), _) => flags = flags.and(flag),
            (None, Some([fallback, port])) => {
                let message = format!(
                    "`flags`: scheduler {scheduler} has no \"{}\": use {fallback}, {port}",
                    name.value.escape_debug()
                );
                problems.wrong(name.span, message);
            }
            (None, None) => {
                let message =
                    format!("`flags`: scheduler {scheduler} has none: leave them out, or use scheduler sh or mh");
                problems.wrong(name.span, message);
            }
        }
    }
    flags
}

fn thresholds(upper: u32, lower: Option<At<u32>>, problems: &mut Problems) -> Thresholds {
    let given = lower.as_ref().map_or(0, |lower| lower.value);
    let thresholds = Thresholds::new(upper, given);
    if let (None, Some(lower)) = (thresholds, lower) {
        let message = format!("`lower_threshold`: {given} is above `upper_threshold`, which is {upper}");
        problems.wrong(lower.span, message);
    }
    thresholds.unwrap_or_default()
}
