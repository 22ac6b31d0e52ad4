//! What a burst's verdicts are counted as.

use crate::snapshot::PortId;
use crate::verdict::Verdict;

use super::Context;

impl Context<'_> {
    /// Counts the verdicts of a burst; the port if all frames leave by one.
    #[inline]
    pub(super) fn count(&self, verdicts: &[Verdict]) -> Option<PortId> {
        let Some(&Verdict::Forward(port)) = verdicts.first() else {
            self.count_each(verdicts);
            return None;
        };
        if verdicts.iter().all(|&verdict| verdict == Verdict::Forward(port)) {
            self.counters.forwarded.add(verdicts.len() as u64);
            return Some(port);
        }
        self.count_each(verdicts);
        None
    }

    fn count_each(&self, verdicts: &[Verdict]) {
        let counters = self.counters;
        for verdict in verdicts {
            match *verdict {
                Verdict::Forward(_) | Verdict::Fragment(_) => counters.forwarded.add(1),
                Verdict::Punt(reason) => counters.count_punt(reason),
                Verdict::Drop(reason) => counters.count_drop(reason),
                Verdict::Reject(_, reason) => {
                    counters.count_drop(reason);
                    counters.icmp_errors.add(1);
                }
                Verdict::Wait | Verdict::Hold => {}
            }
        }
    }
}
