use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;

use ulvs_model::{Destination, Service, ServiceError, ServiceKey, ServiceSet, ServiceSettings};

/// What turns one set of services into another, in the order to do it.
///
/// The order of a service's real servers is not a difference: those that stay keep their places, new ones come last, as
/// with ipvsadm. So a file whose lines were moved about changes nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    steps: Vec<Step>,
}

/// One change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// A service goes, with its real servers.
    RemoveService(ServiceKey),
    /// A service comes, without real servers yet.
    AddService(ServiceKey, ServiceSettings),
    /// A service gets other settings.
    EditService {
        /// The service.
        service: ServiceKey,
        /// Its settings so far.
        from: ServiceSettings,
        /// Its settings from now on.
        to: ServiceSettings,
    },
    /// A service loses a real server.
    Remove(ServiceKey, Destination),
    /// A service gets a real server.
    Add(ServiceKey, Destination),
    /// A real server of a service gets another method or weight.
    Edit {
        /// The service.
        service: ServiceKey,
        /// The real server so far.
        from: Destination,
        /// The real server from now on, at the same address.
        to: Destination,
    },
}

/// Why a step doesn't fit the set it is applied to.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Conflict {
    /// The service to add is there.
    #[error("service {0} is there already")]
    ServiceExists(ServiceKey),
    /// The service to change or remove is not there.
    #[error("there is no service {0}")]
    NoService(ServiceKey),
    /// The real server doesn't fit.
    #[error("service {0}: {1}")]
    Destination(ServiceKey, #[source] ServiceError),
}

impl Plan {
    /// What turns `old` into `new`.
    pub fn between(old: &ServiceSet, new: &ServiceSet) -> Self {
        let mut steps = Vec::new();
        let gone = old.iter().map(Service::key).filter(|key| new.get(key).is_none());
        steps.extend(gone.map(Step::RemoveService));
        for service in new.iter() {
            match old.get(&service.key()) {
                None => {
                    let key = service.key();
                    steps.push(Step::AddService(key, service.settings()));
                    steps.extend(service.destinations().iter().map(|&added| Step::Add(key, added)));
                }
                Some(before) if before == service => {}
                Some(before) => change(before, service, &mut steps),
            }
        }
        Self { steps }
    }

    /// The changes, in the order to do them.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Does every step to `set`.
    ///
    /// # Errors
    /// If a step doesn't fit, because `set` is not the one the plan starts from; the steps before it are done then.
    pub fn apply(&self, set: &mut ServiceSet) -> Result<(), Conflict> {
        self.steps.iter().try_for_each(|step| step.apply(set))
    }
}

/// What turns a service into another with the same key. Removals come first, so that there is room for what is added.
fn change(old: &Service, new: &Service, steps: &mut Vec<Step>) {
    let service = new.key();
    if old.settings() != new.settings() {
        steps.push(Step::EditService { service, from: old.settings(), to: new.settings() });
    }
    let stay: HashMap<SocketAddr, &Destination> = new.destinations().iter().map(|d| (d.address, d)).collect();
    let were: HashMap<SocketAddr, &Destination> = old.destinations().iter().map(|d| (d.address, d)).collect();
    let gone = old.destinations().iter().filter(|d| !stay.contains_key(&d.address));
    steps.extend(gone.map(|&gone| Step::Remove(service, gone)));
    for &to in new.destinations() {
        match were.get(&to.address) {
            None => steps.push(Step::Add(service, to)),
            Some(&&from) if from != to => steps.push(Step::Edit { service, from, to }),
            Some(_) => {}
        }
    }
}

impl Step {
    /// The service it is about.
    pub const fn service(&self) -> ServiceKey {
        match *self {
            Self::RemoveService(service)
            | Self::AddService(service, _)
            | Self::EditService { service, .. }
            | Self::Remove(service, _)
            | Self::Add(service, _)
            | Self::Edit { service, .. } => service,
        }
    }

