//! A device over an interface that does not exist is an error of the start, not of the first use.

use dpdk::{Eal, EalError};

#[test]
fn the_device_is_named() {
    let missing = "net_af_packet0,iface=nowhere0";
    let err = Eal::builder().no_huge().memory_mib(64).vdev("net_null0").vdev(missing).init();
    let Err(EalError::Vdev { vdev, detail }) = err else { panic!("{err:?}") };
    assert_eq!(vdev, missing);
    assert!(detail.contains("failed to initialize net_af_packet0"), "{detail}");
}
