//! What control operations do to the worker: long passes of its loop while they go on, with traffic running through the
//! real ulvsd.
//!
//! Whatever holds up the worker's core is in a pass: control operations, and on a shared machine everybody else, who may take
//! the core away without the system's knowing. So there is a control experiment, in turn with the worker, in the same run: a
//! thread that does nothing but read the clock, on the same core with the same priority. Both are watched while the operation
//! goes on and while nothing is done; beside the clock a second director does it on the other cores, with the same use of the
//! machine's memory. What the worker itself asks of the system is counted: pages that are not there, and waits. A pass does
//! neither.

mod alone;
mod clock;
mod core;
mod long;
mod operation;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use ulvs_model::ForwardMethod;
use ulvs_wire::parse;

use self::alone::Alone;
use self::clock::KeptOff;
use self::core::Interrupts;
use self::long::Long;
pub(crate) use self::operation::Operation;
use crate::flows::{Frames, Traffic, Way};
use crate::pcap;
use crate::process::{Asked, Preempted, wait_for};
use crate::report::Measured;
use crate::rig::in_a_folder;
use crate::ulvsd::{self, CORE, Load, Progress, Settings, Ulvsd};

/// How long a repeat takes, if its operation does not take longer.
const TIME: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_millis(20);

/// What was seen of the worker and of the clock.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Stall {
    /// How often the operation was done while the worker was watched.
    operations: u32,
    passes: Long,
    /// The worker, while nothing was done.
    passes_at_rest: Long,
    /// The clock, while another director did the same.
    clock_beside: Long,
    /// The clock, while nothing was done.
    clock_at_rest: Long,
    /// Passes over 100 us for each operation, without as many as there are at rest in the same time. Below 0 if those were more.
    excess_per_operation: f64,
    page_faults: u64,
    major_page_faults: u64,
    /// How often the worker left its core by itself.
    waits: u64,
    /// How often other cores interrupted it because of mappings that were gone.
    shootdowns: u64,
}

/// What was seen of the worker.
#[derive(Debug, Default)]
struct Seen {
    alone: Alone,
    /// Of the repeat in which the longest was shortest, and how often the operation was done in it: what disturbs a core only ever
    /// makes passes longer.
    quietest: Option<(Alone, u32)>,
    /// The longest of each repeat's 99.9 %.
    p999: f64,
    preempted: Preempted,
    asked: Asked,
    interrupts: Interrupts,
    passes: Long,
    passes_at_rest: Long,
    clock_beside: Long,
    clock_at_rest: Long,
    operations: u32,
}

/// Measures a stall scenario.
pub(crate) fn run(name: &str, operation: Operation, repeats: usize) -> Result<Measured> {
    in_a_folder(|folder| measure(name, operation, repeats, folder))
}

fn measure(name: &str, operation: Operation, repeats: usize, folder: &Path) -> Result<Measured> {
    let file = folder.join("in.pcap");
    let traffic = Traffic {
        flows: 1 << 16,
        ports: 1,
        vips: 1,
        ipv6: false,
        protocol: parse::UDP,
        tcp_flags: 0,
        way: Way::Requests,
    };
    pcap::write(&file, &Frames::new(traffic), traffic.flows)?;
    let more_services = if operation.needs_services() { operation::SERVICES } else { 0 };
    let settings = Settings { pcap: &file, traffic, method: ForwardMethod::Dr, more_services, load: Load::Endless };
    let director = Ulvsd::start(&ulvsd::program()?, &settings, folder)?;
    let _off = KeptOff::of(CORE)?;
    director.process.prefer();
    // Started from here, it too is kept off the core.
    let aside = folder.join("beside");
    std::fs::create_dir_all(&aside)?;
    let settings_beside = Settings { load: Load::Once, ..settings };
    let beside = Ulvsd::start(&ulvsd::program()?, &settings_beside, &aside)?;
    beside.process.hold()?;
    let mut seen = Seen::default();
    let mut times = Vec::new();
    for _ in 0..repeats {
        times.push(watch(operation, &director, &settings, &mut seen)?);
        rest(&director, &mut seen)?;
        let held = director.progress()?;
        director.process.hold()?;
        control(operation, &beside, &settings_beside, &mut seen)?;
        director.process.go_on()?;
        // The pass it was held in must have ended, and been seen.
        wait_for(|| Ok(director.progress()?.has_advanced_since(&held)))?;
        std::thread::sleep(WINDOW);
    }
    let mut measured = Measured::new(name, times);
    measured.max_loop_us = Some(seen.passes.longest_us);
    measured.notes = notes(operation, &seen);
    measured.stall = Some(seen.stall());
    Ok(measured)
}

/// Does the operation until the time is over, and looks on: `look` is given what the director says every now and then, the
/// last time when it is done. How often it was done.
fn during(
    operation: Operation,
    director: &Ulvsd,
    settings: &Settings<'_>,
    mut look: impl FnMut(Progress),
) -> Result<u32> {
    let until = Instant::now() + TIME;
    std::thread::scope(|scope| {
        let operations = scope.spawn(|| operation.repeat(director, settings, until));
        while !operations.is_finished() {
            std::thread::sleep(WINDOW);
            look(director.progress()?);
        }
        operations.join().map_err(|_| anyhow::anyhow!("the operation panicked"))?
    })
}

