//! Whatever arrives, every packet is accounted for.

use proptest::prelude::*;
use ulvs_engine::{Frame, MemoryFrame};

use crate::frames::{arp, at, datagram, syn, syn_ack};
use crate::lab::{Lab, VIP};

/// Frames that reach every stage, and what a broken wire makes of them.
fn frame() -> impl Strategy<Value = MemoryFrame> {
    let client = || (1024..1200u16).prop_map(|port| std::net::SocketAddrV4::new([198, 51, 100, 1].into(), port));
    let good = prop_oneof![
        client().prop_map(|from| syn(from, at(VIP))),
        client().prop_map(|from| datagram(from, at(VIP), 7)),
        client().prop_map(|to| syn_ack(at("10.0.0.1:8080"), to)),
        client().prop_map(|from| syn(from, at("192.0.2.1:22"))),
        Just(arp()),
    ];
    let bent = (good.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut frame, at, byte)| {
        let bytes = frame.bytes_mut();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        frame
    });
    let cut = (good.clone(), 0..80usize).prop_map(|(mut frame, len)| {
        let len = len.min(frame.bytes().len());
        frame.truncate(len);
        frame
    });
    let noise = prop::collection::vec(any::<u8>(), 0..100).prop_map(|bytes| MemoryFrame::new(&bytes));
    prop_oneof![4 => good, 4 => bent, 1 => cut, 1 => noise]
}

/// What happens between two packets.
#[derive(Clone, Debug)]
enum Event {
    Arrive(usize, usize, MemoryFrame),
    Pass(usize),
    Publish,
    Forget,
    Learn,
    Refuse(usize),
    Later(u32),
    Kernel,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (0..2usize, 0..2usize, frame()).prop_map(|(worker, port, frame)| Event::Arrive(worker, port, frame)),
        4 => (0..2usize).prop_map(Event::Pass),
        1 => Just(Event::Publish),
        1 => Just(Event::Forget),
        1 => Just(Event::Learn),
        1 => (0..20usize).prop_map(Event::Refuse),
        1 => (0..100u32).prop_map(Event::Later),
        1 => Just(Event::Kernel),
    ]
}

proptest! {
    #[test]
    fn every_packet_received_has_one_verdict(events in prop::collection::vec(event(), 1..300)) {
        let mut lab = Lab::new(2, 2);
        for event in events {
            match event {
                Event::Arrive(worker, port, frame) => lab.arrive(worker, port, frame),
                Event::Pass(worker) => drop(lab.pass(worker)),
                Event::Publish => lab.publish(),
                Event::Forget => lab.forget_server(),
                Event::Learn => lab.learn_server(),
                Event::Refuse(room) => lab.workers[0].io().room[1] = room,
                Event::Later(ticks) => lab.now.0 += ticks,
                Event::Kernel => drop(lab.to_kernel()),
            }
            lab.check_sum();
        }
        lab.settle();
        lab.check_sum();
        // Whoever still waits is dropped in the end.
        lab.now.0 += 200;
        lab.settle();
        for worker in [0, 1] {
            lab.pass(worker);
            prop_assert_eq!(lab.workers[worker].waiting(), 0);
        }
        lab.check_sum();
    }
}
