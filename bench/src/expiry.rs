//! A million connections end while others have traffic.

use anyhow::{Result, ensure};
use dpdk::Mempool;

use crate::director::{Director, Setup};
use crate::flows::{Frames, Traffic};
use crate::generator::{Generator, Order};
use crate::measure::{self, PacketClock, PassTimes};
use crate::report::{self, Measured};

/// Connections that end.
const ENDING: u64 = 1 << 20;
/// Connections with traffic.
const BUSY: u64 = 1 << 16;
/// Packets between two looks at how many have ended.
const STEP: u64 = 1 << 16;

/// Measures packets of the busy connections while the others end. `setup` is of UDP, whose timeout is 300 s.
pub(crate) fn run(name: &str, setup: &Setup, traffic: Traffic, pool: &Mempool, repeats: usize) -> Result<Measured> {
    let ending = Generator::new(pool, vec![Frames::new(traffic)], ENDING, Order::Ascending).from(BUSY);
    let busy = || Generator::new(pool, vec![Frames::new(traffic)], BUSY, Order::Scattered);
    let mut director = Director::new(setup, ending)?;
    let mut clock = PacketClock::default();
    let mut source = busy();
    let (mut times, mut before, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ending, mut at_rest) = (PassTimes::default(), PassTimes::default());
    // In the last round each pass is timed, which takes time itself.
    for round in 0..=repeats {
        *director.worker.io() = Generator::new(pool, vec![Frames::new(traffic)], ENDING, Order::Ascending).from(BUSY);
        measure::worker(&mut director.worker, &mut clock, ENDING);
        *director.worker.io() = busy();
        measure::worker(&mut director.worker, &mut clock, BUSY);
        let live = director.shared.connections();
        ensure!(live == ENDING + BUSY, "{live} connections were made");
        sources.push(measure::null(&mut source, 16 * STEP));
        before.push(measure::worker(&mut director.worker, &mut clock, 16 * STEP));
        if round == repeats {
            at_rest.watch(&mut director.worker, &mut clock, 16 * STEP, |ended| ended == 0);
        }
        // Half a second before the time of all is over; the busy ones begin anew with the next packets.
        clock.skip(299);
        let (mut spent, mut packets) = (0.0, 0_u32);
        while director.shared.connections() > BUSY {
            let time = if round < repeats {
                measure::worker(&mut director.worker, &mut clock, STEP)
            } else {
                ending.watch(&mut director.worker, &mut clock, STEP, |ended| ended > 0);
                0.0
            };
            // Until the sweep comes to them nothing is different.
            let has_begun = director.shared.connections() < live;
            (spent, packets) = if has_begun { (spent + time, packets + 1) } else { (0.0, 0) };
            ensure!(director.shared.connections() >= BUSY, "connections with traffic have ended");
        }
        if round < repeats {
            times.push(spent / f64::from(packets.max(1)));
        }
    }
    let mut measured = Measured::new(name, times);
    measured.source_ns_per_packet = Some(report::median(sources));
    let before = report::median(before);
    measured.max_loop_us = Some(ending.quantile(1.0));
    measured.notes.push(format!("{before:.1} ns a packet before"));
    measured.notes.push(format!("CPU time of passes in which connections end: {ending}"));
    measured.notes.push(format!("CPU time of passes before: {at_rest}"));
    Ok(measured)
}
