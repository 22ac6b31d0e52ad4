//! Each packet goes where its verdict says.

use ulvs_engine::{BURST, DropReason, MemoryFrame, PuntReason};

use crate::frames::{arp, at, datagram, ends, number, syn};
use crate::lab::{Lab, VIP};

#[test]
fn packets_are_forwarded_punted_and_dropped() {
    let mut lab = Lab::new(1, 2);
    lab.arrive(0, 0, syn(at("198.51.100.1:1000"), at(VIP)));
    lab.arrive(0, 0, arp());
    lab.arrive(0, 0, MemoryFrame::new(&[0; 13]));
    lab.arrive(0, 0, syn(at("198.51.100.1:1000"), at("192.0.2.1:22")));
    assert_eq!(lab.pass(0), 4);
    let sent = lab.sent(0, 1);
    assert_eq!(sent.iter().map(|frame| ends(frame).1).collect::<Vec<_>>(), [at("10.0.0.1:8080")]);
    assert!(lab.sent(0, 0).is_empty());
    assert_eq!(lab.to_kernel().len(), 2);
    assert_eq!(lab.shared.drops(DropReason::Truncated), 1);
    assert_eq!((lab.shared.punts(PuntReason::Arp), lab.shared.punts(PuntReason::NotAService)), (1, 1));
    lab.check_sum();
}

#[test]
fn what_a_port_refuses_is_counted_and_gone() {
    let mut lab = Lab::new(1, 2);
    lab.workers[0].io().room[1] = 10;
    for number in 0..100 {
        lab.arrive(0, 0, datagram(at("198.51.100.1:1000"), at(VIP), number));
    }
    assert_eq!((lab.pass(0), lab.pass(0), lab.pass(0)), (BURST, 100 - BURST, 0));
    assert_eq!(lab.sent(0, 1).iter().map(number).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert_eq!(lab.shared.drops(DropReason::TxFull), 90);
    // Nothing was kept for later.
    lab.workers[0].io().room[1] = usize::MAX;
    lab.pass(0);
    assert!(lab.sent(0, 1).is_empty());
    assert_eq!(lab.workers[0].engine().counters().forwarded.get(), 100);
    lab.check_sum();
}

#[test]
fn many_ports_take_turns_and_their_packets_share_a_way_out() {
    let mut lab = Lab::new(1, 5);
    // The same datagrams from three ports, which all leave by port 1: more than one burst of it in a pass.
    for port in [0, 2, 4] {
        for number in 0..100 {
            let mut frame = datagram(at("198.51.100.1:1000"), at(VIP), number);
            ulvs_engine::Frame::bytes_mut(&mut frame)[5] = port;
            lab.arrive(0, port.into(), frame);
        }
    }
    assert_eq!(lab.pass(0), 3 * BURST);
    let mut sent = lab.sent(0, 1);
    assert_eq!(sent.len(), 3 * BURST);
    lab.settle();
    sent.extend(lab.sent(0, 1));
    assert_eq!(sent.len(), 300);
    // In order for each port.
    let first_pass = 3 * usize::from(number(&sent[BURST - 1]) + 1);
    assert_eq!(first_pass, 3 * BURST);
    for burst in sent[..first_pass].chunks(BURST) {
        assert!(burst.iter().map(number).enumerate().all(|(at, number)| at == number.into()));
    }
    lab.check_sum();
}

#[test]
fn counters_tell_passes_and_generations() {
    let mut lab = Lab::new(1, 2);
    lab.pass(0);
    lab.arrive(0, 0, arp());
    lab.pass(0);
    lab.publish();
    lab.publish();
    let generation = |lab: &Lab| lab.workers[0].engine().counters().generation.get();
    assert_eq!(generation(&lab), 1);
    lab.pass(0);
    assert_eq!((generation(&lab), lab.publisher.generation()), (3, 3));
    let counters = lab.workers[0].engine().counters();
    assert_eq!((counters.loops.get(), counters.busy_loops.get()), (3, 1));
    // Both snapshots it has left behind can be freed.
    assert_eq!(lab.publisher.reclaim(), 0);
}
