//! The mirror follows what `ip` does.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in helpers too")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{in_namespace, ip, mirror, tap, until};
use ipnet::IpNet;
use ulvs_kernel::mirror::Options;
use ulvs_kernel::state::{NeighbourState, NextHop, Route};
use ulvs_kernel::{KernelState, Mirror, Netlink, address};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn gateways(state: &KernelState, prefix: &str) -> Vec<String> {
    let route = state.routes.get(&net(prefix));
    let hops = route.into_iter().flat_map(|route| &route.next_hops);
    hops.map(|hop| hop.gateway.map_or_else(|| "link".to_owned(), |gateway| gateway.to_string())).collect()
}

#[test]
fn starts_with_what_is_there() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        ip("addr add 10.0.0.1/24 dev ulvs0");
        ip("addr add 2001:db8::1/64 dev ulvs0");
        ip("route add default via 10.0.0.254 src 10.0.0.1 metric 7 mtu 1400");
        ip("neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev ulvs0");
        let mirror = mirror(&[&tap]).await;
        let state = mirror.state.borrow().clone();
        let index = tap.index();
        assert!(state.addresses.contains(&(index, net("10.0.0.1/24"))));
        assert!(state.addresses.contains(&(index, net("2001:db8::1/64"))));
        let default = Route {
            next_hops: vec![NextHop { ifindex: index, gateway: Some(addr("10.0.0.254")), weight: 1 }],
            preferred_source: Some(addr("10.0.0.1")),
            metric: 7,
            mtu: Some(1400),
        };
        assert_eq!(**state.routes.get(&net("0.0.0.0/0")).unwrap(), default);
        assert_eq!(gateways(&state, "10.0.0.0/24"), ["link"]);
        assert_eq!(gateways(&state, "2001:db8::/64"), ["link"]);
        assert_eq!(state.route(addr("10.0.0.77")).unwrap().0, net("10.0.0.0/24"));
        assert_eq!(state.route(addr("192.0.2.1")).unwrap().0, net("0.0.0.0/0"));
        assert_eq!(state.route(addr("2001:db9::1")), None);
        let neighbour = state.neighbour(index, addr("10.0.0.9")).unwrap();
        assert!(neighbour.is_permanent());
        assert_eq!(neighbour.usable_mac(), Some([2, 0, 0, 0, 0, 9]));
    });
}

#[test]
fn follows_links() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let mut mirror = mirror(&[&tap]).await;
        let index = tap.index();
        ip("link set ulvs0 mtu 1280");
        until(&mut mirror, "the MTU", |state| state.links[&index].mtu == 1280).await;
        ip("link set ulvs0 address 02:00:00:00:00:77");
        until(&mut mirror, "the MAC address", |state| state.links[&index].mac[5] == 0x77).await;
        ip("addr add 10.0.0.1/24 dev ulvs0");
        ip("route add 10.9.0.0/16 via 10.0.0.254");
        until(&mut mirror, "the route", |state| gateways(state, "10.9.0.0/16") == ["10.0.0.254"]).await;
        // The kernel says nothing of the IPv4 routes that go with the link.
        ip("link set ulvs0 down");
        until(&mut mirror, "down", |state| !state.is_up(index) && state.routes.is_empty()).await;
        ip("link set ulvs0 up");
        until(&mut mirror, "up", |state| state.is_up(index) && gateways(state, "10.0.0.0/24") == ["link"]).await;
    });
}

#[test]
fn follows_addresses_and_ignores_other_interfaces() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let index = tap.index();
        let mut mirror = mirror(&[&tap]).await;
        let netlink = Netlink::open().unwrap();
        let _other = common::tap("other");
        ip("addr add 10.5.0.1/24 dev other");
        for text in ["10.0.0.1/24", "10.0.0.100/32", "2001:db8::1/64"] {
            // The second time must be as good as the first.
            address::assign(&netlink, index, net(text)).await.unwrap();
            address::assign(&netlink, index, net(text)).await.unwrap();
            let entry = (index, net(text));
            let state = until(&mut mirror, text, |state| state.addresses.contains(&entry)).await;
            assert!(state.links.keys().eq([&index]));
            assert_eq!(state.routes.get(&net("10.5.0.0/24")), None);
        }
        until(&mut mirror, "the connected route", |state| gateways(state, "2001:db8::/64") == ["link"]).await;
        for text in ["10.0.0.1/24", "2001:db8::1/64"] {
            address::remove(&netlink, index, net(text)).await.unwrap();
            address::remove(&netlink, index, net(text)).await.unwrap();
            let entry = (index, net(text));
            until(&mut mirror, "the removal", |state| {
                !state.addresses.contains(&entry) && state.routes.get(&net(text).trunc()).is_none()
            })
            .await;
        }
    });
}

