//! A worker's thread: pinned to its core, registered with EAL, polling until it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dpdk::Eal;
use ulvs_engine::counters::histogram::Spans;
use ulvs_engine::{TICKS_PER_SECOND, Ticks};

use crate::io::PacketIo;
use crate::ports::DpdkIo;
use crate::worker::Worker;

/// What a worker does when nothing arrives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PollMode {
    /// Polls on: for a dedicated director.
    Busy,
    /// Backs off to short sleeps: for laptops, labs and small machines.
    Adaptive,
}

/// Passes without a packet before an adaptive worker sleeps.
const PASSES_BEFORE_SLEEP: u32 = 256;
const SHORTEST_SLEEP: Duration = Duration::from_micros(20);
const LONGEST_SLEEP: Duration = Duration::from_millis(1);
/// Passes without a packet, about a second of them, before it sleeps even longer.
const PASSES_BEFORE_DEEP_SLEEP: u32 = PASSES_BEFORE_SLEEP + 1100;
const DEEP_SLEEP: Duration = Duration::from_millis(2);

/// A clock a worker reads once per pass.
pub trait Wall {
    /// Its reading: cycles since some moment.
    fn cycles(&self) -> u64;

    /// The moment of a reading.
    fn ticks(&self, reading: u64) -> Ticks;

    /// What so many cycles are in units of [`Spans`].
    fn span(&self, cycles: u64) -> u64;

    /// The moment it is.
    fn now(&self) -> Ticks {
        self.ticks(self.cycles())
    }
}

/// The processor's time-stamp counter.
#[derive(Clone, Copy, Debug)]
pub struct Tsc {
    origin: u64,
    /// Ticks per cycle, times 2^64.
    scale: u64,
    /// Units of [`Spans`] per cycle, times 2^32.
    span_scale: u64,
}

impl Tsc {
    /// A clock that begins now; all workers and the control side share one.
    pub fn new(eal: &Eal) -> Self {
        let hertz = u128::from(dpdk::clock::tsc_hz(eal).max(1_000_000));
        let per_cycle = |number: u128| u64::try_from(number / hertz).unwrap_or(u64::MAX);
        Self {
            origin: dpdk::clock::tsc(),
            scale: per_cycle(u128::from(TICKS_PER_SECOND) << 64),
            span_scale: per_cycle(u128::from(Spans::UNITS_PER_SECOND) << 32),
        }
    }

    /// What so many units of [`Spans`] are in cycles.
    pub fn cycles_of(&self, span: u64) -> u64 {
        u64::try_from((u128::from(span) << 32) / u128::from(self.span_scale.max(1))).unwrap_or(u64::MAX)
    }
}

impl Wall for Tsc {
    #[inline]
    fn cycles(&self) -> u64 {
        dpdk::clock::tsc().wrapping_sub(self.origin)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
    fn ticks(&self, reading: u64) -> Ticks {
        Ticks(((u128::from(reading) * u128::from(self.scale)) >> 64) as u32)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "of years")]
    fn span(&self, cycles: u64) -> u64 {
        ((u128::from(cycles) * u128::from(self.span_scale)) >> 32) as u64
    }
}

/// Polls until `stop` is set.
pub fn run<I: PacketIo>(worker: &mut Worker<I>, clock: &impl Wall, mode: PollMode, stop: &AtomicBool) {
    let mut idle = 0u32;
    let mut began = clock.cycles();
    while !stop.load(Ordering::Relaxed) {
        let moved = worker.pass(clock.ticks(began));
        // The end of a pass is the beginning of the next: one reading serves both, and whatever held the worker up is seen.
        let ended = clock.cycles();
        // Not below 0 if a clock of the machine's jumps back.
        let span = clock.span(ended.saturating_sub(began));
        let counters = worker.engine().counters();
        counters.pass_times.count(span);
        if moved > 0 {
            counters.busy_time.add(span);
        } else {
            counters.idle_time.add(span);
        }
        began = ended;
        if moved > 0 || mode == PollMode::Busy {
            idle = 0;
            continue;
        }
        idle = idle.saturating_add(1);
        if let Some(sleep) = sleep_after(idle) {
            // or until the control side has something new: what it changes waits for this worker
            thread::park_timeout(sleep);
            began = clock.cycles();
        }
    }
}

/// How long an adaptive worker sleeps after this many passes without a packet.
fn sleep_after(idle: u32) -> Option<Duration> {
    let beyond = idle.checked_sub(PASSES_BEFORE_SLEEP + 1)?;
    if idle > PASSES_BEFORE_DEEP_SLEEP {
        return Some(DEEP_SLEEP);
    }
    Some((SHORTEST_SLEEP * (1 << (beyond / 16).min(6))).min(LONGEST_SLEEP))
}

/// Why a worker can't run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system refused a thread.
    #[error("the system refuses a thread for worker {0}: {1}")]
    Thread(usize, std::io::Error),
    /// The core does not exist or may not be used.
    #[error(
        "worker {worker} can't be pinned to core {core}: use a core this process may run on (see `taskset -p $$` and \
         `[workers] cores`)"
    )]
    Pin {
        /// The worker.
        worker: usize,
        /// Its core.
        core: usize,
    },
    /// DPDK refused the thread.
    #[error(transparent)]
    Register(#[from] dpdk::EalError),
}

/// Starts worker `number` on a thread of its own, pinned to `core`.
///
/// Returns when it polls. When the thread ends, every packet the worker held is back in its pool.
///
/// # Errors
/// If the thread can't be made, pinned, or registered with EAL.
pub fn start(
    mut worker: Worker<DpdkIo>,
    (number, core): (usize, usize),
    eal: &Eal,
    clock: Tsc,
    mode: PollMode,
    stop: Arc<AtomicBool>,
) -> Result<JoinHandle<()>, StartError> {
    let (ready, started) = std::sync::mpsc::channel();
    let eal = eal.clone();
    let body = move || {
        if !core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
            let _ = ready.send(Err(StartError::Pin { worker: number, core }));
            return;
        }
        let registered = match eal.register_thread() {
            Ok(registered) => registered,
            Err(error) => return drop(ready.send(Err(error.into()))),
        };
        let _ = ready.send(Ok(()));
        run(&mut worker, &clock, mode, &stop);
        // Packets first, then the thread's cache of mbufs.
        drop(worker);
        drop(registered);
    };
    let thread = thread::Builder::new().name(format!("worker-{number}"));
    let handle = thread.spawn(body).map_err(|error| StartError::Thread(number, error))?;
    match started.recv() {
        Ok(Ok(())) => Ok(handle),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(StartError::Pin { worker: number, core }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_grow_and_are_bounded() {
        assert_eq!(sleep_after(PASSES_BEFORE_SLEEP), None);
        assert_eq!(sleep_after(PASSES_BEFORE_SLEEP + 1), Some(SHORTEST_SLEEP));
        let sleeps: Vec<_> = (0..10_000).filter_map(sleep_after).collect();
        assert!(sleeps.is_sorted());
        assert_eq!(sleep_after(u32::MAX), Some(DEEP_SLEEP));
        let shallow: Duration = (0..=PASSES_BEFORE_DEEP_SLEEP).filter_map(sleep_after).sum();
        assert!(shallow >= Duration::from_millis(900));
    }
}
