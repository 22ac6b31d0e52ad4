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

/// Packets of each worker in a repeat.
const PACKETS: u64 = 4 << 20;

/// Times that both are measured in a repeat: not all may count.
const ROUNDS: usize = 3;

/// A core on which arithmetic takes more than so many times its least time is another's too.
const FREE: f64 = 1.03;

/// One round: each worker by itself, then both at once.
struct Round {
    /// Nanoseconds of CPU time for a packet, of one worker while the other does nothing.
    alone: f64,
    /// The same while the other is at work, the mean of both.
    together: f64,
    /// Seconds that arithmetic took at that time, before and after, alone and at once, of either: the most.
    arithmetic: f64,
}

impl Round {
    /// How many times as much two workers do as one, in the same time of two cores.
    fn times(&self) -> f64 {
        2.0 * self.alone / self.together
    }
}

/// Measures one worker alone, and then both at once: nanoseconds of each one's CPU time. The workers' cores may be others' too,
/// so it is CPU time that is compared: what one worker costs the other by the memory they share shows in it. So does what the two cores
/// cost each other if they are two halves of one, and what others take of them: so the same threads do arithmetic alone before and after,
/// and rounds in which it takes longer, be it beside the other or not, don't count.
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
    let (mut rounds, mut sources) = (Vec::new(), Vec::new());
    for round in 0..=repeats * ROUNDS {
        let source = measure::null(&mut source, PACKETS);
        let before = arithmetic::seconds();
        let alone = measure::worker(&mut one, &mut clock, PACKETS);
        let after = arithmetic::seconds();
        let (first, second) = at_once(eal, arithmetic::seconds, arithmetic::seconds)?;
        let worker = || measure::worker(&mut one, &mut clock, PACKETS);
        let (mine, other) = at_once(eal, worker, || measure::worker(&mut two, &mut other_clock, PACKETS))?;
        let (third, fourth) = at_once(eal, arithmetic::seconds, arithmetic::seconds)?;
        let arithmetic = [before, after, first, second, third, fourth].into_iter().fold(0.0, f64::max);
        // The first warms up.
        if round > 0 {
            rounds.push(Round { alone, together: f64::midpoint(mine, other), arithmetic });
            sources.push(source);
        }
    }
    let forwarded: u64 = shared.workers().iter().map(|worker| worker.forwarded.get()).sum();
    let received: u64 = shared.workers().iter().map(|worker| worker.received.get()).sum();
    ensure!(forwarded == received, "only {forwarded} of {received} packets were forwarded");
    let least = rounds.iter().map(|round| round.arithmetic).fold(f64::INFINITY, f64::min);
    let free: Vec<_> = rounds.iter().filter(|round| round.arithmetic <= FREE * least).collect();
    let all: Vec<_> = rounds.iter().collect();
    // Fewer would say little.
    let counted = if free.len() < repeats { &all } else { &free };
    let of = |rounds: &[&Round], what: fn(&Round) -> f64| rounds.iter().map(|round| what(round)).collect::<Vec<_>>();
    let mut measured = Measured::new(name, of(counted, |round| round.together));
    measured.source_ns_per_packet = Some(report::median(sources));
    measured.notes.push(format!(
        "one worker alone {:.1} ns: two do {:.2} times as much in the same time of two cores",
        report::median(of(counted, |round| round.alone)),
        report::median(of(counted, Round::times)),
    ));
    measured.notes.push(format!(
        "in {} of {} rounds both cores were free, which {} counted: arithmetic took no more than {FREE} times its least; in all rounds two \
         did {:.2} times as much, and a packet took {:.1} ns",
        free.len(),
        all.len(),
        if free.len() < repeats { "is too few to be" } else { "are those" },
        report::median(of(&all, Round::times)),
        report::median(of(&all, |round| round.together)),
    ));
    Ok(measured)
}

/// Does both at the same time, the second in a thread of its own.
fn at_once<T: Send>(eal: &Eal, first: impl FnOnce() -> T, second: impl FnOnce() -> T + Send) -> Result<(T, T)> {
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            // Whether it could be registered is asked when the other one waits no longer.
            let registered = eal.register_thread();
            start.wait();
            let did = second();
            registered.map(|_| did)
        });
        start.wait();
        let first = first();
        let second = second.join().map_err(|_| anyhow::anyhow!("the second worker panicked"))?;
        Ok((first, second?))
    })
}