#[test]
fn ipv6_addresses_are_usable_at_once() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let netlink = Netlink::open().unwrap();
        address::assign(&netlink, tap.index(), net("2001:db8::1/64")).await.unwrap();
        let bound = std::net::UdpSocket::bind("[2001:db8::1]:0");
        assert!(bound.is_ok(), "{bound:?}");
        ip("link set ulvs0 down");
        std::fs::write("/proc/sys/net/ipv6/conf/ulvs0/disable_ipv6", "1").unwrap();
        let error = address::assign(&netlink, tap.index(), net("2001:db8::2/64")).await.unwrap_err();
        assert!(error.to_string().contains("IPv6 is disabled"), "{error}");
        let error = address::assign(&netlink, 12345, net("10.0.0.1/24")).await.unwrap_err();
        assert!(error.to_string().contains("does not exist"), "{error}");
    });
}

#[test]
fn follows_routes() {
    in_namespace(|| async {
        let (tap, second) = (tap("ulvs0"), tap("ulvs1"));
        ip("addr add 10.0.0.1/24 dev ulvs0");
        ip("addr add 10.1.0.1/24 dev ulvs1");
        let mut mirror = mirror(&[&tap, &second]).await;
        let story = [
            ("route add 10.9.0.0/16 via 10.0.0.8", vec!["10.0.0.8"]),
            ("route replace 10.9.0.0/16 via 10.0.0.2", vec!["10.0.0.2"]),
            ("route add 10.9.0.0/16 via 10.0.0.3 metric 9", vec!["10.0.0.2"]),
            ("route del 10.9.0.0/16 via 10.0.0.2", vec!["10.0.0.3"]),
            ("route append 10.9.0.0/16 via 10.0.0.4 metric 9", vec!["10.0.0.3"]),
            ("route del 10.9.0.0/16 via 10.0.0.3", vec!["10.0.0.4"]),
            ("route del 10.9.0.0/16", vec![]),
            (
                "route add 10.9.0.0/16 nexthop via 10.0.0.5 weight 1 nexthop via 10.1.0.5 weight 3",
                vec!["10.0.0.5", "10.1.0.5"],
            ),
            // One of the two ways goes, of which the kernel says nothing.
            ("link set ulvs1 down", vec!["10.0.0.5"]),
            ("route replace 10.9.0.0/16 via inet6 fe80::5 dev ulvs0", vec!["fe80::5"]),
            ("route replace blackhole 10.9.0.0/16", vec![]),
        ];
        for (command, expected) in story {
            ip(command);
            until(&mut mirror, command, |state| gateways(state, "10.9.0.0/16") == expected).await;
        }
        let state = mirror.state.borrow().clone();
        assert_eq!(state.route(addr("10.9.1.1")).unwrap().0, net("10.9.0.0/16"), "the blackhole is there");
    });
}

#[test]
fn follows_ipv6_routes() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        ip("addr add 2001:db8::1/64 dev ulvs0 nodad");
        let mut mirror = mirror(&[&tap]).await;
        let story = [
            ("-6 route add 2001:db8:9::/48 via 2001:db8::2", vec!["2001:db8::2"]),
            ("-6 route append 2001:db8:9::/48 via 2001:db8::3", vec!["2001:db8::2", "2001:db8::3"]),
            ("-6 route del 2001:db8:9::/48 via 2001:db8::2", vec!["2001:db8::3"]),
            ("-6 route replace 2001:db8:9::/48 via 2001:db8::4", vec!["2001:db8::4"]),
            ("-6 route add 2001:db8:9::/48 via 2001:db8::5 metric 5", vec!["2001:db8::5"]),
            ("-6 route del 2001:db8:9::/48 metric 5", vec!["2001:db8::4"]),
            ("-6 route del 2001:db8:9::/48", vec![]),
        ];
        for (command, expected) in story {
            ip(command);
            until(&mut mirror, command, |state| gateways(state, "2001:db8:9::/48") == expected).await;
        }
    });
}

#[test]
fn follows_next_hop_objects() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        ip("addr add 10.0.0.1/24 dev ulvs0");
        let mut mirror = mirror(&[&tap]).await;
        let story = [
            ("nexthop add id 1 via 10.0.0.5 dev ulvs0", vec![]),
            ("route add 10.9.0.0/16 nhid 1", vec!["10.0.0.5"]),
            ("nexthop replace id 1 via 10.0.0.6 dev ulvs0", vec!["10.0.0.6"]),
            ("nexthop del id 1", vec![]),
        ];
        for (command, expected) in story {
            ip(command);
            until(&mut mirror, command, |state| gateways(state, "10.9.0.0/16") == expected).await;
        }
    });
}

