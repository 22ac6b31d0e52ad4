use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use ulvs_api::{Name, Rates, Sample, WorkerSample};
use ulvs_engine::counters::histogram::Spans;
use ulvs_engine::counters::{Totals, WorkerCounters};
use ulvs_engine::{DropReason, PuntReason, Shared};

use crate::status::Sources;

/// Samples that are remembered: five minutes.
const MOST: usize = 300;

/// The last samples, and what they are counted from.
#[derive(Default)]
pub(super) struct History {
    samples: VecDeque<Sample>,
    before: Option<(Instant, Counted)>,
}

/// Everything that is sampled, as it was counted since the start.
#[derive(Clone, Default)]
struct Counted {
    totals: Totals,
    workers: Vec<Worker>,
    drops: Vec<u64>,
    punted: u64,
}

#[derive(Clone, Copy, Default)]
struct Worker {
    /// In units of [`Spans`].
    busy_time: u64,
    received: u64,
    forwarded: u64,
    dropped: u64,
}

impl History {
    /// Takes a sample; the first one only begins.
    pub(super) fn sample(&mut self, sources: &Sources, when: Instant, at: u64) {
        let counted = Counted::of(&sources.shared, sources.totals());
        self.add(counted, sources.shared.connections(), when, at);
    }

    fn add(&mut self, counted: Counted, connections: u64, when: Instant, at: u64) {
        if let Some((since, before)) = &self.before {
            let seconds = when.duration_since(*since).max(Duration::from_millis(1)).as_secs_f64();
            if self.samples.len() == MOST {
                self.samples.pop_front();
            }
            self.samples.push_back(counted.since(before, seconds, connections, at));
        }
        self.before = Some((when, counted));
    }

    /// The samples after a time.
    pub(super) fn since(&self, at: u64) -> Vec<Sample> {
        let new = self.samples.iter().rev().take_while(|sample| sample.at > at).count();
        self.samples.range(self.samples.len() - new..).cloned().collect()
    }
}

impl Counted {
    fn of(shared: &Shared, totals: Totals) -> Self {
        Self {
            totals,
            workers: shared.workers().iter().map(Worker::of).collect(),
            drops: DropReason::ALL.iter().map(|&reason| shared.drops(reason)).collect(),
            punted: PuntReason::ALL.iter().map(|&reason| shared.punts(reason)).sum(),
        }
    }

    fn since(&self, before: &Self, seconds: f64, connections: u64, at: u64) -> Sample {
        let drops = DropReason::ALL.iter().zip(self.drops.iter().zip(&before.drops));
        let drops = drops.map(|(reason, (now, before))| (Name::from(reason.label()), rate(*now, *before, seconds)));
        Sample {
            at,
            rates: rates(self.totals, before.totals, seconds),
            connections,
            workers: self
                .workers
                .iter()
                .zip(&before.workers)
                .map(|(now, before)| now.since(*before, seconds))
                .collect(),
            drops: drops.filter(|(_, rate)| *rate > 0.0).collect(),
            punted: rate(self.punted, before.punted, seconds),
        }
    }
}

impl Worker {
    fn of(counters: &WorkerCounters) -> Self {
        let final_drops = DropReason::ALL.iter().filter(|reason| !reason.is_after_verdict());
        Self {
            busy_time: counters.busy_time.get(),
            received: counters.received.get(),
            forwarded: counters.forwarded.get(),
            dropped: final_drops.map(|&reason| counters.drops(reason)).sum(),
        }
    }

    fn since(self, before: Self, seconds: f64) -> WorkerSample {
        let busy = Spans::seconds(self.busy_time.saturating_sub(before.busy_time));
        WorkerSample {
            busy: (busy / seconds).min(1.0),
            packets_in: rate(self.received, before.received, seconds),
            forwarded: rate(self.forwarded, before.forwarded, seconds),
            dropped: rate(self.dropped, before.dropped, seconds),
        }
    }
}

/// What came between two looks, per second. A counter that has become less was begun anew: nothing came.
pub(super) fn rates(now: Totals, before: Totals, seconds: f64) -> Rates {
    Rates {
        connections: rate(now.connections, before.connections, seconds),
        packets_in: rate(now.packets_in, before.packets_in, seconds),
        packets_out: rate(now.packets_out, before.packets_out, seconds),
        bytes_in: rate(now.bytes_in, before.bytes_in, seconds),
        bytes_out: rate(now.bytes_out, before.bytes_out, seconds),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(now: u64, before: u64, seconds: f64) -> f64 {
    now.saturating_sub(before) as f64 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(packets_in: u64, drops: u64) -> Counted {
        // two milliseconds for each
        let busy_time = packets_in * Spans::UNITS_PER_SECOND / 500;
        let worker = Worker { busy_time, received: packets_in, ..Worker::default() };
        Counted {
            totals: Totals { packets_in, ..Totals::default() },
            workers: vec![worker],
            drops: DropReason::ALL.iter().enumerate().map(|(at, _)| if at == 0 { drops } else { 0 }).collect(),
            punted: 0,
        }
    }

    #[test]
    fn a_sample_is_what_came_in_its_second() {
        let (mut history, began) = (History::default(), Instant::now());
        for (number, (packets, drops)) in [(1000, 7), (1500, 7), (1500, 9)].into_iter().enumerate() {
            let after = 2 * number as u64;
            history.add(counted(packets, drops), 3, began + Duration::from_secs(after), after * 1000);
        }
        let samples = history.since(0);
        let seen: Vec<_> = samples.iter().map(|one| (one.at, one.rates.packets_in, one.drops.len())).collect();
        assert_eq!(seen, [(2000, 250.0, 0), (4000, 0.0, 1)]);
        assert_eq!(samples[0].workers, [WorkerSample { busy: 0.5, packets_in: 250.0, ..WorkerSample::default() }]);
        assert_eq!(samples[1].drops, [(Name::from(DropReason::ALL[0].label()), 1.0)]);
        assert_eq!(history.since(2000), samples[1..]);
        assert_eq!(history.since(4000), []);
    }

    #[test]
    fn five_minutes_are_remembered() {
        let (mut history, began) = (History::default(), Instant::now());
        for second in 0..1000 {
            history.add(counted(second, 0), 0, began + Duration::from_secs(second), second * 1000);
        }
        let samples = history.since(0);
        assert_eq!((samples.len(), samples[0].at, samples[MOST - 1].at), (MOST, 700_000, 999_000));
    }

    #[test]
    fn counters_that_begin_anew_are_no_traffic() {
        let now = Totals { packets_in: 5, ..Totals::default() };
        let before = Totals { packets_in: 1000, ..Totals::default() };
        assert_eq!(rates(now, before, 1.0), Rates::default());
    }
}
