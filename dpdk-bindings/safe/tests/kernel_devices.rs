//! Virtual devices that stand on the kernel: they need root, and are skipped without.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use dpdk::{Burst, Eal, Mbuf, Mempool, MempoolConfig, Port, PortConfig, PortError, port::Setting};

#[test]
fn af_packet_and_tap() {
    let effective_uid = fs::metadata("/proc/self").map(|dir| std::os::unix::fs::MetadataExt::uid(&dir));
    if !matches!(effective_uid, Ok(0)) || !Path::new("/dev/net/tun").exists() {
        println!("skipped: not root, or no /dev/net/tun");
        return;
    }
    let tap = format!("dpdk{}", std::process::id() % 1_000_000);
    let eal = Eal::builder()
        .no_huge()
        .memory_mib(128)
        .vdev("net_af_packet0,iface=lo,framecnt=64,blocksz=4096,framesz=2048")
        .vdev(format!("net_tap0,iface={tap},mac=02:00:00:00:00:09"))
        .init()
        .unwrap();
    let pool = Mempool::new(&eal, "packets", &MempoolConfig::default()).unwrap();

    let tap_port = Port::find(&eal, "net_tap0").unwrap();
    let config = PortConfig { mtu: Some(1400), all_multicast: true, ..PortConfig::default() };
    let tap_port = tap_port.configure(&config, &pool).unwrap();
    assert!(!tap_port.ignored().contains(&Setting::Mtu));
    assert_eq!(tap_port.mtu().unwrap(), 1400);
    assert_eq!(tap_port.mac().unwrap(), [2, 0, 0, 0, 0, 9]);
    assert_eq!(fs::read_to_string(format!("/sys/class/net/{tap}/mtu")).unwrap().trim(), "1400");
    assert!(!tap_port.ignored().contains(&Setting::AllMulticast));
    let flags = fs::read_to_string(format!("/sys/class/net/{tap}/flags")).unwrap();
    let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap();
    assert_ne!(flags & 0x200, 0, "IFF_ALLMULTI: the device was told, after it was started");
    let mut burst = Burst::<8>::new();
    burst.push(Mbuf::copy_from(&pool, &[0xff; 60]).unwrap()).unwrap();
    assert_eq!(tap_port.take_tx_queue(0).unwrap().send(&mut burst), 1);
    assert_eq!(tap_port.stats().unwrap().tx_packets, 1);

    let af_packet = Port::find(&eal, "net_af_packet0").unwrap();
    assert!(af_packet.info().unwrap().if_index.is_some());
    let two = PortConfig { rx_queues: 2, tx_queues: 2, ..PortConfig::default() };
    let Err(err @ PortError::Queues { .. }) = af_packet.configure(&two, &pool) else { panic!("it has one queue") };
    assert_eq!(err.to_string(), "port net_af_packet0 has 1 receive queue and 2 are wanted: add qpairs=2 to the vdev");
    let af_packet = Port::find(&eal, "net_af_packet0").expect("a port that failed early can be found again");
    let large = PortConfig { mtu: Some(9000), ..PortConfig::default() };
    let Err(err @ PortError::Mtu { wanted: 9026, .. }) = af_packet.configure(&large, &pool) else {
        panic!("9000 bytes in an mbuf of 2048")
    };
    assert!(err.to_string().contains("data room 9026 bytes"), "{err}");
    let af_packet = Port::find(&eal, "net_af_packet0").unwrap().configure(&PortConfig::default(), &pool).unwrap();
    assert!(af_packet.take_tx_queue(0).is_some());

    drop((tap_port, af_packet));
    assert_eq!(pool.available(), pool.capacity());
    assert!(!Path::new(&format!("/sys/class/net/{tap}")).exists(), "the TAP goes with its port");
}
