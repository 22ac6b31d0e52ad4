use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ulvs_checks::probe::Target;
use ulvs_checks::{News, Opinion, Outcome, Policy, Pool, Verdict, Watched};
use ulvs_config::{Check, ServiceChecks};
use ulvs_ipvs::table::{Checked, Destination as Entry, Hold, Owner, Service};
use ulvs_model::{Destination, Encapsulation, ServiceKey};

use super::watches::Watches;
use crate::events::{Events, Kind, Severity};
use crate::vip::Way;

/// A service whose real servers are checked.
pub(crate) struct Guarded {
    pool: Pool,
    /// The checks of each real server.
    members: HashMap<SocketAddr, Vec<Arc<Watched>>>,
    sorry_server: Option<Destination>,
    /// The ways by which real servers are asked through the virtual address.
    ways: HashMap<SocketAddr, Vec<Way>>,
}

impl Guarded {
    /// What the file says now, `before` being what was so far.
    pub(crate) fn follow(before: Option<Self>, said: &ServiceChecks, checks: &[Check], watches: &mut Watches) -> Self {
        let policy = Policy {
            inhibit_on_failure: said.inhibit_on_failure,
            quorum: said.quorum,
            hysteresis: said.hysteresis,
            has_sorry_server: said.sorry_server.is_some(),
        };
        let mut slow_starts = Vec::with_capacity(said.real_servers.len());
        let mut members = HashMap::with_capacity(said.real_servers.len());
        let mut ways: HashMap<_, Vec<_>> = HashMap::new();
        for ((address, places), method) in said.real_servers.iter().zip(&said.methods) {
            let named: Vec<&Check> = places.iter().filter_map(|place| checks.get(*place)).collect();
            slow_starts.push((*address, named.iter().map(|check| check.slow_start).max().unwrap_or_default()));
            let mut want = |check: &&Check| {
                let asked = SocketAddr::new(address.ip(), check.port.unwrap_or(address.port()));
                let service = (!check.shared).then_some(said.service);
                let vip = said.service.vip().filter(|_| check.through_vip);
                let source = check.origin.source;
                let way = vip.map(|vip| Way { real_server: address.ip(), vip, method: *method, source });
                if let Some(way) = way {
                    ways.entry(*address).or_default().push(way);
                }
                let through = way.and_then(|way| watches.through(way)).map(|way| SocketAddr::new(way, asked.port()));
                watches.want(check, Target { address: asked, service, through }, said.service)
            };
            members.insert(*address, named.iter().filter_map(&mut want).collect());
        }
        let mut pool = before.map_or_else(|| Pool::new(policy), |before| before.pool);
        pool.set(policy, slow_starts);
        Self { pool, members, sorry_server: said.sorry_server, ways }
    }

    /// The ways by which real servers are asked, each with what packets of clients travel in, the table having it so now.
    pub(crate) fn wraps<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = (&'a Way, Encapsulation)> {
        service.destinations().flat_map(|one| {
            let encapsulation = ulvs_ipvs::forward::destination(one).ok().map(|one| one.encapsulation);
            let ways = self.ways.get(&one.id.0).into_iter().flatten();
            ways.filter_map(move |way| Some((way, encapsulation?)))
        })
    }

    /// Who serves while there is no quorum.
    pub(crate) const fn sorry_server(&self) -> Option<Destination> {
        self.sorry_server
    }

    /// Whether enough real servers are up.
    pub(crate) const fn has_quorum(&self) -> bool {
        self.pool.has_quorum()
    }

    /// Each real server that is checked, and whether it is up.
    pub(crate) fn members(&self) -> impl Iterator<Item = (SocketAddr, bool)> {
        self.pool.members()
    }

    /// What its checks come to, the table having it so now.
    pub(crate) fn judge(&mut self, service: Option<&Service>, now: Duration) -> Outcome {
        let members = &self.members;
        let known: HashMap<_, _> =
            service.into_iter().flat_map(Service::destinations).map(|one| (one.id.0, one)).collect();
        let opinion = |address| {
            let opinions = members.get(&address).into_iter().flatten().map(|one| one.opinion());
            opinions.fold(Opinion::WELL, |all, one| Opinion {
                is_up: all.is_up && one.is_up,
                share: all.share.least(one.share),
            })
        };
        let weight = |address, verdict| {
            let hold = |hold: Hold| Hold { checked: checked(verdict), ..hold };
            let weight = known.get(&address).and_then(|one| Entry { hold: hold(one.hold), ..**one }.weight());
            u64::from(weight.unwrap_or(0).unsigned_abs())
        };
        let others =
            known.iter().filter(|(address, one)| one.owner != Owner::Checks && !members.contains_key(*address));
        let others = others.filter_map(|(_, one)| one.weight()).map(|weight| u64::from(weight.unsigned_abs()));
        self.pool.judge(opinion, weight, others.sum(), now)
    }

    /// Logs what has changed, once.
    pub(crate) fn tell(&self, service: ServiceKey, news: &[News], events: &Events) {
        for one in news {
            let (severity, sentence) = self.sentence(service, one);
            events.tell(Kind::Health, severity, sentence);
            match *one {
                News::Up(real_server) => {
                    tracing::info!(%service, %real_server, state = "up", "real server is up");
                }
                News::Down(real_server) => {
                    let (check, reason) = self.reason(real_server).unwrap_or_default();
                    tracing::warn!(%service, %real_server, state = "down", check, reason, "real server is down");
                }
                News::QuorumMet(weight) => {
                    tracing::info!(%service, weight, state = "quorum", "enough real servers are up");
                }
                News::QuorumLost(weight) => {
                    let sorry = self.sorry_server.map_or_else(|| "none".to_owned(), |sorry| sorry.address.to_string());
                    let state = "no quorum";
                    tracing::error!(%service, weight, state, sorry_server = sorry, "too few real servers are up");
                }
            }
        }
    }

    /// What has changed, for people.
    fn sentence(&self, service: ServiceKey, news: &News) -> (Severity, String) {
        match *news {
            News::Up(real_server) => (Severity::Info, format!("{service}: real server {real_server} is up")),
            News::Down(real_server) => {
                let (check, reason) = self.reason(real_server).unwrap_or_default();
                (
                    Severity::Warning,
                    format!("{service}: real server {real_server} is down, says check {check}: {reason}"),
                )
            }
            News::QuorumMet(_) => (Severity::Info, format!("{service}: enough real servers are up")),
            News::QuorumLost(_) => {
                let sorry = self.sorry_server.map(|sorry| format!("; {} answers for them", sorry.address));
                (Severity::Error, format!("{service}: too few real servers are up{}", sorry.unwrap_or_default()))
            }
        }
    }

    /// The check that has found a real server down, and what it says to that.
    fn reason(&self, real_server: SocketAddr) -> Option<(String, String)> {
        let down = self.members.get(&real_server)?.iter().find(|one| !one.opinion().is_up)?;
        Some((down.check.name.clone(), down.standing().reason.unwrap_or_default()))
    }
}

/// A verdict in the table's words.
pub(crate) const fn checked(verdict: Verdict) -> Checked {
    match verdict {
        Verdict::Well => Checked::Well,
        Verdict::Percent(percent) => Checked::Percent(percent),
        Verdict::Weight(weight, percent) => Checked::Weight(weight, percent),
        Verdict::Inhibited => Checked::Inhibited,
        Verdict::Removed => Checked::Removed,
    }
}
