use super::frame::{Header, flag};
use super::writer::Writer;
use super::{FAMILY_ID, command, daemon, destination, family, service, top};
use crate::table::{Destination, ServiceId, ServiceSettings, SyncDaemon, Timeouts};
use crate::{DestinationCounters, Stats};

/// What is told of the director itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Info {
    /// IPVS's version, a byte for each part.
    pub version: u32,
    /// Size of the connection table.
    pub table_size: u32,
}

impl Info {
    /// IPVS 1.2.1, for this connection table.
    pub const fn new(table_size: u32) -> Self {
        Self { version: 0x01_02_01, table_size }
    }
}

/// One answer to a query.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The family.
    Family,
    /// An entry.
    Entry(Entry),
    /// Timeouts.
    Timeouts(Timeouts),
    /// Version and size.
    Info(Info),
}

/// One entry of a dump.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A service, without its destinations.
    Service(ServiceId, ServiceSettings, Stats),
    /// A destination.
    Destination(Destination, DestinationCounters),
    /// A sync daemon.
    Daemon(SyncDaemon),
}

impl Answer {
    /// Writes the message behind what `out` has already.
    pub fn write(&self, out: &mut Vec<u8>, request: &Header) {
        match self {
            Self::Family => family::write(out, request),
            Self::Entry(entry) => entry.write(out, request, 0),
            Self::Timeouts(timeouts) => Writer::new(out, request, FAMILY_ID, 0)
                .generic(command::SET_CONFIG, 1)
                .u32(top::TIMEOUT_TCP, timeouts.tcp)
                .u32(top::TIMEOUT_TCP_FIN, timeouts.tcp_fin)
                .u32(top::TIMEOUT_UDP, timeouts.udp)
                .finish(),
            // this message has attribute numbers of its own
            Self::Info(info) => Writer::new(out, request, FAMILY_ID, 0)
                .generic(command::SET_INFO, 1)
                .u32(1, info.version)
                .u32(2, info.table_size)
                .finish(),
        }
    }
}

impl Entry {
    /// Writes the message of a dump behind what `out` has already.
    pub fn write_of_many(&self, out: &mut Vec<u8>, request: &Header) {
        self.write(out, request, flag::MULTI);
    }

    fn write(&self, out: &mut Vec<u8>, request: &Header, flags: u16) {
        match self {
            Self::Service(id, settings, stats) => service::write(out, request, flags, id, settings, stats),
            Self::Destination(one, counters) => destination::write(out, request, flags, one, counters),
            Self::Daemon(daemon) => daemon::write(out, request, flags, daemon),
        }
    }
}
