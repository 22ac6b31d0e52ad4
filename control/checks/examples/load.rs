//! What checking many real servers costs: the processor time of the thread that asks, over real servers on loopback.
//!
//! ```text
//! cargo run --release -p ulvs-checks --example load -- [CHECKS [SECONDS [TYPE...]]]
//! ```
//!
//! Prints for TCP, HTTP and HTTPS (whose certificate `openssl` makes): checks, probes a second, failures, and the thread's share of a processor.

#![allow(clippy::unwrap_used, reason = "an example that can not go on ends")]
#![allow(clippy::cast_precision_loss, reason = "numbers for people")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use ulvs_checks::probe::Target;
use ulvs_checks::{Runner, Watched};
use ulvs_config::{Check, Director};

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).map(|argument| argument.parse::<u32>().unwrap());
    let (count, seconds) = (number(0).unwrap_or(10_000), number(1).unwrap_or(20));
    let kinds = arguments
        .get(2..)
        .filter(|kinds| !kinds.is_empty())
        .map_or_else(|| vec!["tcp", "http", "https"], |kinds| kinds.iter().map(String::as_str).collect());
    for kind in kinds {
        measure(kind, count, Duration::from_secs(seconds.into()));
    }
}

fn measure(kind: &str, count: u32, time: Duration) {
    let tls = (kind == "https").then(tls);
    let server = server(tls.as_ref());
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
    if let Some(reason) = watched.iter().find_map(|one| one.standing().reason) {
        println!("{kind}: one has failed: {reason}");
    }
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
fn server(tls: Option<&Arc<ServerConfig>>) -> SocketAddr {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let address = listener.local_addr().unwrap();
    // handshakes take turns: one thread would wait for each
    for _ in 0..256 {
        let (listener, tls) = (listener.try_clone().unwrap(), tls.cloned());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                match &tls {
                    None => answer(&mut stream),
                    Some(tls) => {
                        let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
                        answer(&mut StreamOwned::new(connection, stream));
                    }
                }
            }
        });
    }
    address
}

fn answer(stream: &mut (impl Read + Write)) {
    if stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
        let _is_gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

/// A new certificate of the kind that most servers have now.
fn tls() -> Arc<ServerConfig> {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=real", "-keyout", "-"])
        .output()
        .unwrap();
    let certificate = CertificateDer::from_pem_slice(&made.stdout).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&made.stdout).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
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
