//! What a `[check.NAME]` says, and which services are checked by it.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ulvs_model::{Destination, ForwardMethod, ServiceKey};

use crate::Digest;

/// How real servers are checked: a template, of which each real server that names it has its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// The operator's name for it, unique.
    pub name: String,
    /// What is asked.
    pub probe: Probe,
    /// From the beginning of one probe to that of the next.
    pub interval: Duration,
    /// The same after a probe that failed while the real server is up; absent: `interval`.
    pub retry_interval: Option<Duration>,
    /// How long a probe may take, from its first packet to its last.
    pub timeout: Duration,
    /// Probes in a row that have to pass before a real server is up again.
    pub rise: u32,
    /// Probes in a row that have to fail before a real server is down.
    pub fall: u32,
    /// The port that is asked; absent: the real server's.
    pub port: Option<u16>,
    /// Whether one probe serves all services that have the real server.
    pub shared: bool,
    /// Whether it asks the virtual address, in the way that clients' packets reach the real server; else the real server's own.
    pub through_vip: bool,
    /// How probes leave.
    pub origin: Origin,
    /// How long a real server takes to its full weight after it was down.
    pub slow_start: Duration,
    /// How a weight follows what the real server says of itself.
    pub feedback: Feedback,
}

/// How a probe leaves this machine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// The address it comes from; absent: the kernel's choice.
    pub source: Option<IpAddr>,
    /// The interface it leaves by, whatever the routes say.
    pub interface: Option<String>,
    /// Its firewall mark, for `ip rule`.
    pub mark: Option<u32>,
}

/// How a weight follows a real server's answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Feedback {
    /// An answer counts one part in so many, what was before the rest; 1: nothing is smoothed.
    pub smoothing: u32,
    /// The least and the most percent of its configured weight that a real server gets.
    pub bounds: (u16, u16),
    /// The least time between two changes of a weight.
    pub interval: Duration,
}

impl Default for Feedback {
    fn default() -> Self {
        Self { smoothing: 4, bounds: (1, 100), interval: Duration::from_secs(5) }
    }
}

/// What is asked of a real server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Probe {
    /// A TCP connection.
    Tcp,
    /// An HTTP request.
    Http(HttpProbe),
    /// A DNS query over UDP.
    Dns(DnsProbe),
    /// A datagram.
    Udp(UdpProbe),
    /// An SMTP server's greeting.
    Smtp(SmtpProbe),
    /// An ICMP echo request.
    Icmp,
    /// A program's exit status.
    Exec(ExecProbe),
    /// An agent's answer, in the words of `HAProxy`'s agent checks.
    Agent(AgentProbe),
}

impl Probe {
    /// The value of `type` in the file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http(HttpProbe { tls: None, .. }) => "http",
            Self::Http(HttpProbe { tls: Some(_), .. }) => "https",
            Self::Dns(_) => "dns",
            Self::Udp(_) => "udp",
            Self::Smtp(_) => "smtp",
            Self::Icmp => "icmp",
            Self::Exec(_) => "exec",
            Self::Agent(_) => "agent",
        }
    }
}

/// `GET`, and what has to come back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpProbe {
    /// TLS; absent: plain.
    pub tls: Option<Tls>,
    /// `Host`, and the server's name in TLS; absent: the real server's address.
    pub host: Option<String>,
    /// What is asked for.
    pub path: String,
    /// Status codes that pass.
    pub status: Vec<RangeInclusive<u16>>,
    /// What the body has to contain.
    pub body: Option<String>,
    /// The MD5 sum that the body has to have, as keepalived's `digest`.
    pub digest: Option<Digest>,
}

/// How a TLS server is looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tls {
    /// Whether its certificate has to be good for `host`.
    pub verify: bool,
    /// A file of certificates that are trusted instead of the public ones.
    pub ca: Option<PathBuf>,
}

/// A query, and what has to come back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsProbe {
    /// The name that is asked for.
    pub name: String,
    /// The type of its records, as `A`.
    pub record: String,
    /// Whether an answer without records, or with another code than `NOERROR`, passes as well.
    pub any_answer: bool,
}

/// A datagram, and what has to come back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UdpProbe {
    /// What is sent.
    pub send: String,
    /// What the answer has to contain; empty: anything.
    pub expect: String,
}

/// How an SMTP server is greeted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SmtpProbe {
    /// By which name; absent: the address that the probe comes from, as RFC 5321 4.1.3 writes it.
    pub helo: Option<String>,
}

/// A program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExecProbe {
    /// Its absolute path and its arguments, in which `{address}` and `{port}` are the real server's.
    pub command: Vec<String>,
    /// Whether an exit status from 2 to 255 passes, and is the weight plus 2, as keepalived's `misc_dynamic`.
    pub dynamic: bool,
}

/// An agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AgentProbe {
    /// What is sent to it before it answers.
    pub send: String,
}

/// The checks of one service, and what follows from them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceChecks {
    /// The service.
    pub service: ServiceKey,
    /// The real servers that are checked, each with its checks' places in [`Director::checks`](crate::Director::checks).
    pub real_servers: Vec<(SocketAddr, Vec<usize>)>,
    /// How each of them is reached, in the same order.
    pub methods: Vec<ForwardMethod>,
    /// Whether a real server that is down stays, with weight 0, instead of being removed.
    pub inhibit_on_failure: bool,
    /// The least sum of weights of real servers that are up.
    pub quorum: u32,
    /// How much the sum has to be above or below the quorum.
    pub hysteresis: u32,
    /// Who serves while there is no quorum.
    pub sorry_server: Option<Destination>,
}
