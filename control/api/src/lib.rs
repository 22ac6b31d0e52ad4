//! The director's JSON API over a unix socket: its types, and a client for programs that wait for the answer.
//!
//! Answers may get further fields at any time; a client ignores those it doesn't know. Names of protocols, schedulers,
//! methods, states and reasons are open sets, hence text and not enumerations.

mod capture;
mod check;
mod client;
mod configuration;
mod connection;
mod drain;
mod edit;
mod event;
mod explain;
mod live;
mod pass_times;
mod service;
mod status;
mod stream;
mod sysctl;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use capture::{CaptureRequest, Instruction, TraceLine};
pub use check::CheckStatus;
pub use client::{Client, ClientError};
pub use configuration::{Applied, ApplyRequest, RollbackRequest, Version};
pub use connection::{
    Connection, ConnectionCount, ConnectionCountQuery, ConnectionFilter, ConnectionGroup, ConnectionPage,
    ConnectionQuery, CountBy,
};
pub use drain::{Changed, Drain, DrainQuery, DrainRequest, DrainStatus, Drained};
pub use edit::{Edit, EditRequest, RealServerEdit, RealServerName, ServiceEdit, ServiceName};
pub use event::{Event, EventPage, EventQuery};
pub use explain::{ExplainFlow, ExplainRequest, Explanation, Stage};
pub use live::{
    Live, LiveQuery, LiveRealServer, LiveService, LiveServices, LiveServicesQuery, Rates, Sample, ServiceTotals,
    WorkerSample,
};
pub use pass_times::{PassTimes, Passes};
pub use service::{Counters, Neighbour, RealServerStatus, ServiceStatus};
pub use status::{Occupancy, PortStatus, ReasonCount, Status, WorkerStatus};
pub use stream::Stream;
pub use sysctl::{SysctlRequest, SysctlStatus};

/// A word of an open set. The server's are constants, the client's are read.
pub type Name = Cow<'static, str>;

/// Where ulvsd listens if nothing else is said.
pub const DEFAULT_SOCKET: &str = "/run/ulvs/api.sock";

/// The environment variable that names another socket.
pub const SOCKET_VARIABLE: &str = "ULVS_SOCKET";

/// The paths that are served.
pub mod path {
    /// [`Status`](crate::Status)
    pub const STATUS: &str = "/v1/status";
    /// A list of [`ServiceStatus`](crate::ServiceStatus); [`Changed`](crate::Changed), by a POST of an
    /// [`EditRequest`](crate::EditRequest)
    pub const SERVICES: &str = "/v1/services";
    /// [`ConnectionPage`](crate::ConnectionPage), asked for with a [`ConnectionQuery`](crate::ConnectionQuery)
    pub const CONNECTIONS: &str = "/v1/conns";
    /// [`ConnectionCount`](crate::ConnectionCount), asked for with a [`ConnectionCountQuery`](crate::ConnectionCountQuery)
    pub const CONNECTION_COUNT: &str = "/v1/conns/count";
    /// To be posted, a [`CaptureRequest`](crate::CaptureRequest): packets, in pcapng, as long as somebody reads
    pub const CAPTURE: &str = "/v1/capture";
    /// To be posted, a [`CaptureRequest`](crate::CaptureRequest): what happens to packets, a [`TraceLine`](crate::TraceLine) each
    pub const TRACE: &str = "/v1/trace";
    /// [`Explanation`](crate::Explanation), by a POST of an [`ExplainRequest`](crate::ExplainRequest)
    pub const EXPLAIN: &str = "/v1/explain";
    /// A list of [`CheckStatus`](crate::CheckStatus)
    pub const CHECKS: &str = "/v1/checks";
    /// [`DrainStatus`](crate::DrainStatus), asked for with a [`DrainQuery`](crate::DrainQuery); [`Changed`](crate::Changed), by a
    /// POST of a [`DrainRequest`](crate::DrainRequest)
    pub const DRAIN: &str = "/v1/drain";
    /// A list of [`Drained`](crate::Drained)
    pub const DRAINS: &str = "/v1/drains";
    /// A list of [`SysctlStatus`](crate::SysctlStatus); [`Changed`](crate::Changed), by a POST of a
    /// [`SysctlRequest`](crate::SysctlRequest)
    pub const SYSCTLS: &str = "/v1/sysctls";
    /// The page for Prometheus, in its text format; `?scope=` is `global`, `service` or `real`
    pub const METRICS: &str = "/v1/metrics";
    /// [`Applied`](crate::Applied): what following the files would do; an [`ApplyRequest`](crate::ApplyRequest) is the query
    pub const DIFF: &str = "/v1/diff";
    /// To be posted: follow the files ([`ApplyRequest`](crate::ApplyRequest)); answered with [`Applied`](crate::Applied)
    pub const APPLY: &str = "/v1/apply";
    /// A list of [`Version`](crate::Version)
    pub const VERSIONS: &str = "/v1/versions";
    /// [`Live`](crate::Live), asked for with a [`LiveQuery`](crate::LiveQuery)
    pub const LIVE: &str = "/v1/live";
    /// [`LiveServices`](crate::LiveServices), asked for with a [`LiveServicesQuery`](crate::LiveServicesQuery)
    pub const LIVE_SERVICES: &str = "/v1/live/services";
    /// [`EventPage`](crate::EventPage), asked for with an [`EventQuery`](crate::EventQuery)
    pub const EVENTS: &str = "/v1/events";
    /// To be posted: go back to a version ([`RollbackRequest`](crate::RollbackRequest)); answered with
    /// [`Applied`](crate::Applied)
    pub const ROLLBACK: &str = "/v1/rollback";
}

/// The body of every answer that is not a success.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// What went wrong, a sentence.
    pub error: String,
    /// Where in what was posted, as `edits[0].add_service.scheduler`; absent: nowhere in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}
