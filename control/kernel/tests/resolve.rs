//! The kernel resolves what it is asked for, and the keeper keeps it so.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in helpers too")]

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use common::{MAC, Wire, in_namespace, ip, mirror, tap, until, until_within};
use tokio::sync::watch;
use ulvs_kernel::state::NeighbourState;
use ulvs_kernel::{KernelState, Netlink, Resolver};

const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);

/// Whether the frame asks by ARP for `target`, as the kernel on the TAP does: with its destination.
fn arp_request(frame: &[u8], target: Ipv4Addr) -> Option<[u8; 6]> {
    if frame.len() < 42 || frame[12..14] != [0x08, 0x06] || frame[20..22] != [0, 1] {
        return None;
    }
    assert_eq!(frame[6..12], MAC);
    assert_eq!(frame[22..28], MAC, "the sender's MAC address");
    assert_eq!(frame[28..32], [10, 0, 0, 1], "the sender's address");
    (frame[38..42] == target.octets()).then(|| frame[..6].try_into().expect("six bytes"))
}

/// Whether the frame is a neighbour solicitation for `target`.
fn solicitation(frame: &[u8], target: Ipv6Addr) -> Option<[u8; 6]> {
    let long = frame.len() >= 14 + 40 + 24 && frame[12..14] == [0x86, 0xdd];
    if !long || frame[20] != 58 || frame[54] != 135 || frame[62..78] != target.octets() {
        return None;
    }
    assert_eq!(frame[6..12], MAC);
    Some(frame[..6].try_into().unwrap())
}

fn arp_reply() -> Vec<u8> {
    arp_reply_of(SERVER, SERVER_MAC)
}

fn arp_reply_of(server: Ipv4Addr, mac: [u8; 6]) -> Vec<u8> {
    let mut frame = MAC.to_vec();
    frame.extend(mac);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
    frame.extend(mac);
    frame.extend(server.octets());
    frame.extend(MAC);
    frame.extend([10, 0, 0, 1]);
    frame
}

fn advertisement(to: Ipv6Addr) -> Vec<u8> {
    // Solicited and overriding, with the target's MAC address as its option.
    let mut icmp = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
    icmp.extend(SERVER6.octets());
    icmp.extend([2, 1]);
    icmp.extend(SERVER_MAC);
    let mut pseudo = Vec::new();
    pseudo.extend(SERVER6.octets());
    pseudo.extend(to.octets());
    pseudo.extend([0, 0, 0, 32, 0, 0, 0, 58]);
    pseudo.extend(&icmp);
    let mut sum: u32 = pseudo.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let checksum = u16::try_from(sum ^ 0xffff).unwrap();
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut frame = MAC.to_vec();
    frame.extend(SERVER_MAC);
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255]);
    frame.extend(SERVER6.octets());
    frame.extend(to.octets());
    frame.extend(icmp);
    frame
}

fn neighbour_state(state: &KernelState, ifindex: u32, address: IpAddr) -> Option<NeighbourState> {
    state.neighbour(ifindex, address).map(|neighbour| neighbour.state)
}

#[test]
fn arp_goes_out_and_its_answer_is_mirrored() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let (index, server) = (tap.index(), IpAddr::V4(SERVER));
        ip("addr add 10.0.0.1/24 dev ulvs0");
        let mut mirror = mirror(&[&tap]).await;
        let resolver = Resolver::new(Netlink::open().unwrap(), mirror.state.clone());
        let wire = Wire::new(&tap);
        resolver.resolve(index, server).await.unwrap();
        let to = wire.frame("ARP request", |frame| arp_request(frame, SERVER)).await;
        assert_eq!(to, [0xff; 6]);
        tap.send(&arp_reply()).unwrap();
        let reachable =
            |state: &Arc<KernelState>| neighbour_state(state, index, server) == Some(NeighbourState::Reachable);
        let state = until(&mut mirror, "the answer", reachable).await;
        assert_eq!(state.neighbour(index, server).unwrap().usable_mac(), Some(SERVER_MAC));
    });
}

