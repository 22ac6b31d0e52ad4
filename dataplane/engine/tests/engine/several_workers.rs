//! Scheduling by several workers: shares, and what each sees of the others' connections.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ulvs_engine::{Capacity, DropReason, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::{self, ACK, Flow, RST, SYN};

const VIP: &str = "10.0.1.100:80";
const WORKERS: usize = 4;

/// A service with these real servers, each of a weight, and four workers.
fn director(scheduler: &str, real_servers: &[(SocketAddr, i32)]) -> Director {
    let mut director = Director::with(Capacity { connections: 16_384, destinations: 256, workers: WORKERS });
    director.ipvsadm(&format!("ipvsadm -A -t {VIP} -s {scheduler}"));
    for (address, weight) in real_servers {
        director.ipvsadm(&format!("ipvsadm -a -t {VIP} -r {address} -m -w {weight}"));
    }
    director
}

/// Eleven hosts, on so many ports each, all of one weight.
fn real_servers(ports: u16, weight: i32) -> Vec<(SocketAddr, i32)> {
    let hosts = move |port| (11..=21).map(move |host| (([10, 0, 2, host], port).into(), weight));
    (80..80 + ports).flat_map(hosts).collect()
}

fn client(number: u32) -> Flow {
    let [_, a, b, c] = number.to_be_bytes();
    Flow::new(Protocol::Tcp, &format!("10.{}.{b}.{c}:1234", 100 + a), VIP)
}

/// A new connection by way of a worker; false if it was refused.
fn open(director: &mut Director, number: u32, worker: usize) -> bool {
    let (verdict, _) = director.play_on(worker, Side::Client, &frames::tcp(&client(number), SYN, b""));
    assert!(matches!(verdict, Verdict::Forward(_) | Verdict::Reject(_, DropReason::NoDestination)), "{verdict:?}");
    matches!(verdict, Verdict::Forward(_))
}

/// The worker that a NIC would give a flow to.
const fn worker_of(number: u32) -> usize {
    (number.wrapping_mul(0x9e37_79b1) >> 16) as usize % WORKERS
}

/// Connections of each real server.
fn loads(director: &Director) -> BTreeMap<SocketAddr, u32> {
    let service = director.service(&format!("tcp {VIP}"));
    service.destinations.iter().map(|one| (one.destination.address, one.load.total)).collect()
}

#[test]
fn shares_are_those_of_the_weights_within_a_hundredth() {
    const CONNECTIONS: u32 = 10_000;
    let weights = [(11, 1), (12, 2), (13, 3), (14, 4)];
    let weighted = weights.map(|(host, weight)| (([10, 0, 2, host], 80).into(), weight));
    for scheduler in ["rr", "lc", "wrr", "wlc", "sed", "nq"] {
        let mut director = director(scheduler, &weighted);
        for number in 0..CONNECTIONS {
            assert!(open(&mut director, number, worker_of(number)));
        }
        for (address, weight) in weighted {
            let share = if matches!(scheduler, "rr" | "lc") { 1.0 / 4.0 } else { f64::from(weight) / 10.0 };
            let expected = f64::from(CONNECTIONS) * share;
            let got = f64::from(loads(&director)[&address]);
            assert!((got - expected).abs() <= expected / 100.0, "{scheduler}: {address} has {got} of {expected}");
        }
    }
}

/// The real server of a client.
fn server_of(director: &Director, number: u32) -> SocketAddr {
    let source = client(number).source;
    let connections = director.connections().into_iter();
    let mut of_client = connections.filter(|one| one.key.source().to_ip(one.key.family()) == source.ip());
    of_client.next().map(|one| SocketAddr::new(one.destination, one.destination_port)).unwrap()
}

/// A list that is walked, and one that is cut into groups.
#[test]
fn each_worker_sees_the_connections_of_all() {
    for ports in [1, 8] {
        let list = real_servers(ports, 1);
        let count = u32::try_from(list.len()).unwrap();
        for scheduler in ["lc", "wlc", "sed", "nq"] {
            let mut director = director(scheduler, &list);
            for number in 0..3 * count {
                assert!(open(&mut director, number, worker_of(number)));
                assert!(loads(&director).values().all(|&load| load <= number / count + 1), "{scheduler} {number}");
            }
            // One worker sees that another's connection is no longer active: its real server is the least now.
            for number in [count / 2, count - 1, 0] {
                let freed = server_of(&director, number);
                for flags in [ACK, RST] {
                    let (verdict, _) = director.play_on(2, Side::Client, &frames::tcp(&client(number), flags, b""));
                    assert!(matches!(verdict, Verdict::Forward(_)));
                }
                assert!(open(&mut director, 100_000 + number, 3));
                assert_eq!(server_of(&director, 100_000 + number), freed, "{scheduler}");
            }
        }
    }
}

#[test]
fn thresholds_count_the_connections_of_all() {
    let mut director = director("rr", &real_servers(1, 1)[..2]);
    for host in [11, 12] {
        director.ipvsadm(&format!("ipvsadm -e -t {VIP} -r 10.0.2.{host}:80 -m -w 1 -x 8 -y 4"));
    }
    for number in 0..16 {
        assert!(open(&mut director, number, worker_of(number)), "{number}");
    }
    assert_eq!(loads(&director).into_values().collect::<Vec<_>>(), [8, 8]);
    for worker in 0..WORKERS {
        assert!(!open(&mut director, 20, worker));
    }
    // They all expire, in whichever worker's part of the table they are.
    director.wait(70);
    assert_eq!(loads(&director).into_values().collect::<Vec<_>>(), [0, 0]);
    assert!(open(&mut director, 21, 3));
}

#[test]
fn an_address_has_one_real_server_whichever_worker_asks() {
    let mut director = director("lblc", &real_servers(1, 1000));
    for number in 0..100 {
        assert!(open(&mut director, number, worker_of(number)));
    }
    assert_eq!(loads(&director).values().filter(|&&load| load > 0).count(), 1);
}
