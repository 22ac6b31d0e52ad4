//! The director's file: TOML to a [`Director`], with all errors at once; and what of it a reload can change.
//!
//! ```text
//! files -> text -> toml (sections) -> Draft -> validate -> Director
//! ```
//!
//! A source such as [`toml`](Director::parse) reads single values, with their places, into a draft. What spans several
//! values (names that must be unique, references, address families) is validated on the draft, the same for each source.
//! Both collect what is wrong instead of stopping, as [`Diagnostic`]s.

mod changes;
mod check;
mod device;
mod diagnostic;
mod digest;
mod director;
mod draft;
mod files;
mod flows;
mod mac;
mod metrics;
mod problems;
mod restart;
mod source_limit;
mod toml;
mod validate;

pub use changes::check_changes;
pub use check::{
    AgentProbe, Check, DnsProbe, ExecProbe, Feedback, HttpProbe, Origin, Probe, ServiceChecks, SmtpProbe, Tls, UdpProbe,
};
pub use device::{Device, DeviceError};
pub use diagnostic::Diagnostic;
pub use digest::{Digest, NoDigest};
pub use director::{
    Api, Connections, Console, Destinations, Director, Dpdk, Ftp, MarkRule, Neighbours, PollMode, Port, State,
    StaticNeighbour, StaticRoute, Workers,
};
pub use files::{Files, Source};
pub use flows::Flows;
pub use mac::{Mac, MacError};
pub use metrics::{Metrics, MetricsLevel, NoMetricsLevel};
pub use restart::restart_needed;
pub use source_limit::{SourceLimit, SourceLimits};
