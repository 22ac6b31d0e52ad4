//! Huge pages: taken without leaving files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use dpdk::{Burst, Eal, EalError, Mempool, MempoolConfig, Port, PortConfig};

const MIB: u32 = 64;

#[test]
fn huge_pages_leave_no_files() {
    // Nothing of this is DPDK's yet, so it may fail without using up the process's one EAL.
    let Err(EalError::HugePages { pages, .. }) = Eal::builder().memory_mib(u32::MAX).init() else {
        panic!("4 PiB of huge pages");
    };
    assert!(pages > 0);

    let files = mounted_files();
    let cpus = threads_cpus("huge_pages");
    let eal = match Eal::builder().main_core(0).memory_mib(MIB).vdev("net_null0,size=60,copy=1").init() {
        Ok(eal) => eal,
        Err(err @ EalError::HugePages { .. }) => {
            println!("skipped: {err}");
            return;
        }
        Err(err) => panic!("{err}"),
    };
    assert_eq!(threads_cpus("huge_pages"), cpus, "the EAL keeps its caller pinned");
    assert_eq!(threads_cpus("eal-intr"), ["0"], "DPDK's own threads stay on the main core");
    let pool = Mempool::new(&eal, "packets", &MempoolConfig::default()).unwrap();
    let port = Port::find(&eal, "net_null0").unwrap().configure(&PortConfig::default(), &pool).unwrap();
    let (mut rx, mut tx) = (port.take_rx_queue(0).unwrap(), port.take_tx_queue(0).unwrap());
    let mut burst = Burst::<32>::new();
    for _ in 0..1000 {
        rx.poll(&mut burst);
        for mbuf in burst.as_mut_slice() {
            mbuf.data_mut()[0] = 1;
        }
        tx.send(&mut burst);
    }
    burst.clear();
    assert_eq!(pool.available(), pool.capacity());
    assert_eq!(mounted_files(), files, "memory is not in files");
    assert!(own_huge_kib() >= u64::from(MIB) * 1024);

    drop((rx, tx, port));
    let eal = eal.cleanup().expect_err("the pool holds it");
    drop(pool);
    eal.cleanup().expect("nothing holds it");
    assert!(matches!(Eal::builder().init(), Err(EalError::AlreadyInitialised)));
}

fn mounted_files() -> usize {
    fs::read_dir("/dev/hugepages").map_or(0, Iterator::count)
}

/// The CPUs of this process's threads of that name.
fn threads_cpus(name: &str) -> Vec<String> {
    let threads = fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let named = threads.filter(|thread| fs::read_to_string(thread.join("comm")).unwrap().starts_with(name));
    let status = named.map(|thread| fs::read_to_string(thread.join("status")).unwrap());
    let cpus =
        |status: String| Some(status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:"))?.trim().to_owned());
    status.filter_map(cpus).collect()
}

/// Huge pages of this process alone: others on the machine may be using some.
fn own_huge_kib() -> u64 {
    let smaps = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let kib = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    smaps.lines().filter(|line| line.contains("_Hugetlb:")).filter_map(kib).sum()
}
