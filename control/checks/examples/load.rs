//! What checking many real servers costs: the processor time of the thread that asks, over real servers on loopback.
//!
//! ```text
//! cargo run --release -p ulvs-checks --example load -- [CHECKS [SECONDS]]
//! ```
//!
//! Prints for TCP and for HTTP: checks, probes a second, failures, and the thread's share of a processor.

#![allow(clippy::unwrap_used, reason = "an example that can not go on ends")]
#![allow(clippy::cast_precision_loss, reason = "numbers for people")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ulvs_checks::probe::Target;
use ulvs_checks::{Runner, Watched};
use ulvs_config::{Check, Director};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>().unwrap());
    let count = arguments.next().unwrap_or(10_000);
    let seconds = arguments.next().unwrap_or(20);
    for kind in ["tcp", "http"] {
        measure(kind, count, Duration::from_secs(seconds.into()));
    }
}

fn measure(kind: &str, count: u32, time: Duration) {
    let server = server();
    let check = Arc::new(check(kind));
    let (mut runner, _changes) = Runner::start().unwrap();
    let watched: Vec<_> = (0..count).map(|number| watch(&mut runner, &check, number, server.port())).collect();
    // the first round is not one of many
    std::thread::sleep(Duration::from_secs(6));
    let (cpu, probes, began) = (cpu(), probes(&watched), Instant::now());
    std::thread::sleep(time);
    let elapsed = began.elapsed().as_secs_f64();
    let rate = (self::probes(&watched) - probes) as f64 / elapsed;
    let share = self::cpu().saturating_sub(cpu).as_secs_f64() / elapsed * 100.0;
    let failures: u64 = watched.iter().map(|one| one.standing().failures).sum();
    println!("{kind}: {count} checks every 5 s, {rate:.0} probes/s, {failures} failed, {share:.1} % of a processor");
}

fn check(kind: &str) -> Check {
    let file = "[workers]\ncores = [1]\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n";
    Director::parse(&format!("{file}[check.load]\ntype = \"{kind}\"\n")).unwrap().checks()[0].clone()
}

/// Each its own address of loopback.
fn watch(runner: &mut Runner, check: &Arc<Check>, number: u32, port: u16) -> Arc<Watched> {
    let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + number);
    let watched =
        Arc::new(Watched::new(Arc::clone(check), Target { address: (ip, port).into(), service: None, through: None }));
    runner.watch(number.into(), Arc::clone(&watched)).unwrap();
    watched
}

fn probes(watched: &[Arc<Watched>]) -> u64 {
    watched.iter().map(|one| one.standing().probes).sum()
}

/// All real servers: accepts, reads, and answers what asks for an answer.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            if stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
                let _is_gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
        }
    });
    address
}

/// Processor time of the thread that asks so far.
fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map_while(Result::ok).map(|task| task.path());
    let is_it =
        |task: &std::path::PathBuf| std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "checks\n");
    let spent = |task: std::path::PathBuf| std::fs::read_to_string(task.join("schedstat")).unwrap();
    let nanos = tasks.filter(is_it).map(|task| spent(task).split(' ').next().unwrap().parse::<u64>().unwrap());
    Duration::from_nanos(nanos.sum())
}
