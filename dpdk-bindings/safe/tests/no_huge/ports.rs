//! Ports and queues over virtual devices.

use std::thread;

use dpdk::{
    Burst, Eal, EalError, Errno, Mbuf, Mempool, Port, PortConfig, PortError, StartedPort,
    port::{RxOffloads, Setting, StopError},
};

use crate::{Scratch, assert_all_home, capture, pool};

pub(crate) fn port_errors(eal: &Eal) {
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

pub(crate) fn null_port(eal: &Eal) {
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

pub(crate) fn refused_packets_stay(eal: &Eal) {
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

pub(crate) fn capture_is_forwarded(eal: &Eal, dir: &Scratch, frames: &[Vec<u8>]) {
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

pub(crate) fn other_threads(eal: &Eal) {
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
    crate::pool(eal, "threads");
}

fn start_port(eal: &Eal, name: &str, pool: &Mempool) -> StartedPort {
    Port::find(eal, name).unwrap().configure(&PortConfig::default(), pool).unwrap()
}
