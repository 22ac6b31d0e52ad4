//! One probe: a question to a real server, and what comes of it. Whatever answers is hostile until it has passed: every
//! probe is bounded in time by its caller and in bytes here.

mod agent;
mod body;
mod bounded;
mod dns;
mod exec;
mod gathered;
mod http;
mod icmp;
mod smtp;
mod socket;
mod tcp;
mod tls;
mod udp;

use std::net::SocketAddr;

use ulvs_config::{Check, Origin, Probe};

pub use agent::{Mode, Statement};
pub use tls::{Connectors, TlsError};

use crate::Share;

/// The most bytes that are taken from a real server in one probe.
const MOST_BYTES: usize = 256 << 10;

/// What a probe found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// All is well.
    Passed,
    /// All is well, and this is what it says of its weight.
    Weighs(Share),
    /// An agent has spoken.
    Said(Statement),
}

/// Why a probe has not passed, as the end of a sentence: "10.0.0.11:80 is down: ...".
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub(crate) String);

impl Failure {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let text = error.to_string();
        if error.raw_os_error().is_none() {
            return Self(text);
        }
        // without the number that Rust adds
        Self(text.split(" (os error").next().unwrap_or_default().to_lowercase())
    }
}

/// Who is asked, and for whom.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Target {
    /// The real server, with the port that is asked.
    pub address: SocketAddr,
    /// The service, if it is for one only.
    pub service: Option<ulvs_model::ServiceKey>,
    /// Where it is asked instead, which somebody leads to the service's virtual address on that real server.
    pub through: Option<SocketAddr>,
}

/// A check made ready to be asked many times.
#[derive(Debug)]
pub struct Question {
    kind: Kind,
    origin: Origin,
}

#[derive(Debug)]
enum Kind {
    Tcp,
    Http(http::Request),
    Dns(dns::Query),
    Udp(ulvs_config::UdpProbe),
    Smtp(ulvs_config::SmtpProbe),
    Icmp,
    Exec(ulvs_config::ExecProbe),
    Agent(ulvs_config::AgentProbe),
}

impl Question {
    /// Makes it ready, with what it has in common with the others that were made ready with these connectors.
    ///
    /// # Errors
    /// If it needs something of this machine that is not there.
    pub fn new(check: &Check, connectors: &mut Connectors) -> Result<Self, TlsError> {
        let kind = match &check.probe {
            Probe::Tcp => Kind::Tcp,
            Probe::Http(probe) => Kind::Http(http::Request::new(probe, connectors)?),
            Probe::Dns(probe) => Kind::Dns(dns::Query::new(probe)),
            Probe::Udp(probe) => Kind::Udp(probe.clone()),
            Probe::Smtp(probe) => Kind::Smtp(probe.clone()),
            Probe::Icmp => Kind::Icmp,
            Probe::Exec(probe) => Kind::Exec(probe.clone()),
            Probe::Agent(probe) => Kind::Agent(probe.clone()),
        };
        Ok(Self { kind, origin: check.origin.clone() })
    }

    /// Whether it is asked by a program of its own.
    pub const fn is_program(&self) -> bool {
        matches!(self.kind, Kind::Exec(_))
    }

    /// Asks. Takes as long as the real server likes: dropping it ends it.
    ///
    /// # Errors
    /// Why the real server has not passed.
    pub async fn ask(&self, target: &Target) -> Result<Finding, Failure> {
        let (address, origin) = match target.through {
            // Where it comes from is up to who leads it.
            Some(through) => (through, &Origin::default()),
            None => (target.address, &self.origin),
        };
        match &self.kind {
            Kind::Tcp => tcp::ask(address, origin).await,
            Kind::Http(request) => {
                let vip = target.service.filter(|_| target.through.is_some()).and_then(|service| service.address());
                request.ask(address, vip.unwrap_or(address), origin).await
            }
            Kind::Dns(query) => query.ask(address, origin).await,
            Kind::Udp(probe) => udp::ask(probe, address, origin).await,
            Kind::Smtp(probe) => smtp::ask(probe, address, origin).await,
            Kind::Icmp => icmp::ask(address.ip(), origin).await,
            Kind::Exec(probe) => exec::ask(probe, target).await,
            Kind::Agent(probe) => agent::ask(probe, address, origin).await,
        }
    }
}
