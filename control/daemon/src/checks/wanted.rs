use std::collections::HashMap;
use std::net::SocketAddr;

use ulvs_checks::Outcome;
use ulvs_ipvs::table::{Checked, Command, DestinationSpec, Owner, Service, ServiceId, Table};
use ulvs_model::Destination;

use super::guarded::checked;

/// How the table should be, as far as health checks go.
pub(crate) struct Wanted {
    services: HashMap<ServiceId, (HashMap<SocketAddr, Checked>, Option<Destination>)>,
    /// Whether services that are not here are to be let go.
    is_all: bool,
}

impl Wanted {
    pub(crate) fn new(is_all: bool) -> Self {
        Self { services: HashMap::new(), is_all }
    }

    /// A service is to be so.
    pub(crate) fn add(&mut self, service: ServiceId, outcome: Outcome, sorry_server: Option<Destination>) {
        let verdicts = outcome.verdicts.into_iter().map(|(address, verdict)| (address, checked(verdict)));
        self.services.insert(service, (verdicts.collect(), sorry_server.filter(|_| outcome.sorry)));
    }

    /// What makes the table so.
    pub(crate) fn commands(&self, table: &Table) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.is_all {
            table.services(None).for_each(|(_, service)| self.add_commands(service, &mut commands));
        } else {
            let known = self.services.keys().filter_map(|id| table.service(id));
            known.for_each(|service| self.add_commands(service, &mut commands));
        }
        commands
    }

    fn add_commands(&self, service: &Service, commands: &mut Vec<Command>) {
        let id = *service.id();
        let (verdicts, sorry) =
            self.services.get(&id).map_or((None, None), |(verdicts, sorry)| (Some(verdicts), *sorry));
        // Those that serve again before those that go: there is always somebody.
        let (mut first, mut last) = (Vec::new(), Vec::new());
        let is_sorry = |address| sorry.is_some_and(|sorry| sorry.address == address);
        for one in service.destinations() {
            if one.owner == Owner::Checks {
                if !is_sorry(one.id.0) {
                    last.push(Command::DeleteDestination(id, Ok(DestinationSpec::at(one.id.0))));
                }
                continue;
            }
            let found = verdicts.and_then(|verdicts| verdicts.get(&one.id.0)).copied().unwrap_or_default();
            if found != one.hold.checked {
                let step = Command::Check(id, one.id, found);
                if found == Checked::Removed { last.push(step) } else { first.push(step) }
            }
        }
        if let Some(sorry) = sorry
            && service.destinations().all(|one| one.id.0 != sorry.address)
        {
            let (method, weight) = (sorry.method.code(), sorry.weight.get());
            let tunnel = sorry.encapsulation.into();
            let spec = DestinationSpec { method, weight, tunnel, ..DestinationSpec::at(sorry.address) };
            first.push(Command::NewDestination(id, Ok(spec)));
        }
        commands.extend(first);
        commands.extend(last);
    }
}
