//! Workers that share a connection table.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::frames::{at, ends, syn, syn_ack};
use crate::lab::{Lab, VIP};

/// The source of connection `number`.
fn client(number: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, (number % 200 + 1).to_be_bytes()[1]), 1024 + number / 200)
}

#[test]
fn replies_of_nat_may_come_to_the_other_worker() {
    const CONNECTIONS: u16 = 10_000;
    let mut lab = Lab::new(2, 2);
    for number in 0..CONNECTIONS {
        lab.arrive(usize::from(number % 2), 0, syn(client(number), at(VIP)));
    }
    lab.settle();
    let mut answered = 0;
    for worker in [0, 1] {
        for request in lab.sent(worker, 1) {
            let (from, to) = ends(&request);
            lab.arrive(1 - worker, 1, syn_ack(to, from));
            answered += 1;
        }
    }
    assert_eq!(answered, CONNECTIONS);
    lab.settle();
    let mut clients: Vec<_> = [lab.sent(0, 0), lab.sent(1, 0)].concat().iter().map(ends).collect();
    assert!(clients.iter().all(|(from, _)| *from == at(VIP)));
    clients.sort_unstable();
    clients.dedup();
    assert_eq!(clients.len(), usize::from(CONNECTIONS));
    assert_eq!(lab.shared.connections(), u64::from(CONNECTIONS));
    lab.check_sum();
}

/// Two threads pass on their own while the control side publishes: every packet gets through, and each worker ends up
/// with the newest snapshot.
#[test]
fn workers_adopt_snapshots_while_they_forward() {
    const EACH: u16 = 5_000;
    let mut lab = Lab::new(2, 2);
    for number in 0..2 * EACH {
        lab.arrive(usize::from(number % 2), 0, syn(client(number), at(VIP)));
    }
    let (now, stop) = (lab.now, AtomicBool::new(false));
    let mut workers = std::mem::take(&mut lab.workers);
    std::thread::scope(|scope| {
        for worker in &mut workers {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) || worker.pass(now) > 0 {
                    worker.pass(now);
                }
            });
        }
        for _ in 0..1_000 {
            lab.publish();
            lab.publisher.reclaim();
        }
        stop.store(true, Ordering::Relaxed);
    });
    lab.workers = workers;
    for worker in [0, 1] {
        lab.pass(worker);
        assert_eq!(lab.workers[worker].engine().counters().generation.get(), lab.publisher.generation());
        assert_eq!(lab.sent(worker, 1).len(), usize::from(EACH));
    }
    assert_eq!(lab.publisher.reclaim(), 0);
    lab.check_sum();
}
