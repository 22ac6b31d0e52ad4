//! Two workers at once, each with its share of the flows, on one table.

use std::sync::Barrier;

use anyhow::{Context, Result, ensure};
use dpdk::{Eal, Mempool};

use crate::director::{Director, Setup};
use crate::flows::{Frames, Traffic};
use crate::generator::{Generator, Order};
use crate::measure::{self, PacketClock};
use crate::report::{self, Measured};
use ulvs_wire::tcp;

/// Packets of each worker in a repeat.
const PACKETS: u64 = 4 << 20;

/// Measures one worker alone, and then both at once: nanoseconds of each one's CPU time. The workers' cores may be others' too,
/// so it is CPU time that is compared: what one worker costs the other by the memory they share shows in it.
pub(crate) fn run(
    name: &str,
    setup: &Setup,
    traffic: Traffic,
    (eal, pool): (&Eal, &Mempool),
    repeats: usize,
) -> Result<Measured> {
    let share = traffic.flows / 2;
    let of = |flags, first| {
        let frames = Frames::new(Traffic { tcp_flags: flags, ..traffic });
        Generator::new(pool, vec![frames], share, Order::Ascending).from(first)
    };
    let scattered = |first| Generator::new(pool, vec![Frames::new(traffic)], share, Order::Scattered).from(first);
    let director = Director::with_workers(setup, of(tcp::SYN, 0), vec![of(tcp::SYN, share)])?;
    let Director { shared, worker: mut one, mut others, .. } = director;
    let mut two = others.pop().context("there is no second worker")?;
    let mut clock = PacketClock::default();
    measure::worker(&mut one, &mut clock, share);
    let mut other_clock = PacketClock::default();
    measure::worker(&mut two, &mut other_clock, share);
    ensure!(shared.connections() == traffic.flows, "{} connections were made", shared.connections());
    (*one.io(), *two.io()) = (scattered(0), scattered(share));
    let mut source = scattered(0);
    let (mut alone, mut both, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=repeats {
        sources.push(measure::null(&mut source, PACKETS));
        alone.push(measure::worker(&mut one, &mut clock, PACKETS));
        let together = Barrier::new(2);
        let (first, second) = std::thread::scope(|scope| -> Result<_> {
            let second = scope.spawn(|| -> Result<f64> {
                let _registered = eal.register_thread()?;
                together.wait();
                Ok(measure::worker(&mut two, &mut other_clock, PACKETS))
            });
            together.wait();
            let first = measure::worker(&mut one, &mut clock, PACKETS);
            let second = second.join().map_err(|_| anyhow::anyhow!("the second worker panicked"))??;
            Ok((first, second))
        })?;
        both.push(f64::midpoint(first, second));
        if round == 0 {
            (alone, both, sources) = (Vec::new(), Vec::new(), Vec::new());
        }
    }
    let forwarded: u64 = shared.workers().iter().map(|worker| worker.forwarded.get()).sum();
    let received: u64 = shared.workers().iter().map(|worker| worker.received.get()).sum();
    ensure!(forwarded == received, "only {forwarded} of {received} packets were forwarded");
    let alone = report::median(alone);
    let mut measured = Measured::new(name, both);
    measured.source_ns_per_packet = Some(report::median(sources));
    measured.notes.push(format!(
        "one worker alone {alone:.1} ns: two do {:.2} times as much in the same time of two cores",
        2.0 * alone / measured.ns_per_packet,
    ));
    Ok(measured)
}