/// One repeat; nanoseconds for each packet.
fn watch(operation: Operation, director: &Ulvsd, settings: &Settings<'_>, seen: &mut Seen) -> Result<f64> {
    let (began, interrupts) = (Instant::now(), Interrupts::of(CORE)?);
    let first = director.progress()?;
    let (mut before, mut disturbed) = (first.clone(), true);
    let mut alone = Alone::default();
    let operations = during(operation, director, settings, |now| {
        let preempted = now.preempted.since(before.preempted);
        alone.window(&now.passes_since(&before), preempted, &mut disturbed);
        before = now;
    })?;
    seen.repeat(alone, operations);
    seen.preempted = before.preempted.since(first.preempted).plus(seen.preempted);
    let passes = before.passes_since(&first);
    seen.passes = seen.passes.plus(Long::of(&passes, began.elapsed().as_secs_f64()));
    seen.p999 = seen.p999.max(passes.quantile(0.999).unwrap_or(0.0));
    seen.asked = seen.asked.plus(before.asked.since(first.asked));
    seen.interrupts = seen.interrupts.plus(Interrupts::of(CORE)?.since(interrupts));
    before.per_packet_since(&first)
}

/// The worker while nothing but its status is asked for.
fn rest(director: &Ulvsd, seen: &mut Seen) -> Result<()> {
    let (began, first) = (Instant::now(), director.progress()?);
    while began.elapsed() < TIME {
        std::thread::sleep(WINDOW);
        director.progress()?;
    }
    let passes = director.progress()?.passes_since(&first);
    seen.passes_at_rest = seen.passes_at_rest.plus(Long::of(&passes, began.elapsed().as_secs_f64()));
    Ok(())
}

/// What the core does to a thread that only reads the clock, while another director does the same operation and while it does
/// nothing.
fn control(operation: Operation, beside: &Ulvsd, settings: &Settings<'_>, seen: &mut Seen) -> Result<()> {
    beside.process.go_on()?;
    let (held, _) = clock::beside(CORE, || during(operation, beside, settings, drop))?;
    seen.clock_beside = seen.clock_beside.plus(held);
    beside.process.hold()?;
    let rest = || {
        std::thread::sleep(TIME);
        Ok(())
    };
    let (held, ()) = clock::beside(CORE, rest)?;
    seen.clock_at_rest = seen.clock_at_rest.plus(held);
    Ok(())
}

impl Seen {
    fn repeat(&mut self, alone: Alone, operations: u32) {
        self.operations += operations;
        self.alone = self.alone.plus(alone);
        if alone.are_many() && self.quietest.is_none_or(|(quietest, _)| alone.longest_us < quietest.longest_us) {
            self.quietest = Some((alone, operations));
        }
    }

    fn stall(&self) -> Stall {
        let Self { operations, passes, passes_at_rest, clock_beside, clock_at_rest, asked, .. } = *self;
        let excess = (passes.rate() - passes_at_rest.rate()) * passes.seconds;
        Stall {
            operations,
            passes,
            passes_at_rest,
            clock_beside,
            clock_at_rest,
            excess_per_operation: excess / f64::from(operations.max(1)),
            page_faults: asked.faults,
            major_page_faults: asked.major,
            waits: asked.waits,
            shootdowns: self.interrupts.shootdowns,
        }
    }
}

fn notes(operation: Operation, seen: &Seen) -> Vec<String> {
    let stall = seen.stall();
    let mut notes: Vec<_> = operation.word().map(|what| format!("{} {what}", seen.operations)).into_iter().collect();
    notes.push(format!("99.9 % of passes: at most {:.1} us", seen.p999));
    notes.push(format!("passes over 100 us: {}", seen.passes));
    notes.push(format!("passes over 100 us at rest: {}", seen.passes_at_rest));
    notes.push(format!(
        "spans over 100 us of a clock on its core, another director doing the same: {}",
        seen.clock_beside
    ));
    notes.push(format!("spans over 100 us of a clock on its core at rest: {}", seen.clock_at_rest));
    if operation.word().is_some() {
        let excess = stall.excess_per_operation;
        notes.push(format!("passes over 100 us beyond those at rest: {excess:+.5} an operation"));
    }
    notes.push(format!(
        "the worker itself: {} page faults, {} from disk, {} waits",
        stall.page_faults, stall.major_page_faults, stall.waits,
    ));
    notes.push(format!(
        "its core was taken away {} times for {:.1} ms together, and interrupted {} times for mappings, {} times by other cores, \
         {} times by the rest",
        seen.preempted.times,
        seen.preempted.waited.as_secs_f64() * 1e3,
        seen.interrupts.shootdowns,
        seen.interrupts.calls,
        seen.interrupts.others,
    ));
    notes.push(if core::is_isolated(CORE) {
        format!("core {CORE} is isolated")
    } else {
        format!("core {CORE} is not isolated: the system runs others there, too (docs/sizing.md)")
    });
    notes.push(seen.alone.to_string());
    if let Some((alone, operations)) = seen.quietest {
        let done = operation.word().map_or(String::new(), |what| format!(", {operations} {what}"));
        notes.push(format!("in the quietest repeat{done}: {alone}"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quietest_repeat_is_one_in_which_the_worker_had_its_core() {
        let mut seen = Seen::default();
        for (longest_us, windows) in [(90.0, 50), (20.0, 3), (70.0, 40), (80.0, 50)] {
            seen.repeat(Alone { longest_us, windows, of: 50 }, windows);
        }
        assert_eq!(seen.quietest.map(|(alone, operations)| (alone.windows, operations)), Some((40, 40)));
        assert_eq!((seen.alone.windows, seen.alone.of, seen.operations), (143, 200, 143));
    }

    #[test]
    fn what_there_is_at_rest_is_not_the_operation_s() {
        let long = |over_100_us, seconds| Long { seconds, over_100_us, ..Long::default() };
        let seen = Seen { passes: long(30, 3.0), passes_at_rest: long(8, 1.0), operations: 2, ..Seen::default() };
        assert!((seen.stall().excess_per_operation - 3.0).abs() < 1e-9);
    }
}
