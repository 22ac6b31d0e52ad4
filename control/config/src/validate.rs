//! Whether the values of a draft fit together.

mod checks;
mod marks;
mod place;
mod ports;
mod references;
mod services;
mod tunnel;

use std::collections::HashSet;

use crate::draft::{Draft, DraftFile, DraftWorkers};
use crate::problems::Problems;
use crate::{Director, SourceLimits, Workers};

impl Draft {
    /// The director that the draft describes. Absent only if something is wrong, and that was reported.
    ///
    /// `texts` are the files with their names, the director's first; `files` and `problems` are theirs.
    pub(crate) fn validate(
        self,
        texts: &[(String, String)],
        files: Vec<DraftFile>,
        problems: &mut [Problems],
    ) -> Option<Director> {
        let (checks, services): (Vec<_>, Vec<_>) = files.into_iter().map(|file| (file.checks, file.services)).unzip();
        let (checks, broken) = checks::of_all(checks, texts, problems);
        let names = checks::Names::new(&checks, &broken);
        let (services, checked, limited) = services::validate(services, texts, &self.destinations, &names, problems);
        let problems = problems.first_mut()?;
        let workers = workers(self.workers, problems);
        let names = ports::Names::of(&self.ports);
        let static_routes = references::routes(self.static_routes, &names, problems);
        let static_neighbours = references::neighbours(self.static_neighbours, &names, problems);
        let mark_rules = marks::rules(self.mark_rules, &names, problems);
        let ports = ports::validate(self.ports, workers.as_ref(), problems);
        Some(Director {
            dpdk: self.dpdk,
            workers: workers?,
            connections: self.connections,
            destinations: self.destinations,
            api: self.api,
            state: self.state,
            sysctls: self.sysctls,
            ftp: self.ftp,
            source_limits: SourceLimits { all: self.source_limit, own: limited },
            metrics: self.metrics,
            console: self.console,
            flows: self.flows,
            neighbours: self.neighbours,
            ports,
            static_routes,
            static_neighbours,
            mark_rules,
            services,
            checks,
            checked,
        })
    }
}

/// The connection table's index counts inserts under way in one byte of a bucket, beside what overflows from it.
const MOST_WORKERS: usize = 64;

fn workers(draft: DraftWorkers, problems: &mut Problems) -> Option<Workers> {
    let cores = draft.cores?;
    let mut seen = HashSet::new();
    for core in &cores.value {
        if !seen.insert(core.value) {
            problems
                .wrong(core.span.clone(), format!("core {} is listed twice: each worker needs its own", core.value));
        }
    }
    if cores.value.is_empty() {
        problems.wrong(cores.span, "`cores`: expected at least one core, as [1]");
        return None;
    }
    if cores.value.len() > MOST_WORKERS {
        let have = cores.value.len();
        problems.wrong(cores.span, format!("`cores`: {have} cores, but a director has at most {MOST_WORKERS} workers"));
        return None;
    }
    Some(Workers { cores: cores.value.into_iter().map(|core| core.value).collect(), poll: draft.poll })
}
