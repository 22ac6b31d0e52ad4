use super::attribute::{Attribute, Attributes};
use super::family::{self, CONTROLLER, FAMILY_ID, GET_FAMILY};
use super::{Message, command, daemon, destination, service, top};
use crate::table::{Command, ServiceId, Timeouts};
use crate::{Access, Errno};

/// What a message asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// What number the family has.
    Resolve,
    /// The family's number, in a list of all families.
    ResolveAll,
    /// One thing to be told.
    Query(Query),
    /// All things of a kind to be told.
    Dump(Dump),
    /// Something to be changed.
    Change(Command),
}

/// One thing that can be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Query {
    /// A service.
    Service(ServiceId),
    /// The timeouts.
    Timeouts,
    /// Version and size.
    Info,
}

/// A kind of things that can be listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dump {
    /// All services.
    Services,
    /// The destinations of a service. A service that can't be read or isn't there has none: that is no error.
    Destinations(Option<ServiceId>),
    /// The sync daemons.
    Daemons,
}

impl Request {
    /// What a message asks for, by the kernel's rules for it.
    ///
    /// Whether the client may is asked when the command is known and before anything else of it is looked at.
    ///
    /// # Errors
    /// The number to be answered.
    pub fn parse(message: &Message<'_>, access: Access) -> Result<Self, Errno> {
        let kind = message.header.kind;
        if kind != CONTROLLER && kind != FAMILY_ID {
            return Err(Errno::NoEntry);
        }
        let (generic, attributes) = message.payload().split_first_chunk::<4>().ok_or(Errno::Invalid)?;
        let [number, ..] = *generic;
        let dump = message.header.is_dump();
        if kind == CONTROLLER {
            return resolve(number, dump, Attributes::new(attributes));
        }
        if !family::is_command(number) {
            return Err(Errno::NotSupported);
        }
        if access < family::needs(number) {
            return Err(Errno::NotPermitted);
        }
        if !family::can(number, dump) {
            return Err(Errno::NotSupported);
        }
        let top = Top::parse(attributes);
        match (number, dump) {
            (command::GET_SERVICE, true) => Ok(Self::Dump(Dump::Services)),
            (command::GET_DEST, _) => Ok(Self::Dump(Dump::Destinations(service::parse_id(top.service).ok()))),
            (command::GET_DAEMON, _) => Ok(Self::Dump(Dump::Daemons)),
            (command::GET_SERVICE, false) => Ok(Self::Query(Query::Service(service::parse_id(top.service)?))),
            (command::GET_CONFIG, _) => Ok(Self::Query(Query::Timeouts)),
            (command::GET_INFO, _) => Ok(Self::Query(Query::Info)),
            (number, _) => top.command(number).map(Self::Change),
        }
    }
}

fn resolve(number: u8, dump: bool, attributes: Attributes<'_>) -> Result<Request, Errno> {
    match (number, dump) {
        (GET_FAMILY, true) => Ok(Request::ResolveAll),
        (GET_FAMILY, false) => family::names_ipvs(attributes).map(|()| Request::Resolve),
        _ => Err(Errno::NotSupported),
    }
}

/// The attributes beside a command, each as it was sent last.
#[derive(Default)]
struct Top<'a> {
    service: Option<Attribute<'a>>,
    destination: Option<Attribute<'a>>,
    daemon: Option<Attribute<'a>>,
    timeouts: [Option<Attribute<'a>>; 3],
}

impl<'a> Top<'a> {
    fn parse(attributes: &'a [u8]) -> Self {
        let mut top = Self::default();
        for attribute in Attributes::new(attributes) {
            let place = match attribute.kind {
                top::SERVICE => &mut top.service,
                top::DESTINATION => &mut top.destination,
                top::DAEMON => &mut top.daemon,
                top::TIMEOUT_TCP => &mut top.timeouts[0],
                top::TIMEOUT_TCP_FIN => &mut top.timeouts[1],
                top::TIMEOUT_UDP => &mut top.timeouts[2],
                _ => continue,
            };
            *place = Some(attribute);
        }
        top
    }

    fn command(&self, number: u8) -> Result<Command, Errno> {
        let id = || service::parse_id(self.service);
        Ok(match number {
            command::NEW_SERVICE => Command::NewService(service::parse(self.service)?),
            command::SET_SERVICE => Command::SetService(service::parse(self.service)?),
            command::DEL_SERVICE => Command::DeleteService(id()?),
            command::NEW_DEST => Command::NewDestination(id()?, destination::parse(self.destination, true)),
            command::SET_DEST => Command::SetDestination(id()?, destination::parse(self.destination, true)),
            command::DEL_DEST => Command::DeleteDestination(id()?, destination::parse(self.destination, false)),
            command::NEW_DAEMON => Command::NewDaemon(daemon::parse(self.daemon)?),
            command::DEL_DAEMON => Command::DeleteDaemon(daemon::parse_role(self.daemon)?),
            command::SET_CONFIG => Command::SetTimeouts(self.wanted_timeouts()?),
            command::ZERO if self.service.is_none() => Command::Zero(None),
            command::ZERO => Command::Zero(Some(id()?)),
            command::FLUSH => Command::Flush,
            _ => return Err(Errno::NotSupported),
        })
    }

    fn wanted_timeouts(&self) -> Result<Timeouts, Errno> {
        let seconds = |attribute: Option<Attribute<'_>>| attribute.map_or(Ok(0), |attribute| attribute.u32());
        let [tcp, tcp_fin, udp] = self.timeouts;
        Ok(Timeouts { tcp: seconds(tcp)?, tcp_fin: seconds(tcp_fin)?, udp: seconds(udp)? })
    }
}
