use std::collections::HashMap;
use std::net::SocketAddr;

use ulvs_model::{Destination, ForwardMethod, Service, Thresholds, Weight};

use super::place::Place;
use crate::check::{Check, ServiceChecks};
use crate::draft::{DraftChecked, DraftRealServer};
use crate::problems::{At, Problems};

/// The checks of several files, and the names of those that something is wrong with.
pub(super) fn of_all(
    files: Vec<Vec<(At<String>, Option<Check>)>>,
    texts: &[(String, String)],
    problems: &mut [Problems],
) -> (Vec<Check>, Vec<String>) {
    let (mut checks, mut broken) = (Vec::new(), Vec::new());
    let mut places: HashMap<String, Place> = HashMap::new();
    for (file, (named, problems)) in files.into_iter().zip(problems).enumerate() {
        for (name, check) in named {
            let here = Place { file, at: name.span.start };
            if let Some(first) = places.get(&name.value) {
                let (first, name_) = (first.shown(file, texts), &name.value);
                let message = format!("[check.{name_}] is there already, {first}: remove one, or give it another name");
                problems.wrong(name.span, message);
                continue;
            }
            places.insert(name.value.clone(), here);
            match check {
                Some(check) => checks.push(check),
                None => broken.push(name.value),
            }
        }
    }
    (checks, broken)
}

/// The checks by their names.
pub(super) struct Names<'a> {
    checks: &'a [Check],
    /// Those that were left out because something is wrong with them: their names are known nevertheless.
    broken: &'a [String],
}

impl<'a> Names<'a> {
    pub(super) const fn new(checks: &'a [Check], broken: &'a [String]) -> Self {
        Self { checks, broken }
    }

    /// The first of these checks that asks through the virtual address.
    pub(super) fn through_vip(&self, places: &[usize]) -> Option<&Check> {
        places.iter().filter_map(|place| self.checks.get(*place)).find(|check| check.through_vip)
    }

    /// The places of the checks that are named.
    pub(super) fn find(&self, names: Vec<At<String>>, problems: &mut Problems) -> Vec<usize> {
        let mut found = Vec::with_capacity(names.len());
        for At { value: name, span } in names {
            match self.checks.iter().position(|check| check.name == name) {
                Some(place) if found.contains(&place) => {
                    problems.wrong(span, format!("check \"{name}\" is there twice: remove one"));
                }
                Some(place) => found.push(place),
                None if self.broken.contains(&name) => {}
                None => {
                    let known: Vec<_> = self.checks.iter().map(|check| check.name.as_str()).collect();
                    let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
                    problems.doubtful(span, format!("there is no [check.{}]: {known}", name.escape_debug()));
                }
            }
        }
        found
    }
}

/// What is checked of a service; absent if nothing is.
pub(super) fn validate(
    draft: DraftChecked,
    real_servers: Vec<(SocketAddr, Vec<usize>)>,
    service: &Service,
    problems: &mut Problems,
) -> Option<ServiceChecks> {
    let real_servers: Vec<_> = real_servers.into_iter().filter(|(_, checks)| !checks.is_empty()).collect();
    let sorry_server = draft.sorry_server.and_then(|draft| sorry_server(draft, service, problems));
    if let Some(quorum) = &draft.quorum
        && draft.hysteresis >= quorum.value
    {
        let message = format!("`hysteresis` is {}: it has to be less than the quorum", draft.hysteresis);
        problems.wrong(quorum.span.clone(), message);
    }
    if real_servers.is_empty() {
        if let Some(At { span, .. }) = draft.place {
            let message =
                "without checks every real server counts as up: add `checks` to the service, or leave this out";
            problems.doubtful(span, message);
        }
        return None;
    }
    let method = |address: &SocketAddr| service.find(*address).map_or(ForwardMethod::Nat, |one| one.method);
    Some(ServiceChecks {
        service: service.key(),
        methods: real_servers.iter().map(|(address, _)| method(address)).collect(),
        real_servers,
        inhibit_on_failure: draft.inhibit_on_failure,
        quorum: draft.quorum.map_or(1, |quorum| quorum.value),
        hysteresis: draft.hysteresis,
        sorry_server,
    })
}

/// It is a destination of the service as any other, but for not being one of its real servers.
fn sorry_server(draft: DraftRealServer, service: &Service, problems: &mut Problems) -> Option<Destination> {
    let (ip, method) = (draft.ip?, draft.method?);
    let served = service.key().port();
    let address = SocketAddr::new(ip.value, draft.port.unwrap_or(served));
    if method != ForwardMethod::Nat && address.port() != served {
        problems.wrong(ip.span, super::services::only_nat_changes_ports(ip.value, served));
        return None;
    }
    let destination = Destination {
        address,
        method,
        encapsulation: super::tunnel::encapsulation(draft.tunnel, method, &ip.span, problems)?,
        weight: Weight::default(),
        thresholds: Thresholds::default(),
    };
    match service.clone().add(destination) {
        Ok(()) => Some(destination),
        Err(ulvs_model::ServiceError::DuplicateDestination(_)) => {
            problems
                .wrong(ip.span, format!("{address} is a real server of the service: its sorry server is another one"));
            None
        }
        Err(error) => {
            problems.wrong(ip.span, error.to_string());
            None
        }
    }
}
