//! The other end of the protocol: asks a kernel, or a [`server`](crate::server), for its table.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::{
    self, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, UnixAddr, sockopt::ReceiveTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::codec::{Messages, Question, Reply};
use crate::table::{DestinationSpec, ServiceSpec, Timeouts};

/// How long an answer may take.
const PATIENCE: i64 = 10;
/// Longest datagram of an answer: the kernel fills pages of up to 32 KiB.
const LONGEST: usize = 64 * 1024;

/// A service with its destinations, newest first, as they are listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// The service.
    pub service: ServiceSpec,
    /// Its destinations.
    pub destinations: Vec<DestinationSpec>,
}

/// A connection to a table of IPVS.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    sequence: u32,
    /// IPVS's number, once it is known.
    family: Option<u16>,
}

impl Client {
    /// Asks the kernel.
    ///
    /// # Errors
    /// If there is no netlink.
    pub fn kernel() -> io::Result<Self> {
        let kind = (AddressFamily::Netlink, SockType::Raw, SockProtocol::NetlinkGeneric);
        let socket = socket::socket(kind.0, kind.1, SockFlag::SOCK_CLOEXEC, kind.2)?;
        socket::connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Self::over(socket)
    }

    /// Asks whoever serves this socket.
    ///
    /// # Errors
    /// If nobody does.
    pub fn socket(path: &Path) -> io::Result<Self> {
        let socket = socket::socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
        socket::connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        Self::over(socket)
    }

    fn over(socket: OwnedFd) -> io::Result<Self> {
        socket::setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(PATIENCE))?;
        Ok(Self { socket, sequence: 0, family: None })
    }

    /// All services with their destinations.
    ///
    /// # Errors
    /// What the other end answers; not found: it has no IPVS.
    pub fn services(&mut self) -> io::Result<Vec<Listed>> {
        let family = self.family()?;
        let mut listed = Vec::new();
        self.ask(family, &Question::Services, |reply| {
            if let Reply::Service(service) = reply {
                listed.push(Listed { service, destinations: Vec::new() });
            }
        })?;
        for one in &mut listed {
            self.ask(family, &Question::Destinations(one.service.id), |reply| {
                if let Reply::Destination(destination) = reply {
                    one.destinations.push(destination);
                }
            })?;
        }
        Ok(listed)
    }

    /// The timeouts.
    ///
    /// # Errors
    /// As of [`services`](Self::services).
    pub fn timeouts(&mut self) -> io::Result<Timeouts> {
        let family = self.family()?;
        let mut found = None;
        self.ask(family, &Question::Timeouts, |reply| {
            if let Reply::Timeouts(timeouts) = reply {
                found = Some(timeouts);
            }
        })?;
        found.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// How many sync daemons run.
    ///
    /// # Errors
    /// As of [`services`](Self::services).
    pub fn daemons(&mut self) -> io::Result<usize> {
        let family = self.family()?;
        let mut found = 0;
        self.ask(family, &Question::Daemons, |reply| found += usize::from(reply == Reply::Daemon))?;
        Ok(found)
    }

    /// IPVS's number at the other end.
    fn family(&mut self) -> io::Result<u16> {
        if let Some(family) = self.family {
            return Ok(family);
        }
        let mut found = None;
        self.ask(0, &Question::Resolve, |reply| {
            if let Reply::Family(number) = reply {
                found = Some(number);
            }
        })?;
        self.family = found;
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn ask(&mut self, family: u16, question: &Question, mut take: impl FnMut(Reply)) -> io::Result<()> {
        self.sequence += 1;
        socket::send(self.socket.as_raw_fd(), &question.bytes(family, self.sequence), MsgFlags::MSG_NOSIGNAL)?;
        let mut datagram = vec![0; LONGEST];
        loop {
            let length = socket::recv(self.socket.as_raw_fd(), &mut datagram, MsgFlags::empty())?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            for message in Messages::new(datagram.get(..length).unwrap_or_default()) {
                if message.header.sequence != self.sequence {
                    continue;
                }
                match Reply::parse(&message) {
                    Reply::End(0) => return Ok(()),
                    Reply::End(errno) => return Err(io::Error::from_raw_os_error(errno)),
                    reply => take(reply),
                }
            }
        }
    }
}