#[test]
fn follows_neighbours() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let index = tap.index();
        ip("addr add 10.0.0.1/24 dev ulvs0");
        let mut mirror = mirror(&[&tap]).await;
        for host in ["10.0.0.9", "2001:db8::9"] {
            let seen = |state: &Arc<KernelState>| state.neighbour(index, addr(host)).copied();
            ip(&format!("neigh add {host} lladdr 02:00:00:00:00:09 dev ulvs0 nud reachable"));
            let state = until(&mut mirror, "the neighbour", |state| seen(state).is_some()).await;
            assert_eq!(seen(&state).unwrap().state, NeighbourState::Reachable);
            ip(&format!("neigh replace {host} lladdr 02:00:00:00:00:0a dev ulvs0 nud permanent"));
            let changed = |state: &Arc<KernelState>| seen(state).is_some_and(|neighbour| neighbour.is_permanent());
            let state = until(&mut mirror, "the change", changed).await;
            assert_eq!(seen(&state).unwrap().usable_mac(), Some([2, 0, 0, 0, 0, 10]));
            ip(&format!("neigh del {host} dev ulvs0"));
            until(&mut mirror, "the removal", |state| seen(state).and_then(|known| known.usable_mac()).is_none()).await;
        }
    });
}

/// More happens, while the mirror may not run, than its queue holds.
#[test]
fn recovers_from_an_overrun() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        ip("addr add 10.0.0.1/16 dev ulvs0");
        ip("neigh add 10.0.255.1 lladdr 02:00:00:00:00:01 dev ulvs0");
        let options = Options { receive_buffer: 2048, ..Options::default() };
        let mut mirror = Mirror::start_with(BTreeSet::from([tap.index()]), options).await.unwrap();
        let mut batch = String::from("neigh del 10.0.255.1 dev ulvs0\n");
        for number in 0..500 {
            let (high, low) = (number / 250, number % 250 + 1);
            let host = format!("{high}.{low}");
            writeln!(batch, "neigh add 10.0.{host} lladdr 02:00:00:00:{high:02x}:{low:02x} dev ulvs0").unwrap();
            writeln!(batch, "route add 10.9.{host} via 10.0.{host}").unwrap();
        }
        batch += "neigh del 10.0.0.1 dev ulvs0\nroute del 10.9.0.1\n";
        let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(batch.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        let state = until(&mut mirror, "everything", |state| {
            let permanent = state.neighbours.values().filter(|neighbour| neighbour.is_permanent()).count();
            permanent == 499 && state.routes.len() == 499 + 1
        })
        .await;
        assert_eq!(state.routes.get(&net("10.9.0.1/32")), None);
        // What was queued from before must not come back.
        ip("neigh add 10.0.255.2 lladdr 02:00:00:00:00:02 dev ulvs0");
        let last = (tap.index(), addr("10.0.255.2"));
        until(&mut mirror, "the last", |state| state.neighbours.contains_key(&last)).await;
        let fresh = common::mirror(&[&tap]).await;
        assert_eq!(*mirror.state.borrow(), *fresh.state.borrow());
    });
}

#[test]
fn bursts_are_few_snapshots_which_share_what_did_not_change() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        ip("addr add 10.0.0.1/16 dev ulvs0");
        let options = Options { spacing: Duration::from_millis(100), ..Options::default() };
        let mut mirror = Mirror::start_with(BTreeSet::from([tap.index()]), options).await.unwrap();
        let before = mirror.state.borrow_and_update().clone();
        for host in 1..=50 {
            ip(&format!("neigh add 10.0.1.{host} lladdr 02:00:00:00:00:09 dev ulvs0"));
        }
        let mut snapshots = 0;
        while mirror.state.borrow_and_update().neighbours.values().filter(|known| known.is_permanent()).count() < 50 {
            tokio::time::timeout(common::SOON, mirror.state.changed()).await.unwrap().unwrap();
            snapshots += 1;
        }
        assert!(snapshots <= 3, "{snapshots} snapshots of 50 changes");
        let routes = &mirror.state.borrow().routes;
        assert!(before.routes.iter().zip(routes.iter()).all(|((_, before), (_, now))| Arc::ptr_eq(before, now)));
    });
}

#[test]
fn ends_when_nobody_looks() {
    in_namespace(|| async {
        let tap = tap("ulvs0");
        let Mirror { state, task } = mirror(&[&tap]).await;
        drop(state);
        tokio::time::timeout(common::SOON, task).await.unwrap().unwrap().unwrap();
    });
}
