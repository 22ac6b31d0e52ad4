//! Everything that ordinary memory is enough for. One test, since a process has one EAL.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod capture;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use dpdk::{
    Burst, Eal, EalError, Errno, LogLevel, Mbuf, Mempool, MempoolConfig, MempoolError, Port, PortConfig, PortError,
    StartedPort, clock,
    eal::set_log_handler,
    mempool::HEADROOM,
    port::{RxOffloads, Setting, StopError},
};

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

    port_errors(&eal);
    pools(&eal);
    packets(&eal);
    bursts(&eal);
    null_port(&eal);
    refused_packets_stay(&eal);
    capture_is_forwarded(&eal, &dir, &frames);
    other_threads(&eal);
    pool_outlives_its_packets(&eal);
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

fn start_port(eal: &Eal, name: &str, pool: &Mempool) -> StartedPort {
    Port::find(eal, name).unwrap().configure(&PortConfig::default(), pool).unwrap()
}

fn pools(eal: &Eal) {
    let first = pool(eal, "first");
    assert_eq!((first.name(), first.capacity(), first.data_room()), ("first", 2047, 2048));
    assert_all_home(&first);
    let again = Mempool::new(eal, "first", &MempoolConfig::default());
    assert!(matches!(again, Err(MempoolError::Name { .. })), "{again:?}");
    let long = Mempool::new(eal, &"n".repeat(40), &MempoolConfig::default());
    assert!(matches!(long, Err(MempoolError::Name { .. })), "{long:?}");
    let large = Mempool::new(eal, "large", &MempoolConfig { count: 1 << 20, ..MempoolConfig::default() });
    let sentence = large.unwrap_err().to_string();
    assert!(sentence.starts_with("mempool large of 1048576 mbufs needs about 2368 MiB"), "{sentence}");
    let cache = Mempool::new(eal, "cache", &MempoolConfig { cache: 4096, ..MempoolConfig::default() });
    assert!(matches!(cache, Err(MempoolError::Refused { .. })), "{cache:?}");
    drop(first);
    pool(eal, "first");
}

fn packets(eal: &Eal) {
    let pool = pool(eal, "packets");
    let mut mbuf = Mbuf::copy_from(&pool, b"abcdef").unwrap();
    assert_eq!(pool.in_use(), 1);
    assert_eq!((mbuf.data(), mbuf.len(), mbuf.headroom()), (&b"abcdef"[..], 6, HEADROOM));
    assert!(mbuf.is_contiguous());
    assert_eq!(mbuf.rss_hash(), None);

    mbuf.prepend(3).unwrap().copy_from_slice(b"xyz");
    assert_eq!((mbuf.data(), mbuf.len()), (&b"xyzabcdef"[..], 9));
    assert!(mbuf.prepend(HEADROOM - 2).is_none());
    mbuf.append(2).unwrap().copy_from_slice(b"gh");
    assert_eq!(mbuf.data(), b"xyzabcdefgh");
    assert!(mbuf.append(mbuf.tailroom() + 1).is_none());
    assert!(mbuf.trim_front(4));
    assert_eq!((mbuf.data(), mbuf.headroom()), (&b"bcdefgh"[..], HEADROOM + 1));
    assert!(mbuf.truncate(3));
    assert!(!mbuf.truncate(4) && !mbuf.trim_front(4));
    mbuf.data_mut().reverse();
    mbuf.prefetch();
    assert_eq!((mbuf.data(), mbuf.len()), (&b"dcb"[..], 3));
    assert!(mbuf.linearize());

    assert!(mbuf.trim_front(3));
    let all = mbuf.prepend(mbuf.headroom()).unwrap().len();
    assert_eq!((all, mbuf.headroom()), (usize::from(HEADROOM) + 4, 0));
    mbuf.append(mbuf.tailroom()).unwrap().fill(0xaa);
    assert_eq!(mbuf.len(), usize::from(HEADROOM) + 2048);

    assert!(Mbuf::copy_from(&pool, &[0; 2049]).is_none(), "longer than an mbuf");
    drop(mbuf);
    assert_all_home(&pool);
}