    /// Does this step to `set`.
    ///
    /// # Errors
    /// If it doesn't fit; `set` is unchanged then.
    pub fn apply(&self, set: &mut ServiceSet) -> Result<(), Conflict> {
        let key = self.service();
        let refused = |error| Conflict::Destination(key, error);
        match *self {
            Self::AddService(_, settings) => {
                let service = Service::new(key, settings).map_err(refused)?;
                return set.add(service).map_err(|_| Conflict::ServiceExists(key));
            }
            Self::RemoveService(_) => return set.remove(&key).map(drop).ok_or(Conflict::NoService(key)),
            _ => {}
        }
        let service = set.get_mut(&key).ok_or(Conflict::NoService(key))?;
        match *self {
            Self::AddService(..) | Self::RemoveService(_) => Ok(()),
            Self::EditService { to, .. } => {
                service.set(to);
                Ok(())
            }
            Self::Add(_, added) => service.add(added).map_err(refused),
            Self::Remove(_, gone) => service.remove(gone.address).map(drop).map_err(refused),
            Self::Edit { to, .. } => service.edit(to).map_err(refused),
        }
    }
}

impl fmt::Display for Plan {
    /// One line for each step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    /// `+ tcp 192.0.2.100:80 real server 10.0.0.13:80 dr weight 1`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoveService(service) => write!(f, "- {service}"),
            Self::AddService(service, settings) => write!(f, "+ {service} {settings}"),
            Self::EditService { service, from, to } => write!(f, "~ {service} {from} -> {to}"),
            Self::Remove(service, d) => {
                write!(f, "- {service} real server {} {} weight {}", d.address, d.method, d.weight)
            }
            Self::Add(service, d) => {
                write!(f, "+ {service} real server {} {} weight {}", d.address, d.method, d.weight)
            }
            Self::Edit { service, from, to } => write!(
                f,
                "~ {service} real server {} {} weight {} -> {} weight {}",
                to.address, from.method, from.weight, to.method, to.weight
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulvs_model::{ForwardMethod, Protocol, SchedulerKind, Weight};

    fn service(address: &str, scheduler: SchedulerKind, destinations: &[(&str, ForwardMethod, i64)]) -> Service {
        let key = ServiceKey::new(Protocol::Tcp, address.parse().unwrap());
        let mut service = Service::new(key, scheduler).unwrap();
        for &(address, method, weight) in destinations {
            let (address, weight) = (address.parse().unwrap(), Weight::new(weight).unwrap());
            service.add(Destination { address, method, weight }).unwrap();
        }
        service
    }

    fn set(services: impl IntoIterator<Item = Service>) -> ServiceSet {
        let mut set = ServiceSet::new();
        services.into_iter().for_each(|service| set.add(service).unwrap());
        set
    }

    #[test]
    fn a_plan_reads_as_what_changes() {
        use ForwardMethod::{Dr, Nat};
        use SchedulerKind::{Rr, Wlc};
        let old = set([
            service("192.0.2.99:80", Rr, &[("10.0.0.9:80", Dr, 1)]),
            service(
                "192.0.2.100:80",
                Wlc,
                &[("10.0.0.11:80", Dr, 1), ("10.0.0.12:8080", Nat, 1), ("10.0.0.14:80", Dr, 1)],
            ),
        ]);
        let new = set([
            service("192.0.2.100:80", Rr, &[("10.0.0.14:80", Dr, 1), ("10.0.0.11:80", Dr, 0), ("10.0.0.13:80", Dr, 1)]),
            service("[2001:db8::1]:80", Wlc, &[("[2001:db8::11]:80", Dr, 3)]),
        ]);
        assert_eq!(
            Plan::between(&old, &new).to_string(),
            "- tcp 192.0.2.99:80\n\
             ~ tcp 192.0.2.100:80 scheduler wlc -> scheduler rr\n\
             - tcp 192.0.2.100:80 real server 10.0.0.12:8080 nat weight 1\n\
             ~ tcp 192.0.2.100:80 real server 10.0.0.11:80 dr weight 1 -> dr weight 0\n\
             + tcp 192.0.2.100:80 real server 10.0.0.13:80 dr weight 1\n\
             + tcp [2001:db8::1]:80 scheduler wlc\n\
             + tcp [2001:db8::1]:80 real server [2001:db8::11]:80 dr weight 3\n"
        );
    }

    #[test]
    fn a_plan_for_another_set_is_a_conflict() {
        let new = set([service("192.0.2.100:80", SchedulerKind::Rr, &[])]);
        let key = new.iter().map(Service::key).next().unwrap();
        let plan = Plan::between(&ServiceSet::new(), &new);
        assert_eq!(plan.apply(&mut new.clone()), Err(Conflict::ServiceExists(key)));
        let plan = Plan::between(&new, &ServiceSet::new());
        assert_eq!(plan.apply(&mut ServiceSet::new()), Err(Conflict::NoService(key)));
    }
}
