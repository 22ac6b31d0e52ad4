//! What the system did with workers' threads, by its own word. A worker that polls asks it for nothing.

use std::fs;
use std::path::Path;

use prometheus::{CounterVec, Opts, Registry};

use super::{counters, register};

/// What a worker's thread is called, before its number.
const NAME: &str = "worker-";
const NANOSECONDS: f64 = 1e9;

/// A worker's thread so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Thread {
    /// The worker's number.
    pub(super) worker: String,
    /// Pages that were not there, without and with a disk to be read.
    faults: [u64; 2],
    /// How often it left its core by itself, and because others had it.
    switches: [u64; 2],
    /// How long it was ready to run while others had its core, in nanoseconds.
    waited: u64,
}

/// The threads of all workers; without those that end meanwhile.
pub(super) fn of_workers() -> Vec<Thread> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let mut threads: Vec<_> = tasks.filter_map(|task| read(&task.path())).collect();
    threads.sort_by(|one, other| one.worker.cmp(&other.worker));
    threads
}

fn read(task: &Path) -> Option<Thread> {
    let file = |name: &str| fs::read_to_string(task.join(name)).ok();
    let worker = file("comm")?.trim().strip_prefix(NAME)?.to_owned();
    parse(worker, &file("stat")?, &file("status")?, &file("schedstat")?)
}

fn parse(worker: String, stat: &str, status: &str, schedstat: &str) -> Option<Thread> {
    // Behind the name, which may have anything in it.
    let fields: Vec<_> = stat.rsplit(')').next()?.split_whitespace().collect();
    let fault = |at: usize| fields.get(at)?.parse().ok();
    let switch = |kind: &str| status.lines().find_map(|line| line.strip_prefix(kind))?.trim().parse().ok();
    Some(Thread {
        worker,
        faults: [fault(7)?, fault(9)?],
        switches: [switch("voluntary_ctxt_switches:")?, switch("nonvoluntary_ctxt_switches:")?],
        waited: schedstat.split_whitespace().nth(1)?.parse().ok()?,
    })
}

/// Puts what is known of threads into `registry`.
pub(super) fn gather(registry: &Registry, threads: &[Thread]) -> prometheus::Result<()> {
    let help = "Page faults of the worker's thread, those major that read from a disk. It waits for each.";
    let faults = counters(registry, "ulvs_worker_page_faults_total", help, &["worker", "kind"])?;
    let help = "How often the worker's thread left its core: voluntary to sleep, which it does only if `poll` is adaptive; \
                involuntary because something else ran there.";
    let switches = counters(registry, "ulvs_worker_context_switches_total", help, &["worker", "kind"])?;
    let help = "Time in which something else ran on the core while the worker's thread was ready to.";
    let waited = CounterVec::new(Opts::new("ulvs_worker_preempted_seconds_total", help), &["worker"])?;
    let waited = register(registry, waited)?;
    for thread in threads {
        let id = thread.worker.as_str();
        for (kind, count) in ["minor", "major"].into_iter().zip(thread.faults) {
            faults.with_label_values(&[id, kind]).inc_by(count);
        }
        for (kind, count) in ["voluntary", "involuntary"].into_iter().zip(thread.switches) {
            switches.with_label_values(&[id, kind]).inc_by(count);
        }
        #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
        waited.with_label_values(&[id]).inc_by(thread.waited as f64 / NANOSECONDS);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_as_the_kernel_tells_of_it() {
        let stat = "7 (worker-0) R 1 7 7 0 -1 4194368 12 0 3 0 9 9 0 0 20 0 4 0";
        let status = "Name:\tworker-0\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t8\n";
        let expected = Thread { worker: "0".to_owned(), faults: [12, 3], switches: [5, 8], waited: 1500 };
        assert_eq!(parse("0".to_owned(), stat, status, "99 1500 7"), Some(expected));
        assert_eq!(parse("0".to_owned(), stat, "", "99 1500 7"), None);
    }

    #[test]
    fn workers_are_found_by_their_names() {
        let (told, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name(format!("{NAME}7")).spawn(move || wait.recv());
        while !of_workers().iter().any(|thread| thread.worker == "7") {
            std::thread::yield_now();
        }
        drop(told);
        assert!(thread.unwrap().join().unwrap().is_err());
    }
}
