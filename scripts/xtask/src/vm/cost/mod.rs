//! Guest instructions per packet: ulvs on bound NICs against the kernel's IPVS, at the same offered rates. The guest's clock counts
//! instructions, so that neither the machine's speed nor its load is in the figures. Instructions are not time: caches, memory
//! and the width of what one instruction does are not in them.

mod director;
mod load;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;

use self::director::{Clock, Director, METHODS, Poll};
use self::load::{FLOWS, Load, PAYLOAD};
use super::{Guest, Hardware, Nic, lab, up};
use crate::shell::Shell;

/// `-icount shift=1`: so many of the guest's instructions are a second of its clock.
const PER_SECOND: f64 = 500e6;
/// How long the director is looked at without packets.
const QUIET: Duration = Duration::from_secs(3);

/// What ulvs may need for a packet by DR, and how much less it has to need than the kernel.
const MOST: f64 = 1200.0;
const LEAST_RATIO: f64 = 7.0;

/// What the figures are, and what they are not.
const LIMITS: &str = "\nAll by the same formula: the time the director was busy, less what it is busy without packets, by packets that \
    reached the real servers' link. Of the kernel all of the guest's time but idling is busy: interrupts and drivers are in it. Of ulvs \
    the passes of its poll loop that found packets are, from one reading of the clock to the next, DPDK's drivers in them, and what else \
    the guest's only CPU did meanwhile; empty passes are what waiting is to the kernel, and so are an adaptive worker's sleeps, whose \
    system calls are not in its figure. What a pass costs beside its packets is spread over those that it found.\n\n\
    With `poll = \"busy\"` the guest's interruptions are in the figures: a worker that never sleeps has them in some pass, and passes \
    that find packets have far more of them than others. It seems that QEMU hands packets over when it takes the CPU from the guest, \
    which is when the guest's timers interrupt it; an adaptive worker mostly sleeps then. One look at how long passes were, DR at \
    5,000 a second: of 4,313 that found packets, 4.6 at a time, about 3,600 took 3 to 12 microseconds, roughly 800 instructions a \
    packet; about 700 took as long as empty passes with an interruption, and had two thirds of the time.\n\n\
    Instructions are not time: caches, memory and wide instructions are not in them, and an emulated CPU runs other branches of \
    libraries than a real one.\n";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Packets per second, one rate after the other; the bars are for the first.
    #[arg(long, value_delimiter = ',', default_values_t = RATES)]
    rates: Vec<u32>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = SECONDS)]
    seconds: u32,
    /// Measurements of each, of which the median counts.
    #[arg(long, default_value_t = ROUNDS, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
}

const RATES: [u32; 2] = [5000, 20_000];
const SECONDS: u32 = 3;
const ROUNDS: u8 = 3;

impl Default for Arguments {
    fn default() -> Self {
        Self { rates: RATES.into(), seconds: SECONDS, rounds: ROUNDS }
    }
}

/// One method at one rate.
pub(crate) struct Row {
    method: &'static str,
    rate: u32,
    kernel: Cost,
    /// With `poll = "adaptive"`, for which the bars are.
    adaptive: Cost,
    busy: Cost,
}

impl Row {
    fn ratio(&self, ulvs: Cost) -> f64 {
        self.kernel.instructions / ulvs.instructions
    }
}

impl Row {
    fn is_good(&self) -> bool {
        let Cost { instructions, .. } = self.adaptive;
        self.ratio(self.adaptive) >= LEAST_RATIO && (self.method != "DR" || instructions <= MOST)
    }
}

/// The rows at the first rate, for which the bars are.
fn judged(rows: &[Row]) -> impl Iterator<Item = &Row> {
    let rate = rows.first().map(|row| row.rate);
    rows.iter().filter(move |row| Some(row.rate) == rate)
}

/// Whether the figures at the first rate are within the bars.
pub(crate) fn is_good(rows: &[Row]) -> bool {
    judged(rows).all(Row::is_good)
}

/// The figures and their limits, as Markdown.
pub(crate) fn measured(rows: &[Row]) -> String {
    let mut text = format!(
        "\n## Cost\n\nGuest instructions for a packet to a real server, UDP of {} bytes, {FLOWS} flows with their connections made; beside \
         those of ulvs how many packets it found at a time, and the ratio of the kernel's to it:\n\n\
         | packets a second | method | kernel IPVS | ulvs, `adaptive` | at a time | ratio | ulvs, `busy` | at a time | ratio |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        PAYLOAD.len(),
    );
    for row in rows {
        let _ = write!(text, "| {} | {} | {:.0} |", row.rate, row.method, row.kernel.instructions);
        for ulvs in [row.adaptive, row.busy] {
            let _ = write!(text, " {:.0} | {:.1} | {:.1} |", ulvs.instructions, ulvs.at_a_time, row.ratio(ulvs));
        }
        text += "\n";
    }
    let missed: Vec<_> = judged(rows).filter(|row| !row.is_good()).map(|row| row.method).collect();
    let bars = if missed.is_empty() { "met".to_owned() } else { format!("**missed** by {}", missed.join(", ")) };
    text + &format!(
        "\nThe bars, at most {MOST} for DR and a ratio of {LEAST_RATIO} for each, with `adaptive` at the first rate, are {bars}.\n"
    ) + LIMITS
}

