//! What control operations do to the worker: the longest pass of its loop while they go on, with traffic running through the
//! real ulvsd.
//!
//! Whatever holds up the worker's core is in a pass: control operations, and other programs of a shared machine. So time is
//! cut into short windows, and those in which the system took the core away are told apart; and between the measurements
//! ulvsd is held and a thread that does nothing but read the clock shows what the machine does to its core anyway.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, gettid};
use ulvs_api::{ConnectionQuery, PassTimes};
use ulvs_model::ForwardMethod;
use ulvs_wire::parse;

use crate::flows::{FIRST_PORT, FIRST_VIP, Frames, REAL_SERVER, Traffic, Way};
use crate::netlink::Netlink;
use crate::pcap;
use crate::process::{Preempted, prefer, wait_for};
use crate::report::Measured;
use crate::rig::in_a_folder;
use crate::ulvsd::{self, CORE, Settings, Ulvsd};

/// Services that are loaded.
const SERVICES: u32 = 10_000;
/// Changes of one real server in a second.
const EDITS_PER_SECOND: u32 = 1000;
/// How long a repeat takes, if its operation does not take longer.
const TIME: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_millis(20);

/// What the control side does meanwhile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    /// Nothing but telling its status.
    Idle,
    /// 10,000 services with 10 real servers each are loaded, and removed.
    Services,
    /// The weight of one real server among 10,000 services is changed 1,000 times a second.
    Edit,
    /// The whole connection table is listed, again and again.
    List,
    /// The metrics of 10,000 services are scraped, again and again.
    Scrape,
}

impl Operation {
    pub(crate) const ALL: [(&str, Self); 5] = [
        ("stall-idle", Self::Idle),
        ("stall-services", Self::Services),
        ("stall-edit", Self::Edit),
        ("stall-list", Self::List),
        ("stall-scrape", Self::Scrape),
    ];

    /// Whether the services are there from the start.
    const fn needs_services(self) -> bool {
        matches!(self, Self::Edit | Self::Scrape)
    }

