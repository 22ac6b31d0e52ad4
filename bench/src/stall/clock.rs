//! What a core does to a thread that does nothing but read the clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, gettid};

use super::long::Long;
use crate::process::prefer;

/// Reads the clock on this core, as a worker would run there, while `body` goes on elsewhere.
pub(super) fn beside<T>(core: usize, body: impl FnOnce() -> Result<T>) -> Result<(Long, T)> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clock = scope.spawn(|| read(core, &stop));
        let done = body();
        stop.store(true, Ordering::Relaxed);
        let held = clock.join().map_err(|_| anyhow::anyhow!("the clock panicked"))??;
        Ok((held, done?))
    })
}

fn read(core: usize, stop: &AtomicBool) -> Result<Long> {
    let mut only = CpuSet::new();
    only.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &only)?;
    prefer(&gettid().to_string());
    let began = Instant::now();
    let (mut last, mut long) = (began, Long::default());
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        long.count((now - last).as_secs_f64() * 1e6, 1);
        last = now;
    }
    long.seconds = (last - began).as_secs_f64();
    Ok(long)
}

/// This thread, and those it starts, are kept off a core until this is dropped.
pub(super) struct KeptOff {
    before: CpuSet,
}

impl KeptOff {
    pub(super) fn of(core: usize) -> Result<Self> {
        let before = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = before;
        cores.unset(core)?;
        sched_setaffinity(Pid::from_raw(0), &cores).context("measuring stalls takes two cores")?;
        Ok(Self { before })
    }
}

impl Drop for KeptOff {
    fn drop(&mut self) {
        let _ = sched_setaffinity(Pid::from_raw(0), &self.before);
    }
}
