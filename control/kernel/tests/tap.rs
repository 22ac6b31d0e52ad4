//! The TAP device in the kernel's eyes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in helpers too")]

mod common;

use std::collections::BTreeSet;

use common::{MAC, Wire, in_namespace, ip, mirror, tap, until};
use tokio::time::timeout;
use ulvs_kernel::{Mirror, Netlink, Tap, TapError, address};

#[test]
fn has_its_mac_mtu_and_name_and_is_up() {
    in_namespace(|| async {
        let tap = Tap::create("ulvs0", MAC, 9000).unwrap();
        let mirror = mirror(&[&tap]).await;
        let state = mirror.state.borrow().clone();
        let link = &state.links[&tap.index()];
        assert_eq!((link.name.as_str(), link.mac, link.mtu, link.up), (tap.name(), MAC, 9000, true));
        for setting in ["accept_ra", "autoconf", "accept_dad"] {
            let value = std::fs::read_to_string(format!("/proc/sys/net/ipv6/conf/ulvs0/{setting}"));
            assert!(value.is_err() || value.is_ok_and(|value| value.trim() == "0"), "{setting}");
        }
        // keepalived's VRRP and routing daemons ask for multicast
        let shown = std::process::Command::new("ip").args(["link", "show", "ulvs0"]).output().unwrap().stdout;
        assert!(String::from_utf8(shown).unwrap().contains("<BROADCAST,MULTICAST,UP"));
    });
}

#[test]
fn goes_when_it_is_dropped() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let index = tap.index();
        let mut mirror = Mirror::start(BTreeSet::from([index])).await.unwrap();
        let netlink = Netlink::open().unwrap();
        address::assign(&netlink, index, "10.0.0.1/24".parse().unwrap()).await.unwrap();
        until(&mut mirror, "the route", |state| !state.routes.is_empty()).await;
        drop(tap);
        let gone = |state: &std::sync::Arc<ulvs_kernel::KernelState>| {
            state.links.is_empty()
                && state.addresses.is_empty()
                && state.routes.is_empty()
                && state.neighbours.is_empty()
        };
        until(&mut mirror, "the end of the TAP", gone).await;
        assert!(!mirror.task.is_finished(), "the mirror lives on");
    });
}

#[test]
fn frames_pass_both_ways() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let netlink = Netlink::open().unwrap();
        address::assign(&netlink, tap.index(), "10.0.0.1/24".parse().unwrap()).await.unwrap();
        let wire = Wire::new(&tap);
        tap.send(&arp_question()).unwrap();
        let answer = wire.frame("ARP reply", |frame| (frame[12..14] == [8, 6]).then(|| frame[..42].to_vec())).await;
        assert_eq!(answer[20..22], [0, 2], "a reply");
        assert_eq!(answer[22..28], MAC);
        assert_eq!(answer[28..32], [10, 0, 0, 1]);
    });
}

/// Who has 10.0.0.1? Tell 10.0.0.9.
fn arp_question() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend([2, 0, 0, 0, 0, 9, 10, 0, 0, 9]);
    frame.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
    frame
}

#[test]
fn a_removed_or_stopped_device_is_an_error_and_not_a_panic() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        ip("link set ulvs0 down");
        assert_eq!(tap.send(&arp_question()).unwrap_err().raw_os_error(), Some(libc::EIO));
        ip("link del ulvs0");
        assert_eq!(tap.send(&arp_question()).unwrap_err().raw_os_error(), Some(libc::EBADFD));
        let read = async {
            loop {
                match tap.recv(&mut [0; 2048]) {
                    Ok(Some(_)) => {}
                    other => return other,
                }
            }
        };
        let end = timeout(common::SOON, read).await.unwrap();
        assert_eq!(end.unwrap_err().raw_os_error(), Some(libc::EBADFD));
    });
}

#[test]
fn errors_name_the_remedy() {
    in_namespace(|| async {
        let _first = tap("ulvs0");
        let taken = Tap::create("ulvs0", MAC, 1500).unwrap_err();
        assert!(matches!(taken, TapError::Taken { .. }), "{taken}");
        assert!(taken.to_string().contains("`ulvs0` exists already"));
        let other = Tap::create("lo", MAC, 1500).unwrap_err();
        assert!(matches!(other, TapError::Taken { .. }), "{other}");
        for name in ["", ".", "..", "all", "a/b", "a b", "ulvs%d", "ulvs:1", "sixteen-letters0", "ulvs\0", "ü"] {
            let error = Tap::create(name, MAC, 1500).unwrap_err();
            assert!(matches!(error, TapError::Name { .. }), "{name:?}: {error}");
        }
        let mac = Tap::create("ulvs1", [1, 0, 0, 0, 0, 1], 1500).unwrap_err();
        assert!(
            matches!(mac, TapError::Mac { .. }) && mac.to_string().starts_with("01:00:00:00:00:01 cannot"),
            "{mac}"
        );
        let mtu = Tap::create("ulvs1", MAC, 60).unwrap_err();
        assert!(matches!(mtu, TapError::Mtu { .. }), "{mtu}");
    });
}

#[test]
fn without_the_capability_it_says_so() {
    in_namespace(|| async {
        drop_net_admin();
        let error = Tap::create("ulvs0", MAC, 1500).unwrap_err();
        assert!(matches!(error, TapError::Permission { .. }), "{error}");
        assert!(error.to_string().contains("CAP_NET_ADMIN"));
        let netlink = Netlink::open().unwrap();
        let error = address::assign(&netlink, 1, "10.0.0.1/24".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
    });
}

/// Takes `CAP_NET_ADMIN` from this thread alone.
fn drop_net_admin() {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    const NET_ADMIN: u32 = 1 << 12;
    let header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: both structures are the kernel's for version 3, and live for the call.
    #[allow(unsafe_code, reason = "no crate here knows capabilities")]
    let got = unsafe { libc::syscall(libc::SYS_capget, &raw const header, &raw mut data) };
    assert_eq!(got, 0);
    data[0].effective &= !NET_ADMIN;
    data[0].permitted &= !NET_ADMIN;
    // SAFETY: as above.
    #[allow(unsafe_code, reason = "no crate here knows capabilities")]
    let set = unsafe { libc::syscall(libc::SYS_capset, &raw const header, &raw const data) };
    assert_eq!(set, 0);
}