fn bursts(eal: &Eal) {
    let pool = pool(eal, "bursts");
    let mut burst = Burst::<4>::new();
    for byte in 0..4 {
        burst.push(Mbuf::copy_from(&pool, &[byte]).unwrap()).unwrap();
    }
    let refused = burst.push(Mbuf::copy_from(&pool, &[9]).unwrap()).unwrap_err();
    assert_eq!((refused.data(), burst.len(), burst.is_full()), (&[9][..], 4, true));
    burst.as_mut_slice().swap(0, 3);
    assert_eq!(burst.pop().unwrap().data(), [0]);
    assert_eq!(pool.in_use(), 4);

    let mut drain = burst.drain();
    assert_eq!((drain.len(), drain.next().unwrap().data()), (3, &[3][..]));
    drop(drain);
    assert!(burst.is_empty() && burst.pop().is_none());
    drop(refused);
    assert_all_home(&pool);

    assert!(burst.alloc(&pool, 4));
    assert!(!burst.alloc(&pool, 1), "no room");
    burst.clear();
    assert_all_home(&pool);
    // A drain that is forgotten leaks its packets but gives none out twice.
    assert!(burst.alloc(&pool, 2));
    let taken: Vec<Mbuf> = burst.drain().collect();
    assert_eq!((taken.len(), burst.len()), (2, 0));
    drop(taken);

    let mut large = Burst::<2047>::new();
    assert!(large.alloc(&pool, 2047));
    assert!(Mbuf::alloc(&pool).is_none() && !burst.alloc(&pool, 1), "the pool is empty");
    assert_eq!((pool.available(), pool.in_use()), (0, 2047));
    drop(large);
    assert_all_home(&pool);
}

fn null_port(eal: &Eal) {
    let pool = pool(eal, "null");
    let port = Port::find(eal, "net_null0,size=64").unwrap();
    let info = port.info().unwrap();
    assert_eq!(info.driver, "net_null");
    assert!(matches!(Port::find(eal, "net_null0"), Err(PortError::Claimed { .. })));
    let wanted = PortConfig {
        rx_queues: 2,
        tx_queues: 2,
        mtu: Some(1400),
        mac: Some([2, 0, 0, 0, 0, 7]),
        promiscuous: true,
        rx_offloads: RxOffloads::IPV4_CHECKSUM | RxOffloads::RSS_HASH,
        ..PortConfig::default()
    };
    let port = port.configure(&wanted, &pool).unwrap();
    assert_eq!((port.rx_queues(), port.tx_queues()), (2, 2));
    assert_eq!(port.mac().unwrap(), [2, 0, 0, 0, 0, 7]);
    assert!(!port.ignored().contains(&Setting::Mac));
    assert!(port.link().unwrap().up);
    assert!(!port.rx_offloads().contains(RxOffloads::IPV4_CHECKSUM), "the driver has none");

    let mut rx = port.take_rx_queue(1).unwrap();
    let mut tx = port.take_tx_queue(1).unwrap();
    assert!(port.take_rx_queue(1).is_none() && port.take_rx_queue(2).is_none());
    let mut burst = Burst::<64>::new();
    assert_eq!(rx.poll(&mut burst), 64);
    assert_eq!((rx.poll(&mut burst), burst.len(), pool.in_use()), (0, 64, 64));
    assert!(burst.as_slice().iter().all(|mbuf| mbuf.len() == 64 && mbuf.port() == port.id()));
    drop(burst.pop());
    assert_eq!((tx.send(&mut burst), burst.len()), (63, 0));
    assert_eq!(tx.send(&mut burst), 0, "nothing to send");
    assert_all_home(&pool);

    let stats = port.stats().unwrap();
    assert_eq!((stats.rx_packets, stats.tx_packets), (64, 63));
    let xstats = port.xstats().unwrap();
    assert!(xstats.contains(&("rx_good_packets".to_owned(), 64)), "{xstats:?}");

    let Err(StopError::QueuesOut(port)) = port.stop() else { panic!("stopped under its queues") };
    drop(rx);
    let rx = port.take_rx_queue(1).expect("a queue that was given back");
    drop((rx, tx));
    let port = port.stop().unwrap().configure(&PortConfig::default(), &pool).unwrap();
    let mut rx = port.take_rx_queue(0).unwrap();
    drop(port);
    assert_eq!(rx.poll(&mut burst), 64, "a queue keeps its port started");
    drop(rx);
    assert!(!eal.ports().contains(&"net_null0".to_owned()), "closed");
}

fn refused_packets_stay(eal: &Eal) {
    let pool = pool(eal, "ring");
    let port = start_port(eal, "net_ring0", &pool);
    let (mut rx, mut tx) = (port.take_rx_queue(0).unwrap(), port.take_tx_queue(0).unwrap());
    let mut burst = Burst::<32>::new();
    let mut queued = 0_u32;
    while burst.is_empty() {
        for _ in 0..32 {
            burst.push(Mbuf::copy_from(&pool, &queued.to_ne_bytes()).unwrap()).unwrap();
            queued += 1;
        }
        let before = burst.len();
        let sent = tx.send(&mut burst);
        assert_eq!(sent + burst.len(), before);
    }
    let left = u32::try_from(burst.len()).unwrap();
    let first = queued - left;
    for (mbuf, number) in burst.as_slice().iter().zip(first..) {
        assert_eq!(mbuf.data(), number.to_ne_bytes(), "the refused ones stay in order");
    }
    assert_eq!(tx.send(&mut burst), 0);
    burst.clear();
    assert_eq!(pool.in_use(), first);

    let mut next = 0_u32;
    while rx.poll(&mut burst) > 0 {
        for mbuf in burst.drain() {
            assert_eq!(mbuf.data(), next.to_ne_bytes());
            next += 1;
        }
    }
    assert_eq!(next, first);
    assert_all_home(&pool);
}