#[test]
fn neighbour_discovery_goes_out_and_its_answer_is_mirrored() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let (index, server) = (tap.index(), IpAddr::V6(SERVER6));
        ip("addr add 2001:db8::1/64 dev ulvs0 nodad");
        let mut mirror = mirror(&[&tap]).await;
        let resolver = Resolver::new(Netlink::open().unwrap(), mirror.state.clone());
        let wire = Wire::new(&tap);
        resolver.resolve(index, server).await.unwrap();
        let (to, from) = wire
            .frame("neighbour solicitation", |frame| {
                let to = solicitation(frame, SERVER6)?;
                let from: [u8; 16] = frame[22..38].try_into().unwrap();
                Some((to, Ipv6Addr::from(from)))
            })
            .await;
        assert_eq!(to, [0x33, 0x33, 0xff, 0, 0, 9]);
        tap.send(&advertisement(from)).unwrap();
        let reachable =
            |state: &Arc<KernelState>| neighbour_state(state, index, server) == Some(NeighbourState::Reachable);
        let state = until(&mut mirror, "the answer", reachable).await;
        assert_eq!(state.neighbour(index, server).unwrap().usable_mac(), Some(SERVER_MAC));
    });
}

#[test]
fn what_an_operator_set_survives_a_request() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let (index, server) = (tap.index(), IpAddr::V4(SERVER));
        ip("addr add 10.0.0.1/24 dev ulvs0");
        ip("neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev ulvs0");
        let mirror = mirror(&[&tap]).await;
        let resolver = Resolver::new(Netlink::open().unwrap(), mirror.state.clone());
        resolver.resolve(index, server).await.unwrap();
        let fresh = common::mirror(&[&tap]).await;
        let state = fresh.state.borrow().clone();
        assert_eq!(neighbour_state(&state, index, server), Some(NeighbourState::Permanent));
    });
}

#[test]
fn a_refusal_names_the_remedy() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let mirror = mirror(&[&tap]).await;
        let resolver = Resolver::new(Netlink::open().unwrap(), mirror.state.clone());
        let error = resolver.resolve(12345, IpAddr::V4(SERVER)).await.unwrap_err();
        assert!(error.to_string().contains("does not exist or is down"), "{error}");
    });
}

/// With times shortened to what a test can wait: a neighbour goes stale in one to three seconds. (Not shorter than
/// `delay_first_probe_time`, or the kernel goes from reachable straight to a probe.) Kept, it is probed by unicast and
/// stays usable through several rounds.
#[test]
fn a_kept_neighbour_is_probed_when_stale_and_stays_usable() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let (index, server) = (tap.index(), IpAddr::V4(SERVER));
        ip("addr add 10.0.0.1/24 dev ulvs0");
        let settings = "/proc/sys/net/ipv4/neigh/ulvs0";
        std::fs::write(format!("{settings}/base_reachable_time_ms"), "2000").unwrap();
        std::fs::write(format!("{settings}/delay_first_probe_time"), "1").unwrap();
        std::fs::write(format!("{settings}/gc_stale_time"), "1").unwrap();
        let mut mirror = mirror(&[&tap]).await;
        let resolver = Resolver::new(Netlink::open().unwrap(), mirror.state.clone());
        let (want, wanted) = watch::channel(Arc::new(BTreeSet::from([(index, server)])));
        let task = resolver.keep(wanted);
        let wire = Wire::new(&tap);

        let to = wire.frame("ARP request", |frame| arp_request(frame, SERVER)).await;
        assert_eq!(to, [0xff; 6]);
        tap.send(&arp_reply()).unwrap();
        {
            let is = |wanted| move |state: &Arc<KernelState>| neighbour_state(state, index, server) == Some(wanted);
            until(&mut mirror, "reachable", is(NeighbourState::Reachable)).await;
            let state = until_within(Duration::from_secs(20), &mut mirror, "stale", is(NeighbourState::Stale)).await;
            assert_eq!(state.neighbour(index, server).unwrap().usable_mac(), Some(SERVER_MAC));
            let probe = |frame: &[u8]| arp_request(frame, SERVER).filter(|to| *to == SERVER_MAC);
            wire.frame("unicast ARP probe", probe).await;
            let state = mirror.state.borrow().clone();
            assert_eq!(state.neighbour(index, server).unwrap().usable_mac(), Some(SERVER_MAC));
            tap.send(&arp_reply()).unwrap();
        }
        until(&mut mirror, "reachable", |state| {
            neighbour_state(state, index, server) == Some(NeighbourState::Reachable)
        })
        .await;
        // Asking once more does not unpin it.
        resolver.resolve(index, server).await.unwrap();
        assert!(mirror.state.borrow().neighbour(index, server).unwrap().pinned);
        // Another MAC address is learned as ever, if not from the first answer: the kernel mistrusts a quick change.
        let moved = [2, 0, 0, 0, 0, 0x99];
        let answer = async {
            loop {
                wire.frame("ARP probe", |frame| arp_request(frame, SERVER)).await;
                tap.send(&arp_reply_of(SERVER, moved)).unwrap();
            }
        };
        let has_moved = until(&mut mirror, "the new MAC address", |state| {
            state.neighbour(index, server).is_some_and(|known| known.usable_mac() == Some(moved) && known.pinned)
        });
        tokio::select! {
            () = answer => {}
            _ = has_moved => {}
        }
        want.send_replace(Arc::default());
        until(&mut mirror, "the release", |state| state.neighbour(index, server).is_some_and(|known| !known.pinned))
            .await;
        drop(want);
        task.await.unwrap().unwrap();
    });
}

