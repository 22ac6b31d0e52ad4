//! What checking many real servers costs: the processor time of the thread that asks, over real servers on loopback.
//!
//! ```text
//! cargo run --release -p ulvs-checks --example load -- [CHECKS [SECONDS [TYPE...]]]
//! ```
//!
//! Prints for TCP, HTTP, HTTPS that takes any certificate and HTTPS that verifies it (`verified`): checks, probes a second, failures, and the
//! thread's share of a processor.

#![allow(clippy::unwrap_used, reason = "an example that can not go on ends")]
#![allow(clippy::cast_precision_loss, reason = "numbers for people")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
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
        .map_or_else(|| vec!["tcp", "http", "https", "verified"], |kinds| kinds.iter().map(String::as_str).collect());
    for kind in kinds {
        measure(kind, count, Duration::from_secs(seconds.into()));
    }
}

fn measure(kind: &str, count: u32, time: Duration) {
    let (authority, tls) = matches!(kind, "https" | "verified").then(tls).unzip();
    let server = server(tls.as_ref());
    let file = std::env::temp_dir().join(format!("ulvs-load-{}.pem", std::process::id()));
    std::fs::write(&file, authority.unwrap_or_default()).unwrap();
    let check = Arc::new(check(&match kind {
        "verified" => format!("type = \"https\"\nhost = \"real.lab\"\nverify = true\nca = \"{}\"", file.display()),
        kind => format!("type = \"{kind}\""),
    }));
    let (mut runner, _changes) = Runner::start().unwrap();
    let watched: Vec<_> = (0..count).map(|number| watch(&mut runner, &check, number, server.port())).collect();
    std::fs::remove_file(&file).unwrap();
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

fn check(lines: &str) -> Check {
    let file = "[workers]\ncores = [1]\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n";
    Director::parse(&format!("{file}[check.load]\n{lines}\n")).unwrap().checks()[0].clone()
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

/// An authority's certificate, and a server with a chain of the kind that most have now: its own and an intermediate one, P-256.
fn tls() -> (String, Arc<ServerConfig>) {
    let params = |names: &[&str], is_ca| {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.is_ca = is_ca;
        params
    };
    let (ca, key) = (IsCa::Ca(BasicConstraints::Unconstrained), KeyPair::generate().unwrap());
    let authority = CertifiedIssuer::self_signed(params(&[], ca), KeyPair::generate().unwrap()).unwrap();
    let intermediate = CertifiedIssuer::signed_by(params(&[], ca), KeyPair::generate().unwrap(), &authority).unwrap();
    let certificate = params(&["real.lab"], IsCa::NoCa).signed_by(&key, &intermediate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![certificate.der().clone(), intermediate.der().clone()];
    let server = builder.with_no_client_auth().with_single_cert(chain, key.into()).unwrap();
    (authority.pem(), Arc::new(server))
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
