//! Packets from the kernel.

use ulvs_engine::snapshot::PortId;
use ulvs_engine::{BURST, DropReason};

use crate::frames::{at, datagram, number};
use crate::lab::{Lab, VIP};

fn inject(lab: &Lab, port: u16, count: u16) {
    for number in 0..count {
        lab.exception.inject(PortId(port), datagram(at("192.0.2.1:1000"), at("192.0.2.7:53"), number)).unwrap();
    }
}

#[test]
fn each_port_is_served_by_one_worker() {
    let mut lab = Lab::new(2, 3);
    for port in 0..3 {
        inject(&lab, port, 5);
    }
    lab.settle();
    let sent = |lab: &mut Lab, worker| [0, 1, 2].map(|port| lab.sent(worker, port).len());
    assert_eq!((sent(&mut lab, 0), sent(&mut lab, 1)), ([5, 0, 5], [0, 5, 0]));
}

#[test]
fn the_kernel_can_not_crowd_out_traffic() {
    let mut lab = Lab::new(1, 2);
    inject(&lab, 0, 500);
    inject(&lab, 1, 500);
    for number in 0..200 {
        lab.arrive(0, 0, datagram(at("198.51.100.1:1000"), at(VIP), 1000 + number));
    }
    // A full burst of traffic in each pass, and 32 of the kernel's for each port.
    for pass in 1..=3 {
        assert_eq!(lab.pass(0), BURST + 64, "pass {pass}");
    }
    assert_eq!(lab.sent(0, 0).len(), 3 * 32);
    let out = lab.sent(0, 1);
    assert_eq!(out.iter().filter(|frame| number(frame) >= 1000).count(), 3 * BURST);
    lab.settle();
    assert_eq!((lab.sent(0, 0).len(), lab.sent(0, 1).len()), (500 - 96, 500 - 96 + 200 - 3 * BURST));
    // What the kernel sends was not received by a port.
    lab.check_sum();
}

#[test]
fn what_the_port_refuses_of_the_kernels_is_counted() {
    let mut lab = Lab::new(1, 1);
    lab.workers[0].io().room[0] = 3;
    inject(&lab, 0, 10);
    lab.pass(0);
    assert_eq!((lab.sent(0, 0).len(), lab.shared.drops(DropReason::TxFull)), (3, 7));
    lab.check_sum();
}

#[test]
fn workers_that_do_not_come_by_fill_a_bounded_queue() {
    let lab = Lab::new(1, 1);
    let frame = || datagram(at("192.0.2.1:1000"), at("192.0.2.7:53"), 0);
    let taken = (0..100_000).take_while(|_| lab.exception.inject(PortId(0), frame()).is_ok()).count();
    assert_eq!(taken, 1024);
    assert!(lab.exception.inject(PortId(9), frame()).is_err());
}