/// A server that is down is asked for again and again, and found when it comes.
#[test]
fn a_silent_neighbour_fails_and_is_found_when_it_answers() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let (index, server) = (tap.index(), IpAddr::V4(SERVER));
        ip("addr add 10.0.0.1/24 dev ulvs0");
        std::fs::write("/proc/sys/net/ipv4/neigh/ulvs0/retrans_time_ms", "100").unwrap();
        let mut mirror = mirror(&[&tap]).await;
        let resolver = Resolver::new(Netlink::open().unwrap(), mirror.state.clone());
        let (_want, wanted) = watch::channel(Arc::new(BTreeSet::from([(index, server)])));
        let _task = resolver.keep(wanted);
        let wire = Wire::new(&tap);
        let is = |wanted| move |state: &Arc<KernelState>| neighbour_state(state, index, server) == Some(wanted);
        let state = until(&mut mirror, "failed", is(NeighbourState::Failed)).await;
        assert_eq!(state.neighbour(index, server).unwrap().usable_mac(), None);
        // The kernel's own three requests, and one on the keeper's account.
        for _ in 0..4 {
            wire.frame("ARP request", |frame| arp_request(frame, SERVER)).await;
        }
        tap.send(&arp_reply()).unwrap();
        until(&mut mirror, "found", is(NeighbourState::Reachable)).await;
    });
}

/// More than the kernel's default limit of 1,024 entries, all answering.
#[test]
fn thousands_are_kept_without_a_sysctl() {
    const SERVERS: u16 = 3000;
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let index = tap.index();
        ip("addr add 10.0.0.1/16 dev ulvs0");
        ip("link set ulvs0 txqueuelen 4000");
        let servers = (256..256 + SERVERS).map(|host| {
            let [high, low] = host.to_be_bytes();
            Ipv4Addr::new(10, 0, high, low)
        });
        let wanted: BTreeSet<_> = servers.map(|server| (index, IpAddr::V4(server))).collect();
        let mut mirror = mirror(&[&tap]).await;
        let resolver = Resolver::new(Netlink::open().unwrap(), mirror.state.clone());
        let (_want, wanted) = watch::channel(Arc::new(wanted));
        let task = resolver.keep(wanted);
        let wire = Wire::new(&tap);
        let answer = async {
            loop {
                let target = wire
                    .frame("ARP request", |frame| {
                        let octets: [u8; 4] = frame.get(38..42)?.try_into().ok()?;
                        arp_request(frame, octets.into()).map(|_| Ipv4Addr::from(octets))
                    })
                    .await;
                tap.send(&arp_reply_of(target, SERVER_MAC)).unwrap();
            }
        };
        let all = until(&mut mirror, "all of them", |state| {
            let usable = state.neighbours.values().filter(|neighbour| neighbour.usable_mac().is_some());
            usable.count() == usize::from(SERVERS)
        });
        tokio::select! {
            () = answer => {}
            _ = all => {}
        }
        assert!(!task.is_finished());
    });
}
