//! Everything that ordinary memory is enough for. One test, since a process has one EAL.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod capture;
mod packets;
mod ports;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use dpdk::{Eal, EalError, LogLevel, Mempool, MempoolConfig, clock, eal::set_log_handler};

static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[test]
fn packets_ports_and_errors() {
    let dir = Scratch::new();
    let frames = capture::frames(100);
    capture::write(&dir.path("in.pcap"), &frames);
    set_log_handler(|_, line| LOG.lock().unwrap().push(line.to_owned()));

    let cpus = allowed_cpus();
    let eal = start(&dir);
    assert_eq!(allowed_cpus(), cpus, "the EAL keeps its caller pinned");
    assert!(matches!(Eal::builder().no_huge().init(), Err(EalError::AlreadyInitialised)));
    assert_eq!(eal.ports(), ["net_null0", "net_null1", "net_pcap0", "net_ring0"]);
    assert!(eal.version().starts_with("DPDK 2"), "{}", eal.version());
    let hz = clock::tsc_hz(&eal);
    assert!(hz > 100_000_000, "{hz}");
    assert!(clock::tsc() < clock::tsc());

    ports::port_errors(&eal);
    packets::pools(&eal);
    packets::packets(&eal);
    packets::bursts(&eal);
    ports::null_port(&eal);
    ports::refused_packets_stay(&eal);
    ports::capture_is_forwarded(&eal, &dir, &frames);
    ports::other_threads(&eal);
    packets::pool_outlives_its_packets(&eal);
    assert!(!LOG.lock().unwrap().is_empty(), "the log goes to the handler");
}

fn start(dir: &Scratch) -> Eal {
    let pcap =
        format!("net_pcap0,rx_pcap={},tx_pcap={}", dir.path("in.pcap").display(), dir.path("out.pcap").display());
    Eal::builder()
        .no_huge()
        .memory_mib(128)
        .log_level(LogLevel::Debug)
        .vdev("net_null0,size=64")
        .vdev("net_null1,size=64")
        .vdev(pcap)
        .vdev("net_ring0")
        .init()
        .unwrap()
}

fn pool(eal: &Eal, name: &str) -> Mempool {
    Mempool::new(eal, name, &MempoolConfig { count: 2047, cache: 32, ..MempoolConfig::default() }).unwrap()
}

fn assert_all_home(pool: &Mempool) {
    assert_eq!((pool.available(), pool.in_use()), (pool.capacity(), 0), "packets of {} are lost", pool.name());
}

fn allowed_cpus() -> String {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find(|line| line.starts_with("Cpus_allowed:")).unwrap().to_owned()
}

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dpdk-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
