use std::net::SocketAddr;
use std::str::FromStr;

use ulvs_model::ServiceKey;

/// The page for Prometheus.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metrics {
    /// Where it is served; absent: nowhere.
    pub listen: Option<SocketAddr>,
    /// How much of the services it tells.
    pub level: MetricsLevel,
    /// Services that are told with their real servers, whatever the level.
    pub services: Vec<ServiceKey>,
}

impl Default for Metrics {
    fn default() -> Self {
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 9477)));
        Self { listen, level: MetricsLevel::default(), services: Vec::new() }
    }
}

/// How much is told of services: each level has what the one before it has.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum MetricsLevel {
    /// The sums of all.
    Global,
    /// Each service.
    #[default]
    Service,
    /// Each real server of each service.
    Real,
}

/// There is no such level.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("unknown level \"{}\": use one of global, service, real", .0.escape_debug())]
pub struct NoMetricsLevel(pub String);

impl FromStr for MetricsLevel {
    type Err = NoMetricsLevel;

    fn from_str(text: &str) -> Result<Self, NoMetricsLevel> {
        match text {
            "global" => Ok(Self::Global),
            "service" => Ok(Self::Service),
            "real" => Ok(Self::Real),
            other => Err(NoMetricsLevel(other.to_owned())),
        }
    }
}
