//! The loop tells how long its passes take.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ulvs_engine::Ticks;
use ulvs_engine::counters::histogram::{Spans, Step};
use ulvs_worker::{PollMode, Wall, run};

use crate::lab::Lab;

/// A clock that is at these moments, in microseconds, each time it is read; at the last one the worker is stopped.
struct Script<'a> {
    moments: Box<dyn Fn(u64) -> Option<u64> + 'a>,
    read: Cell<u64>,
    last: Cell<u64>,
    stop: &'a AtomicBool,
}

impl Wall for Script<'_> {
    fn cycles(&self) -> u64 {
        let Some(moment) = (self.moments)(self.read.get()) else {
            self.stop.store(true, Relaxed);
            return self.last.get();
        };
        self.read.set(self.read.get() + 1);
        self.last.set(moment);
        moment
    }

    fn ticks(&self, _: u64) -> Ticks {
        Ticks(1)
    }

    fn span(&self, cycles: u64) -> u64 {
        cycles * Spans::UNITS_PER_SECOND / 1_000_000
    }
}

fn steps(mode: PollMode, moments: impl Fn(u64) -> Option<u64>) -> (Vec<Step>, f64) {
    let mut lab = Lab::new(1, 2);
    let stop = AtomicBool::new(false);
    let clock = Script { moments: Box::new(moments), read: Cell::new(0), last: Cell::new(0), stop: &stop };
    run(&mut lab.workers[0], &clock, mode, &stop);
    let counters = lab.workers[0].engine().counters();
    let counted: u64 = counters.pass_times.steps().map(|step| step.count).sum();
    assert_eq!(counted, counters.loops.get());
    (counters.pass_times.steps().collect(), counters.pass_times.longest())
}

#[test]
fn a_pass_lasts_until_the_next_begins() {
    let moments = [0, 1, 2, 102, 103, 50, 51];
    let (steps, longest) = steps(PollMode::Busy, |read| moments.get(usize::try_from(read).unwrap()).copied());
    // The clock that jumped back, and the end, count as nothing.
    assert_eq!(steps.iter().map(|step| step.count).collect::<Vec<_>>(), [2, 4, 1]);
    assert!((longest - 100e-6).abs() < 1e-9);
}

#[test]
fn what_an_adaptive_worker_sleeps_is_no_pass() {
    // The first 257 passes are each a microsecond; then the clock is read after each sleep, which here takes a second.
    let moments = |read: u64| match read {
        0..=257 => Some(read),
        258..=280 => Some(257 + (read - 257) / 2 + (read - 257).div_ceil(2) * 1_000_000),
        _ => None,
    };
    let (steps, longest) = steps(PollMode::Adaptive, moments);
    assert!((longest - 1e-6).abs() < 1e-9, "{steps:?}");
}
