//! Services that other programs keep, as a drop-in of the director's file: moving to ulvs in one command.
//!
//! A source (`ipvsadm -S`'s text, keepalived.conf, the kernel's table) is read into [`Imported`]: services, and a remark with its
//! line for everything that was not understood or that the director's file has no key for. Nothing is left out silently, and
//! nothing that would be forwarded otherwise than before is switched on: it is written, but commented out.

mod drop_in;
mod flags;
pub mod ipvsadm;
pub mod keepalived;
pub mod kernel;
mod tunnel;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

pub use drop_in::drop_in;
use ulvs_model::{Encapsulation, ForwardMethod};

/// What was read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Imported {
    /// The services, in the order of the source.
    pub services: Vec<Service>,
    /// The checks that real servers name.
    pub checks: Vec<Check>,
    /// What could not be read or has no place in the director's file.
    pub remarks: Vec<Remark>,
}

impl Imported {
    /// The services without their checks: somebody else goes on to run them.
    pub fn drop_checks(&mut self) {
        self.checks.clear();
        for service in &mut self.services {
            service.guard = Guard::default();
            service.real_servers.iter_mut().for_each(|one| one.checks.clear());
        }
    }

    fn remark(&mut self, line: usize, text: impl Into<String>) {
        self.remarks.push(Remark { line, text: text.into() });
    }
}

/// Something of the source that is not in the drop-in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remark {
    /// Its line, from 1; 0 where the source has no lines.
    pub line: usize,
    /// What it is, and what becomes of it.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.text),
            line => write!(f, "line {line}: {}", self.text),
        }
    }
}

/// What tells a service from others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Id {
    /// By protocol, address and port.
    Address {
        /// `tcp`, `udp`, `sctp`, or a number.
        protocol: String,
        /// Virtual address and port.
        address: SocketAddr,
    },
    /// By firewall mark.
    Mark {
        /// The mark.
        mark: u32,
        /// Whether it is of IPv6 packets.
        is_v6: bool,
    },
}

impl Id {
    /// Whether its packets are of IPv6.
    const fn is_v6(&self) -> bool {
        match self {
            Self::Address { address, .. } => address.is_ipv6(),
            Self::Mark { is_v6, .. } => *is_v6,
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address } => write!(f, "{protocol} {address}"),
            Self::Mark { mark, is_v6 } => write!(f, "fwmark {mark}{}", if *is_v6 { " (IPv6)" } else { "" }),
        }
    }
}

/// A service as a source describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Where it begins.
    pub line: usize,
    /// What it is.
    pub id: Id,
    /// The scheduler's name.
    pub scheduler: String,
    /// The scheduler's flags, by their own names or by IPVS's (`flag-1`).
    pub flags: Vec<String>,
    /// Whether and how clients are remembered.
    pub persistence: Persistence,
    /// Whether each datagram is scheduled by itself.
    pub one_packet: bool,
    /// What the director's file has no key for, in words: `tunnel type gue`.
    pub lacking: Vec<String>,
    /// In the order of the source.
    pub real_servers: Vec<RealServer>,
    /// What follows from checks.
    pub guard: Guard,
}

/// What follows from the checks of a service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Guard {
    /// The least weight that has to be up; absent: 1.
    pub quorum: Option<u32>,
    /// How much above and below it makes a difference.
    pub hysteresis: u32,
    /// Whether what is down keeps its connections, with weight 0.
    pub inhibit_on_failure: bool,
    /// Who serves while there is no quorum, and how it is reached; port 0 is the service's.
    pub sorry_server: Option<(SocketAddr, Way)>,
}

/// A check that real servers name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// Its name in the drop-in.
    pub name: String,
    /// Its keys in the drop-in, a line each.
    pub keys: String,
}

impl Check {
    /// Its table of the drop-in.
    fn written(&self) -> String {
        format!("[check.{}]\n{}", self.name, self.keys)
    }
}

/// How long, and by which bits of their addresses, clients are remembered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Persistence {
    /// Seconds; absent: they are not.
    pub seconds: Option<u32>,
    /// Absent: each for itself.
    pub netmask: Option<Netmask>,
    /// Whether calls of SIP are told apart.
    pub by_call: bool,
}

/// Which bits of a client's address count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Netmask {
    /// IPv4.
    V4(Ipv4Addr),
    /// IPv6: the prefix's length.
    V6(u8),
}

impl FromStr for Netmask {
    type Err = String;

    /// `255.255.255.0`, or `64`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let v6 = || text.parse().ok().filter(|length| (1..=128).contains(length)).map(Self::V6);
        let read = text.parse().ok().map(Self::V4).or_else(v6);
        read.ok_or_else(|| format!("{text} is no netmask (255.255.255.0, or for IPv6 the length of a prefix)"))
    }
}

/// How a real server is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Way {
    /// The forwarding method.
    pub method: ForwardMethod,
    /// What packets travel in, if the method is a tunnel.
    pub tunnel: Encapsulation,
}

impl From<ForwardMethod> for Way {
    fn from(method: ForwardMethod) -> Self {
        Self { method, tunnel: Encapsulation::default() }
    }
}

/// A real server as a source describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RealServer {
    /// Address and port; port 0 is the service's.
    pub address: SocketAddr,
    /// How it is reached.
    pub way: Way,
    /// Share of new connections.
    pub weight: u32,
    /// Connections from which on it gets no new ones; 0: none.
    pub upper: u32,
    /// Connections below which it gets new ones again; 0: three quarters of `upper`.
    pub lower: u32,
    /// The names of its checks.
    pub checks: Vec<String>,
}
