//! Questions and replies as a client has them.

use super::attribute::Attributes;
use super::family::{CONTROLLER, FAMILY_NAME, GET_FAMILY};
use super::frame::{Header, flag};
use super::writer::Writer;
use super::{Message, command, destination, service, top};
use crate::table::{DestinationSpec, ServiceId, ServiceSpec, Timeouts};

const ERROR: u16 = 2;
const DONE: u16 = 3;
const FAMILY_ID: u16 = 1;
const NAME: u16 = 2;

/// What a client asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Question {
    /// Which number IPVS has.
    Resolve,
    /// All services.
    Services,
    /// All destinations of a service.
    Destinations(ServiceId),
    /// The timeouts.
    Timeouts,
    /// The sync daemons that run.
    Daemons,
}

/// One message of the answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// IPVS's number.
    Family(u16),
    /// A service.
    Service(ServiceSpec),
    /// A destination.
    Destination(DestinationSpec),
    /// The timeouts.
    Timeouts(Timeouts),
    /// A sync daemon.
    Daemon,
    /// The answer is complete, with an error's number or 0.
    End(i32),
    /// Something else.
    Other,
}

impl Question {
    /// The datagram that asks.
    pub fn bytes(&self, family: u16, sequence: u32) -> Vec<u8> {
        let header = Header { length: 0, kind: 0, flags: 0, sequence, port: 0 };
        let mut out = Vec::new();
        let dump = flag::REQUEST | flag::DUMP;
        match self {
            Self::Resolve => Writer::new(&mut out, &header, CONTROLLER, flag::REQUEST | flag::ACK)
                .generic(GET_FAMILY, 1)
                .text(NAME, FAMILY_NAME)
                .finish(),
            Self::Services => Writer::new(&mut out, &header, family, dump).generic(command::GET_SERVICE, 1).finish(),
            Self::Destinations(id) => Writer::new(&mut out, &header, family, dump)
                .generic(command::GET_DEST, 1)
                .nest(top::SERVICE, |nest| service::write_id(nest, id))
                .finish(),
            Self::Timeouts => Writer::new(&mut out, &header, family, flag::REQUEST | flag::ACK)
                .generic(command::GET_CONFIG, 1)
                .finish(),
            Self::Daemons => Writer::new(&mut out, &header, family, dump).generic(command::GET_DAEMON, 1).finish(),
        }
        out
    }
}

impl Reply {
    /// What a message says.
    pub fn parse(message: &Message<'_>) -> Self {
        let payload = message.payload();
        match message.header.kind {
            DONE => return Self::End(0),
            ERROR => {
                let code = payload.first_chunk().map_or(-5, |code| i32::from_ne_bytes(*code));
                return Self::End(code.saturating_neg());
            }
            _ => {}
        }
        let Some((generic, attributes)) = payload.split_first_chunk::<4>() else { return Self::Other };
        let mut attributes = Attributes::new(attributes);
        let [number, ..] = *generic;
        if message.header.kind == CONTROLLER {
            let id = attributes.find(|one| one.kind == FAMILY_ID).and_then(|one| one.u16().ok());
            return id.map_or(Self::Other, Self::Family);
        }
        match number {
            command::NEW_SERVICE => {
                let attribute = attributes.find(|one| one.kind == top::SERVICE);
                service::parse(attribute).map_or(Self::Other, Self::Service)
            }
            command::NEW_DEST => {
                let attribute = attributes.find(|one| one.kind == top::DESTINATION);
                destination::parse(attribute, true).map_or(Self::Other, Self::Destination)
            }
            command::SET_CONFIG => timeouts(attributes).map_or(Self::Other, Self::Timeouts),
            command::NEW_DAEMON => Self::Daemon,
            _ => Self::Other,
        }
    }
}

fn timeouts(attributes: Attributes<'_>) -> Option<Timeouts> {
    let mut seconds = [None; 3];
    for one in attributes {
        if let top::TIMEOUT_TCP..=top::TIMEOUT_UDP = one.kind {
            seconds[usize::from(one.kind - top::TIMEOUT_TCP)] = one.u32().ok();
        }
    }
    let [tcp, tcp_fin, udp] = seconds;
    Some(Timeouts { tcp: tcp?, tcp_fin: tcp_fin?, udp: udp? })
}
