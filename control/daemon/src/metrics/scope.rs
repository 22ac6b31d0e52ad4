//! How much of the services the page tells.

use std::collections::HashSet;

use serde::Deserialize;
use ulvs_config::{Metrics, MetricsLevel};
use ulvs_model::ServiceKey;

/// The query.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// Another level than the file's.
    scope: Option<String>,
}

/// What is told: of which services, and of which their real servers.
#[derive(Debug)]
pub(super) struct Scope {
    level: MetricsLevel,
    /// With their real servers at any level.
    services: HashSet<ServiceKey>,
}

impl Scope {
    /// By the query if it says something, else by the file.
    ///
    /// # Errors
    /// A sentence if there is no such level.
    pub(super) fn of(asked: &Asked, said: &Metrics) -> Result<Self, String> {
        Ok(match &asked.scope {
            Some(scope) => {
                let level = scope.parse().map_err(|_| {
                    format!("unknown scope \"{}\": use one of global, service, real", scope.escape_debug())
                })?;
                Self { level, services: HashSet::new() }
            }
            None => Self { level: said.level, services: said.services.iter().copied().collect() },
        })
    }

    /// Whether there is anything to tell of single services.
    pub(super) fn needs_services(&self) -> bool {
        self.level >= MetricsLevel::Service || !self.services.is_empty()
    }

    pub(super) fn tells(&self, service: ServiceKey) -> bool {
        self.level >= MetricsLevel::Service || self.services.contains(&service)
    }

    pub(super) fn tells_real_servers(&self, service: ServiceKey) -> bool {
        self.level >= MetricsLevel::Real || self.services.contains(&service)
    }
}

#[cfg(test)]
mod tests {
    use ulvs_model::Protocol;

    use super::*;

    fn key(host: u8) -> ServiceKey {
        ServiceKey::new(Protocol::Tcp, ([192, 0, 2, host], 80).into())
    }

    fn scope(level: MetricsLevel, asked: Option<&str>) -> Result<Scope, String> {
        let said = Metrics { level, services: vec![key(1)], ..Metrics::default() };
        Scope::of(&Asked { scope: asked.map(str::to_owned) }, &said)
    }

    /// Whether services are needed, and of the listed one and another whether they and their real servers are told.
    fn told(scope: &Scope) -> (bool, [(bool, bool); 2]) {
        let told = [1, 2].map(|host| (scope.tells(key(host)), scope.tells_real_servers(key(host))));
        (scope.needs_services(), told)
    }

    #[test]
    fn the_file_says_a_level_and_exceptions_to_it() {
        let (yes, no) = ((true, true), (false, false));
        assert_eq!(told(&scope(MetricsLevel::Global, None).unwrap()), (true, [yes, no]));
        assert_eq!(told(&scope(MetricsLevel::Service, None).unwrap()), (true, [yes, (true, false)]));
        assert_eq!(told(&scope(MetricsLevel::Real, None).unwrap()), (true, [yes, yes]));
    }

    #[test]
    fn a_query_goes_over_the_file() {
        let (yes, no) = ((true, true), (false, false));
        assert_eq!(told(&scope(MetricsLevel::Real, Some("global")).unwrap()), (false, [no, no]));
        assert_eq!(told(&scope(MetricsLevel::Global, Some("real")).unwrap()), (true, [yes, yes]));
        let wrong = scope(MetricsLevel::Real, Some("al\nl")).unwrap_err();
        assert_eq!(wrong, "unknown scope \"al\\nl\": use one of global, service, real");
    }
}
