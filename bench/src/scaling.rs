//! Two workers at once, each with its share of the flows, on one table.

use std::sync::Barrier;

use anyhow::{Context, Result, ensure};
use dpdk::{Eal, Mempool};

use crate::arithmetic;
use crate::director::{Director, Setup};
use crate::flows::{Frames, Traffic};
use crate::generator::{Generator, Order};
use crate::measure::{self, PacketClock};
use crate::report::{self, Measured};
use ulvs_wire::tcp;
use ulvs_worker::Worker;

/// Packets of each worker in a repeat.
const PACKETS: u64 = 4 << 20;

/// Times that both are measured in a repeat: not all may count.
const ROUNDS: usize = 3;

/// Two cores that do less than so many times as much arithmetic as one are not two.
const FREE: f64 = 1.95;

/// What both workers did at once.
struct Together {
    /// Of each worker's CPU time for a packet, the mean.
    nanoseconds: f64,
    /// How many times as much arithmetic as one the two cores did at that time, before or after, whichever is less.
    cores: f64,
}

/// Measures one worker alone, and then both at once: nanoseconds of each one's CPU time. The workers' cores may be others' too,
/// so it is CPU time that is compared: what one worker costs the other by the memory they share shows in it. So does what the two cores
/// cost each other if they are one: so before and after the same two threads do arithmetic alone, and repeats in which they can't do twice as
/// much as one are told apart.
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
    for round in 0..=repeats * ROUNDS {
        sources.push(measure::null(&mut source, PACKETS));
        alone.push(measure::worker(&mut one, &mut clock, PACKETS));
        let quiet = arithmetic::seconds();
        let start = Barrier::new(2);
        let (first, second) = std::thread::scope(|scope| -> Result<_> {
            let second = scope.spawn(|| -> Result<_> {
                // Whether it could be registered is asked when the other one waits no longer.
                let registered = eal.register_thread();
                let did = beside(&start, &mut two, &mut other_clock);
                registered?;
                Ok(did)
            });
            let first = beside(&start, &mut one, &mut clock);
            let second = second.join().map_err(|_| anyhow::anyhow!("the second worker panicked"))??;
            Ok((first, second))
        })?;
        let nanoseconds = f64::midpoint(first.0, second.0);
        both.push(Together { nanoseconds, cores: 2.0 * quiet / f64::midpoint(first.1, second.1) });
        if round == 0 {
            (alone, both, sources) = (Vec::new(), Vec::new(), Vec::new());
        }
    }
    let forwarded: u64 = shared.workers().iter().map(|worker| worker.forwarded.get()).sum();
    let received: u64 = shared.workers().iter().map(|worker| worker.received.get()).sum();
    ensure!(forwarded == received, "only {forwarded} of {received} packets were forwarded");
    let alone = report::median(alone);
    let (free, shared): (Vec<_>, Vec<_>) = both.iter().partition(|one| one.cores >= FREE);
    let times = |of: &[&Together]| of.iter().map(|one| one.nanoseconds).collect::<Vec<_>>();
    let mut measured = Measured::new(name, times(if free.is_empty() { &shared } else { &free }));
    measured.source_ns_per_packet = Some(report::median(sources));
    measured.notes.push(format!(
        "one worker alone {alone:.1} ns: two do {:.2} times as much in the same time of two cores",
        2.0 * alone / measured.ns_per_packet,
    ));
    if free.is_empty() {
        measured.notes.push(format!(
            "two cores never did {FREE} times as much arithmetic as one: they are no two cores, or others' too"
        ));
    } else if !shared.is_empty() {
        let cores = report::median(shared.iter().map(|one| one.cores).collect());
        measured.notes.push(format!(
            "{} of {} repeats are not in it: two cores did {cores:.2} times as much arithmetic as one in them, and {FREE} or more in \
             the others; a packet took {:.1} ns",
            shared.len(),
            both.len(),
            report::median(times(&shared)),
        ));
    }
    Ok(measured)
}

/// One of the two: nanoseconds for a packet, and the seconds of arithmetic, before or after, whichever are more.
fn beside(start: &Barrier, worker: &mut Worker<Generator>, clock: &mut PacketClock) -> (f64, f64) {
    start.wait();
    let before = arithmetic::seconds();
    start.wait();
    let nanoseconds = measure::worker(worker, clock, PACKETS);
    start.wait();
    (nanoseconds, before.max(arithmetic::seconds()))
}