    /// Does it again and again until the time is over; how often.
    fn repeat(self, director: &Ulvsd, settings: &Settings<'_>, until: Instant) -> Result<u32> {
        let netlink = Netlink::connect(&director.netlink())?;
        let began = Instant::now();
        let mut count = 0;
        while Instant::now() < until {
            match self {
                Self::Idle => std::thread::sleep(WINDOW),
                Self::Services => {
                    director.reload(&Settings { more_services: SERVICES, ..*settings })?;
                    director.reload(settings)?;
                }
                Self::Edit => {
                    let weight = i32::try_from(count % 100).unwrap_or(0) + 1;
                    let service = SocketAddr::from((Ipv4Addr::from_bits(FIRST_VIP), FIRST_PORT));
                    let real_server = SocketAddr::from((Ipv4Addr::from_bits(REAL_SERVER + 1), FIRST_PORT));
                    let method = ForwardMethod::Dr.code().into();
                    netlink.set_weight((parse::UDP, service), (real_server, method), weight)?;
                    let due = began + Duration::from_secs(1) * (count + 1) / EDITS_PER_SECOND;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                Self::List => list(director)?,
                Self::Scrape => scrape(director)?,
            }
            count += 1;
        }
        Ok(count)
    }
}

/// Walks the whole connection table.
fn list(director: &Ulvsd) -> Result<()> {
    let mut cursor = None;
    loop {
        let page = director.client.connections(&ConnectionQuery { cursor, ..ConnectionQuery::default() })?;
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn scrape(director: &Ulvsd) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, director.metrics))?;
    stream.write_all(b"GET /metrics?scope=real HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    ensure!(page.contains("ulvs_real_server_weight"), "ulvsd gives no metrics");
    Ok(())
}

/// What was seen of the worker.
#[derive(Debug, Default)]
struct Seen {
    /// The longest pass of all, and of the windows in which nobody else had the core, in microseconds.
    longest: f64,
    longest_alone: f64,
    windows: u32,
    windows_alone: u32,
    /// The longest of each repeat's 99.9 %.
    p999: f64,
    preempted: Preempted,
    /// The longest time a thread that only reads the clock was held up on the same core.
    machine: f64,
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
    let more_services = if operation.needs_services() { SERVICES } else { 0 };
    let settings = Settings { pcap: &file, traffic, method: ForwardMethod::Dr, more_services };
    let director = Ulvsd::start(&ulvsd::program()?, &settings, folder)?;
    let _off = KeptOff::of(CORE)?;
    director.process.prefer();
    let mut seen = Seen::default();
    let mut times = Vec::new();
    for _ in 0..repeats {
        let held = director.progress()?;
        director.process.hold()?;
        seen.machine = seen.machine.max(hold_ups(CORE)?);
        director.process.go_on()?;
        // The pass it was held in must have ended, and been seen.
        wait_for(|| Ok(director.progress()?.has_advanced_since(&held)))?;
        std::thread::sleep(WINDOW);
        times.push(watch(operation, &director, &settings, &mut seen)?);
    }
    let mut measured = Measured::new(name, times);
    measured.max_loop_us = Some(seen.longest);
    measured.notes = notes(operation, &seen);
    Ok(measured)
}

/// One repeat; nanoseconds for each packet.
fn watch(operation: Operation, director: &Ulvsd, settings: &Settings<'_>, seen: &mut Seen) -> Result<f64> {
    let until = Instant::now() + TIME;
    let first = director.progress()?;
    let (last, operations) = std::thread::scope(|scope| -> Result<_> {
        let operations = scope.spawn(|| operation.repeat(director, settings, until));
        let mut before = first.clone();
        let mut disturbed = true;
        while !operations.is_finished() {
            std::thread::sleep(WINDOW);
            let now = director.progress()?;
            let (passes, preempted) = (now.passes_since(&before), now.preempted.since(before.preempted));
            seen.window(&passes, preempted, &mut disturbed);
            before = now;
        }
        let operations = operations.join().map_err(|_| anyhow::anyhow!("the operation panicked"))??;
        Ok((before, operations))
    })?;
    seen.operations += operations;
    seen.p999 = seen.p999.max(last.passes_since(&first).quantile(0.999).unwrap_or(0.0));
    last.per_packet_since(&first)
}

impl Seen {
    /// `disturbed` tells whether the pass that is under way when a window ends was: it is seen in the window in which it ends.
    fn window(&mut self, passes: &PassTimes, preempted: Preempted, disturbed: &mut bool) {
        self.windows += 1;
        self.longest = self.longest.max(passes.longest_us);
        self.preempted.times += preempted.times;
        self.preempted.waited += preempted.waited;
        let is_alone = preempted.times == 0;
        if is_alone && !*disturbed {
            self.windows_alone += 1;
            self.longest_alone = self.longest_alone.max(passes.longest_us);
        }
        *disturbed = !is_alone || (*disturbed && passes.passes.is_empty());
    }
}

fn notes(operation: Operation, seen: &Seen) -> Vec<String> {
    let done = match operation {
        Operation::Idle => None,
        Operation::Services => Some("times all services loaded and removed"),
        Operation::Edit => Some("changes"),
        Operation::List => Some("listings"),
        Operation::Scrape => Some("scrapes"),
    };
    let mut notes: Vec<_> = done.map(|what| format!("{} {what}", seen.operations)).into_iter().collect();
    notes.push(format!("99.9 % of passes: at most {:.1} us", seen.p999));
    notes.push(format!(
        "longest pass {:.0} us; {:.0} us in the {} of {} windows of {} ms in which nobody else had the core",
        seen.longest,
        seen.longest_alone,
        seen.windows_alone,
        seen.windows,
        WINDOW.as_millis(),
    ));
    notes.push(format!(
        "core taken away {} times for {:.1} ms together; a thread that only reads the clock is held up for {:.0} us there",
        seen.preempted.times,
        seen.preempted.waited.as_secs_f64() * 1e3,
        seen.machine,
    ));
    notes
}

/// This thread, and those it starts, are kept off a core until this is dropped.
struct KeptOff {
    before: CpuSet,
}

impl KeptOff {
    fn of(core: usize) -> Result<Self> {
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

/// How long the machine holds up a thread on this core that does nothing but read the clock, in microseconds.
fn hold_ups(core: usize) -> Result<f64> {
    let spin = move || -> Result<f64> {
        let mut only = CpuSet::new();
        only.set(core)?;
        sched_setaffinity(Pid::from_raw(0), &only)?;
        prefer(&gettid().to_string());
        let began = Instant::now();
        let (mut last, mut longest) = (began, Duration::ZERO);
        while last < began + TIME {
            let now = Instant::now();
            longest = longest.max(now - last);
            last = now;
        }
        Ok(longest.as_secs_f64() * 1e6)
    };
    std::thread::spawn(spin).join().map_err(|_| anyhow::anyhow!("the clock panicked"))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulvs_api::Passes;

    #[test]
    fn a_pass_that_was_held_up_is_not_the_worker_s_own() {
        let passes = |longest_us, count| PassTimes {
            longest_us,
            passes: (count > 0).then_some(Passes { below_us: Some(longest_us), count }).into_iter().collect(),
        };
        let taken = Preempted { times: 1, waited: Duration::from_millis(50) };
        let mut seen = Seen::default();
        let mut disturbed = false;
        // The core is taken in the second window and given back in the fourth.
        for (passes, preempted) in [
            (passes(3.0, 9), Preempted::default()),
            (passes(4.0, 9), taken),
            (passes(0.0, 0), Preempted::default()),
            (passes(50_000.0, 9), Preempted::default()),
            (passes(5.0, 9), Preempted::default()),
        ] {
            seen.window(&passes, preempted, &mut disturbed);
        }
        assert_eq!((seen.windows, seen.windows_alone), (5, 2));
        assert!((seen.longest - 50_000.0).abs() < 1e-9 && (seen.longest_alone - 5.0).abs() < 1e-9);
    }
}