fn capture_is_forwarded(eal: &Eal, dir: &Scratch, frames: &[Vec<u8>]) {
    let pool = pool(eal, "pcap");
    let port = Port::find(eal, "net_pcap0").unwrap();
    let config = PortConfig { mtu: Some(1500), promiscuous: true, ..PortConfig::default() };
    let port = port.configure(&config, &pool).unwrap();
    let (mut rx, mut tx) = (port.take_rx_queue(0).unwrap(), port.take_tx_queue(0).unwrap());
    let mut burst = Burst::<32>::new();
    let mut forwarded = 0;
    while rx.poll(&mut burst) > 0 {
        forwarded += tx.send(&mut burst);
        assert!(burst.is_empty());
    }
    assert_eq!(forwarded, frames.len());
    drop((rx, tx, port));
    assert_all_home(&pool);
    assert_eq!(capture::read(&dir.path("out.pcap")), frames);
}

fn other_threads(eal: &Eal) {
    let pool = pool(eal, "threads");
    let port = start_port(eal, "net_null1", &pool);
    let (mut rx, mut tx) = (port.take_rx_queue(0).unwrap(), port.take_tx_queue(0).unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            let _registered = eal.register_thread().unwrap();
            assert!(matches!(eal.register_thread(), Err(EalError::ThreadRegistered)));
            let mut burst = Burst::<32>::new();
            for _ in 0..1000 {
                rx.poll(&mut burst);
                tx.send(&mut burst);
            }
        });
        scope.spawn(|| {
            // Not registered: slower, and just as right.
            let mut burst = Burst::<32>::new();
            for _ in 0..1000 {
                burst.alloc(&pool, 8);
                burst.clear();
            }
        });
    });
    assert_all_home(&pool);
    drop((rx, tx, port, pool));
    // The registered thread's cache was emptied when it ended, so the pool could be freed.
    self::pool(eal, "threads");
}

fn port_errors(eal: &Eal) {
    let pool = pool(eal, "errors");
    let unknown = Port::find(eal, "net_nil0,size=64").unwrap_err().to_string();
    let start = "there is no DPDK device \"net_nil0,size=64\"; there are: net_null0, net_null1, net_pcap0, net_ring0.";
    assert!(unknown.starts_with(start), "{unknown}");
    assert!(matches!(Port::find(eal, "net\0null"), Err(PortError::Unknown { .. })));

    // None of these touches the device, so that it can be had again.
    let pcap = || Port::find(eal, "net_pcap0").unwrap();
    let two = PortConfig { rx_queues: 2, ..PortConfig::default() };
    let queues = pcap().configure(&two, &pool).unwrap_err().to_string();
    let wanted = "port net_pcap0 has 1 receive queue and 2 are wanted: name 2 files or interfaces in the vdev, one for each \
                  queue";
    assert_eq!(queues, wanted);
    let two = PortConfig { tx_queues: 2, ..PortConfig::default() };
    assert!(matches!(pcap().configure(&two, &pool), Err(PortError::Queues { direction: "transmit", .. })));
    let large = PortConfig { mtu: Some(9000), ..PortConfig::default() };
    let mtu = pcap().configure(&large, &pool).unwrap_err().to_string();
    assert!(mtu.ends_with("make the pool's data room 9026 bytes or the MTU smaller"), "{mtu}");
    let none = pcap().configure_with_pools(&PortConfig::default(), &[]);
    assert!(matches!(none, Err(PortError::NoPool { .. })));
    let down = Port::find(eal, "net_ring0").unwrap().set_link_down();
    assert!(matches!(down, Ok(()) | Err(PortError::Call { errno: Errno::ENOTSUP, .. })), "{down:?}");
    assert_all_home(&pool);
}

fn pool_outlives_its_packets(eal: &Eal) {
    let pool = pool(eal, "outlived");
    let mut mbuf = Mbuf::copy_from(&pool, b"still here").unwrap();
    drop(pool);
    mbuf.data_mut()[0] = b'S';
    assert_eq!(mbuf.data(), b"Still here");
    drop(mbuf);
    let name_is_taken = Mempool::new(eal, "outlived", &MempoolConfig { count: 63, cache: 0, ..Default::default() });
    assert!(matches!(name_is_taken, Err(MempoolError::Name { .. })));
    assert!(!LOG.lock().unwrap().is_empty(), "the log goes to the handler");
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
