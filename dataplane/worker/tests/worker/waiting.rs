//! Packets to a real server whose hardware address is not known.

use ulvs_engine::{BURST, DropReason, Ticks};
use ulvs_worker::Patience;

use crate::frames::{at, datagram, number};
use crate::lab::{Lab, PATIENCE, VIP};

fn send(lab: &mut Lab, numbers: std::ops::Range<u16>) {
    for number in numbers {
        lab.arrive(0, 0, datagram(at("198.51.100.1:1000"), at(VIP), number));
    }
    lab.pass(0);
}

/// How often packets were tried: each try asks for the neighbour.
fn asked(lab: &Lab) -> usize {
    std::iter::from_fn(|| lab.shared.next_unresolved()).count()
}

fn later(lab: &mut Lab, ticks: u32) {
    lab.now = Ticks(lab.now.0 + ticks);
    lab.pass(0);
}

#[test]
fn packets_leave_in_order_when_the_neighbour_is_known() {
    let mut lab = Lab::unresolved();
    send(&mut lab, 0..3);
    assert_eq!((lab.workers[0].waiting(), asked(&lab)), (3, 3));
    lab.check_sum();
    lab.learn_server();
    // Later packets of the flow come in the very pass that has the new snapshot: they stay behind.
    send(&mut lab, 3..6);
    assert_eq!(lab.sent(0, 1).iter().map(number).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert_eq!((lab.workers[0].waiting(), asked(&lab)), (0, 0));
    assert_eq!(lab.workers[0].engine().counters().forwarded.get(), 6);
    lab.check_sum();
}

#[test]
fn a_packet_is_tried_once_with_each_snapshot() {
    let mut lab = Lab::unresolved();
    send(&mut lab, 0..2);
    assert_eq!(asked(&lab), 2);
    for _ in 0..5 {
        lab.pass(0);
    }
    assert_eq!(asked(&lab), 0, "nothing changed");
    lab.publish();
    send(&mut lab, 2..3);
    assert_eq!(asked(&lab), 3, "two again, one for the first time");
    lab.publish();
    lab.publish();
    lab.pass(0);
    lab.pass(0);
    assert_eq!(asked(&lab), 3, "two snapshots between two passes are one");
    lab.learn_server();
    lab.pass(0);
    assert_eq!(lab.sent(0, 1).iter().map(number).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_packet_that_waits_too_long_is_dropped() {
    let mut lab = Lab::unresolved();
    send(&mut lab, 0..1);
    later(&mut lab, PATIENCE.ticks / 2);
    send(&mut lab, 1..2);
    // A retry that fails does not begin the time anew.
    lab.publish();
    later(&mut lab, PATIENCE.ticks / 2 - 1);
    assert_eq!((lab.workers[0].waiting(), lab.shared.drops(DropReason::NeighbourUnresolved)), (2, 0));
    later(&mut lab, 1);
    assert_eq!((lab.workers[0].waiting(), lab.shared.drops(DropReason::NeighbourUnresolved)), (1, 1));
    later(&mut lab, PATIENCE.ticks / 2);
    assert_eq!((lab.workers[0].waiting(), lab.shared.drops(DropReason::NeighbourUnresolved)), (0, 2));
    lab.learn_server();
    later(&mut lab, 1);
    assert!(lab.sent(0, 1).is_empty());
    lab.check_sum();
}

#[test]
fn an_answer_at_the_last_moment_counts() {
    let mut lab = Lab::unresolved();
    send(&mut lab, 0..1);
    lab.learn_server();
    later(&mut lab, PATIENCE.ticks);
    assert_eq!(lab.sent(0, 1).len(), 1);
}

#[test]
fn the_number_of_waiting_packets_is_bounded() {
    let mut lab = Lab::unresolved();
    send(&mut lab, 0..20);
    assert_eq!(lab.workers[0].waiting(), PATIENCE.packets);
    assert_eq!(lab.shared.drops(DropReason::NeighbourQueueFull), 12);
    lab.check_sum();
    lab.publish();
    lab.pass(0);
    assert_eq!(lab.workers[0].waiting(), PATIENCE.packets, "each finds its place again");
    lab.learn_server();
    lab.pass(0);
    assert_eq!(lab.sent(0, 1).iter().map(number).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    lab.check_sum();
}

#[test]
fn packets_of_a_removed_service_do_not_wait_on() {
    let mut lab = Lab::unresolved();
    send(&mut lab, 0..2);
    let key = ulvs_model::ServiceKey::new(ulvs_model::Protocol::Udp, VIP.parse().unwrap());
    lab.compiler.remove_service(key).unwrap();
    lab.publish();
    lab.pass(0);
    assert_eq!(lab.workers[0].waiting(), 0);
    lab.check_sum();
}

/// However many wait: a pass tries a burst of them, in the order they came, and gives up a bounded number.
#[test]
fn many_packets_are_tried_again_some_in_each_pass() {
    const MANY: u16 = 1000;
    let waiting = |lab: &Lab| lab.workers[0].waiting();
    let patience = Patience { packets: MANY.into(), ticks: PATIENCE.ticks };
    let mut lab = Lab::unresolved_for(patience);
    send(&mut lab, 0..MANY);
    lab.settle();
    assert_eq!((waiting(&lab), asked(&lab)), (MANY.into(), MANY.into()));
    // Nothing is known yet: all are tried once.
    lab.publish();
    for left in (0..MANY).step_by(BURST) {
        lab.pass(0);
        assert_eq!(asked(&lab), BURST.min((MANY - left).into()));
    }
    lab.pass(0);
    assert_eq!((waiting(&lab), asked(&lab)), (MANY.into(), 0));
    lab.learn_server();
    lab.pass(0);
    assert_eq!(waiting(&lab), usize::from(MANY) - BURST);
    while waiting(&lab) > 200 {
        lab.pass(0);
    }
    assert!(lab.sent(0, 1).iter().map(number).eq((0..MANY).take(usize::from(MANY) - waiting(&lab))));
    lab.forget_server();
    send(&mut lab, 0..300);
    lab.settle();
    let before = waiting(&lab);
    later(&mut lab, PATIENCE.ticks);
    assert_eq!(before - waiting(&lab), 256);
    later(&mut lab, 1);
    assert_eq!(waiting(&lab), 0);
    lab.check_sum();
}