/// Measures the kernel and ulvs with both ways to poll, one guest after the other.
pub(crate) fn measure(name: &str, arguments: &Arguments) -> Result<Vec<Row>> {
    let kernel = figures(name, Director::Kernel, arguments)?;
    let adaptive = figures(name, Director::Ulvs(Poll::Adaptive), arguments)?;
    let busy = figures(name, Director::Ulvs(Poll::Busy), arguments)?;
    lab(name, &["down"])?;
    let ulvs = adaptive.into_iter().zip(busy);
    let rows = kernel.into_iter().zip(ulvs);
    Ok(rows
        .map(|((method, rate, kernel), ((.., adaptive), (.., busy)))| Row { method, rate, kernel, adaptive, busy })
        .collect())
}

/// A director's instructions per packet, of each method at each rate.
fn figures(name: &str, director: Director, arguments: &Arguments) -> Result<Vec<(&'static str, u32, Cost)>> {
    lab(name, &["down"])?;
    up(name, &Hardware { nic: Nic::Virtio, iommu: false, queues: 1, cpus: 1, icount: true })?;
    let load = Load::new(name)?;
    let mut shell = Guest::of(name).shell(1)?;
    director.prepare(&mut shell, name)?;
    let mut figures = Vec::new();
    for &rate in &arguments.rates {
        for (method, vip, _) in METHODS {
            // the neighbours are known, and every flow has its connection
            load.play(vip, rate, 1)?;
            let quiet = director.clock(&mut shell)?;
            std::thread::sleep(QUIET);
            let quiet = Span { from: quiet, to: director.clock(&mut shell)? };
            let mut costs = Vec::new();
            for _ in 0..arguments.rounds {
                costs.push(cost(director, &mut shell, quiet.busy_share(), || load.play(vip, rate, arguments.seconds))?);
            }
            costs.sort_by(|a, b| a.instructions.total_cmp(&b.instructions));
            let cost = costs[costs.len() / 2];
            let all = costs.iter().map(|cost| cost.instructions).collect::<Vec<_>>();
            say!("{director:?} {method} at {rate}/s: {:.0} instructions per packet of {all:.0?}", cost.instructions);
            figures.push((method, rate, cost));
        }
    }
    Ok(figures)
}

/// Of one packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    instructions: f64,
    /// How many packets were found at a time.
    at_a_time: f64,
}

fn cost(director: Director, shell: &mut Shell, idle: f64, play: impl FnOnce() -> Result<f64>) -> Result<Cost> {
    let from = director.clock(shell)?;
    let packets = play()?;
    let span = Span { from, to: director.clock(shell)? };
    Ok(Cost {
        instructions: span.all() * (span.busy_share() - idle) / packets * PER_SECOND,
        at_a_time: packets / (span.to.finds - span.from.finds).max(1.0),
    })
}

/// Between two readings of a director's clock.
struct Span {
    from: Clock,
    to: Clock,
}

impl Span {
    fn all(&self) -> f64 {
        self.to.all - self.from.all
    }

    fn busy_share(&self) -> f64 {
        (self.to.busy - self.from.busy) / self.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_for_the_first_rate() {
        let cost = |instructions| Cost { instructions, at_a_time: 1.0 };
        let row = |method, rate, kernel, ulvs| Row {
            method,
            rate,
            kernel: cost(kernel),
            adaptive: cost(ulvs),
            busy: cost(1.0),
        };
        assert!(is_good(&[row("DR", 5, 8400.0, 1200.0), row("NAT", 5, 9800.0, 1400.0), row("DR", 9, 1.0, 1.0)]));
        assert!(!is_good(&[row("DR", 5, 9900.0, 1201.0)]));
        assert!(!is_good(&[row("DR", 5, 8400.0, 1200.0), row("NAT", 5, 9700.0, 1400.0)]));
        assert!(
            measured(&[row("DR", 5, 8400.0, 1200.0)])
                .contains("| 5 | DR | 8400 | 1200 | 1.0 | 7.0 | 1 | 1.0 | 8400.0 |\n")
        );
    }

    #[test]
    fn what_is_busy_without_packets_does_not_count() {
        let from = Clock { all: 1.0, busy: 1.0, finds: 0.0 };
        let span = Span { from, to: Clock { all: 5.0, busy: 2.0, finds: 9.0 } };
        assert!((span.busy_share() - 0.25).abs() < 1e-9 && (span.all() - 4.0).abs() < 1e-9);
    }
}
