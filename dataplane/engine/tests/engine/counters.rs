//! Every counter that a step changes is stated, and any other that changes fails the test.

use std::collections::BTreeMap;

use ulvs_engine::{DropReason, PuntReason};

use crate::director::Director;

/// All counters by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Counters(BTreeMap<String, u64>);

impl Counters {
    pub(crate) fn of(director: &Director) -> Self {
        let mut all = BTreeMap::new();
        for (at, worker) in director.shared.workers().iter().enumerate() {
            let named = [
                ("received", &worker.received),
                ("forwarded", &worker.forwarded),
                ("icmp_errors", &worker.icmp_errors),
                ("made", &worker.connections_made),
                ("ended", &worker.connections_ended),
                ("loops", &worker.loops),
                ("busy_loops", &worker.busy_loops),
                ("generation", &worker.generation),
            ];
            for (name, counter) in named {
                all.insert(format!("{at} {name}"), counter.get());
            }
            for &reason in DropReason::ALL {
                all.insert(format!("{at} drop {}", reason.label()), worker.drops(reason));
            }
            for &reason in PuntReason::ALL {
                all.insert(format!("{at} punt {}", reason.label()), worker.punts(reason));
            }
        }
        for service in director.compiler.services() {
            for destination in &service.destinations {
                let name = format!("{} {}", service.key, destination.destination.address);
                let (totals, load) = (destination.totals, destination.load);
                all.insert(format!("{name} connections"), totals.connections);
                all.insert(format!("{name} packets_in"), totals.packets_in);
                all.insert(format!("{name} packets_out"), totals.packets_out);
                all.insert(format!("{name} bytes_in"), totals.bytes_in);
                all.insert(format!("{name} bytes_out"), totals.bytes_out);
                all.insert(format!("{name} active"), u64::from(load.active));
                all.insert(format!("{name} total"), u64::from(load.total));
                all.insert(format!("{name} templates"), destination.templates);
            }
        }
        Self(all)
    }

    /// The sum of all verdicts of a worker that are counted.
    pub(crate) fn verdicts(&self, worker: usize) -> u64 {
        let prefixes = [format!("{worker} forwarded"), format!("{worker} drop "), format!("{worker} punt ")];
        self.0.iter().filter(|(name, _)| prefixes.iter().any(|p| name.starts_with(p))).map(|(_, count)| count).sum()
    }

    /// Asserts that since `self` exactly these counters changed, by this much.
    #[track_caller]
    pub(crate) fn changed(&self, director: &Director, changes: &[(&str, i64)]) {
        let now = Self::of(director);
        let delta = |(name, after): (&String, &u64)| {
            let before = self.0.get(name).copied().unwrap_or(0);
            (*after != before).then(|| (name.clone(), after.cast_signed() - before.cast_signed()))
        };
        let got: BTreeMap<_, _> = now.0.iter().filter_map(delta).collect();
        let want: BTreeMap<_, _> = changes.iter().map(|&(name, by)| (name.to_owned(), by)).collect();
        assert_eq!(got, want);
    }
}
