//! CPU time of this thread per packet.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use ulvs_engine::snapshot::PortId;
use ulvs_engine::{TICKS_PER_SECOND, Ticks};
use ulvs_worker::ports::MbufBurst;
use ulvs_worker::{PacketIo, Worker};

use crate::generator::Generator;

/// CPU time this thread has used.
pub(crate) fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// A clock that advances with the packets, as it would at some 10 Mpps: 64 packets in each pass.
#[derive(Debug, Default)]
pub(crate) struct PacketClock {
    passes: u32,
}

impl PacketClock {
    const PASSES_PER_TICK: u32 = 10_000_000 / 64 / TICKS_PER_SECOND;

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

/// The longest pass of so many packets, in CPU time.
pub(crate) fn longest_pass(worker: &mut Worker<Generator>, clock: &mut PacketClock, packets: u64) -> Duration {
    let goal = worker.io().made + packets;
    let mut longest = Duration::ZERO;
    let mut before = cpu_time();
    while worker.io().made < goal {
        worker.pass(clock.next());
        let now = cpu_time();
        longest = longest.max(now.saturating_sub(before));
        before = now;
    }
    longest
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
