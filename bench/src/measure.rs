//! CPU time of this thread per packet.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use ulvs_engine::snapshot::PortId;
use ulvs_engine::{BURST, TICKS_PER_SECOND, Ticks};
use ulvs_worker::ports::MbufBurst;
use ulvs_worker::{PacketIo, Worker};

use crate::generator::Generator;

/// CPU time this thread has used.
pub(crate) fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// A clock that advances with the packets, as it would at some 10 Mpps: a burst in each pass.
#[derive(Debug, Default)]
pub(crate) struct PacketClock {
    passes: u32,
}

impl PacketClock {
    #[expect(clippy::cast_possible_truncation, reason = "64")]
    const PASSES_PER_TICK: u32 = 10_000_000 / BURST as u32 / TICKS_PER_SECOND;

    #[inline]
    pub(crate) fn next(&mut self) -> Ticks {
        self.passes = self.passes.wrapping_add(1);
        Ticks(self.passes / Self::PASSES_PER_TICK)
    }

    /// Lets `seconds` pass.
    pub(crate) fn skip(&mut self, seconds: u32) {
        self.passes = self.passes.wrapping_add(seconds * TICKS_PER_SECOND * Self::PASSES_PER_TICK);
    }
}

/// Nanoseconds of CPU time for each of `packets` packets through the worker.
pub(crate) fn worker(worker: &mut Worker<Generator>, clock: &mut PacketClock, packets: u64) -> f64 {
    let goal = worker.io().made + packets;
    let before = cpu_time();
    while worker.io().made < goal {
        worker.pass(clock.next());
    }
    per_packet(cpu_time().saturating_sub(before), packets)
}

/// How long passes took, in CPU time of the worker's. What the system does meanwhile is in it: its timer, and devices.
#[derive(Debug, Default)]
pub(crate) struct PassTimes {
    times: Vec<Duration>,
}

impl PassTimes {
    /// Adds the passes of so many packets, of which `counts` is told how many connections each has ended.
    pub(crate) fn watch(
        &mut self,
        worker: &mut Worker<Generator>,
        clock: &mut PacketClock,
        packets: u64,
        counts: impl Fn(u64) -> bool,
    ) {
        let goal = worker.io().made + packets;
        let ended = |worker: &Worker<Generator>| worker.engine().counters().connections_ended.get();
        while worker.io().made < goal {
            let (began, before) = (cpu_time(), ended(worker));
            worker.pass(clock.next());
            let time = cpu_time().saturating_sub(began);
            if counts(ended(worker) - before) {
                self.times.push(time);
            }
        }
    }

    /// As long as this share of them, in microseconds; of none, 0.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "for people"
    )]
    pub(crate) fn quantile(&mut self, share: f64) -> f64 {
        self.times.sort_unstable();
        let at = (self.times.len().saturating_sub(1) as f64 * share) as usize;
        self.times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    }
}

impl std::fmt::Display for PassTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = Self { times: self.times.clone() };
        let [half, most, nearly_all, longest] = [0.5, 0.99, 0.999, 1.0].map(|share| sorted.quantile(share));
        write!(f, "half {half:.1} us, 99 % {most:.1} us, 99.9 % {nearly_all:.1} us, the longest {longest:.0} us")
    }
}

/// Nanoseconds for each packet of the null forwarder: what the generator alone costs.
pub(crate) fn null(generator: &mut Generator, packets: u64) -> f64 {
    let goal = generator.made + packets;
    let mut burst = MbufBurst::default();
    let before = cpu_time();
    while generator.made < goal {
        generator.receive(PortId(0), &mut burst);
        generator.send(PortId(0), &mut burst);
    }
    per_packet(cpu_time().saturating_sub(before), packets)
}

#[expect(clippy::cast_precision_loss, reason = "a quotient for people")]
fn per_packet(time: Duration, packets: u64) -> f64 {
    time.as_nanos() as f64 / packets as f64
}
