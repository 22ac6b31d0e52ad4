//! Packets for who looks on.

use std::sync::Arc;

use ulvs_bpf::{Instruction, Program};
use ulvs_engine::snapshot::PortId;
use ulvs_engine::{DropReason, Frame, PuntReason, Ticks, Verdict};
use ulvs_worker::capture::{Captures, NoMore, Recorded, Wanted};

use crate::frames::{arp, at, datagram, ends, syn, syn_ack};
use crate::lab::{Lab, PATIENCE, VIP};

const CLIENT: &str = "198.51.100.1:1000";
const SERVER: &str = "10.0.0.1:8080";

/// A lab with workers that may be looked on at.
fn lab(workers: usize) -> (Lab, Arc<Captures>) {
    let mut lab = Lab::new(workers, 2);
    let captures = Arc::new(Captures::new(workers));
    let own = std::mem::take(&mut lab.workers).into_iter().enumerate();
    lab.workers = own.map(|(number, worker)| worker.with_captures(Arc::clone(&captures), number)).collect();
    (lab, captures)
}

/// TCP or UDP over IPv4 without options to this port.
fn to_port(port: u16) -> Program {
    let one = |code, jf, k| Instruction { code, jt: 0, jf, k };
    let program = [one(0x28, 0, 36), one(0x15, 1, port.into()), one(0x06, 0, u32::MAX), one(0x06, 0, 0)];
    Program::new(&program).unwrap()
}

fn summary(recorded: &Recorded) -> (Option<u16>, Option<u16>, Option<Verdict>, usize, usize) {
    let record = &recorded.record;
    let number = |port: Option<PortId>| port.map(|port| port.0);
    (number(record.ingress), number(record.egress), record.verdict, recorded.before().len(), recorded.after().len())
}

#[test]
fn both_sides_of_a_translated_connection_are_recorded() {
    let (mut lab, captures) = lab(1);
    // Only the side of the real server has this port.
    let mut recording =
        captures.begin(&Wanted { filter: to_port(8080), connections: true, ..Wanted::everything() }).unwrap();
    let frame = syn(at(CLIENT), at(VIP));
    lab.arrive(0, 0, frame.clone());
    lab.arrive(0, 0, datagram(at("198.51.100.9:9"), at("192.0.2.7:9"), 1));
    lab.settle();
    let sent = lab.sent(0, 1).remove(0);
    let taken = recording.take(1 << 20);
    assert_eq!(taken.len(), 1, "{taken:?}");
    let forwarded = Some(Verdict::Forward(PortId(1)));
    assert_eq!(summary(&taken[0]), (Some(0), Some(1), forwarded, frame.bytes().len(), sent.bytes().len()));
    assert_eq!((taken[0].before(), taken[0].after()), (frame.bytes(), sent.bytes()));
    assert_eq!(ends(&sent).1, at(SERVER));
    let record = &taken[0].record;
    assert!(record.connection_before.is_none());
    assert_eq!(record.connection_after.unwrap().state_name(), "SYN_RECV");

    drop(recording);
    let mut recording = captures.begin(&Wanted::everything()).unwrap();
    let reply = syn_ack(at(SERVER), at(CLIENT));
    lab.arrive(0, 1, reply.clone());
    lab.settle();
    let taken = recording.take(1 << 20);
    assert_eq!((taken.len(), taken[0].before()), (1, reply.bytes()));
    assert_eq!(taken[0].after(), lab.sent(0, 0)[0].bytes());
    lab.check_sum();
}

#[test]
fn what_does_not_leave_has_one_side() {
    let (mut lab, captures) = lab(1);
    let mut recording = captures.begin(&Wanted { snaplen: 20, ..Wanted::everything() }).unwrap();
    let mut other = datagram(at(CLIENT), at(VIP), 1);
    other.bytes_mut()[5] ^= 0x40;
    lab.arrive(0, 0, arp());
    lab.arrive(0, 0, other.clone());
    lab.settle();
    let taken = recording.take(1 << 20);
    assert_eq!(summary(&taken[0]), (Some(0), None, Some(Verdict::Punt(PuntReason::Arp)), 20, 0));
    assert_eq!(summary(&taken[1]), (Some(0), None, Some(Verdict::Drop(DropReason::OtherHost)), 20, 0));
    assert_eq!(taken[1].record.before.len as usize, other.bytes().len());

    lab.exception.inject(PortId(1), arp()).unwrap();
    lab.settle();
    assert_eq!(summary(&recording.take(1 << 20)[0]), (None, Some(1), None, 0, 20));
}

#[test]
fn only_what_is_wanted_is_recorded() {
    let (mut lab, captures) = lab(1);
    let mut dropped = captures.begin(&Wanted { dropped: true, ..Wanted::everything() }).unwrap();
    let mut of_port = captures.begin(&Wanted { port: Some(PortId(1)), ..Wanted::everything() }).unwrap();
    let mut other = datagram(at(CLIENT), at(VIP), 1);
    other.bytes_mut()[5] ^= 0x40;
    for frame in [other, datagram(at(CLIENT), at(VIP), 2), arp()] {
        lab.arrive(0, 0, frame);
    }
    lab.settle();
    let verdicts = |taken: Vec<Recorded>| taken.iter().filter_map(|one| one.record.verdict).collect::<Vec<_>>();
    assert_eq!(verdicts(dropped.take(1 << 20)), [Verdict::Drop(DropReason::OtherHost)]);
    assert_eq!(verdicts(of_port.take(1 << 20)), [Verdict::Forward(PortId(1))]);
}

#[test]
fn packets_that_waited_are_recorded_when_they_go() {
    let (mut lab, captures) = lab(1);
    lab.forget_server();
    let mut recording = captures.begin(&Wanted::everything()).unwrap();
    let mut of_server = captures.begin(&Wanted { filter: to_port(8080), ..Wanted::everything() }).unwrap();
    lab.arrive(0, 0, datagram(at(CLIENT), at(VIP), 1));
    lab.settle();
    assert_eq!(summary(&recording.take(1 << 20)[0]).2, Some(Verdict::Wait));
    assert!(of_server.take(1 << 20).is_empty());
    lab.learn_server();
    lab.settle();
    let (taken, first) = (recording.take(1 << 20), of_server.take(1 << 20));
    assert_eq!((taken[0].record.verdict, taken[0].record.again), (Some(Verdict::Forward(PortId(1))), true));
    assert!(!first[0].record.again, "its other side was not recorded yet");
}

#[test]
fn packets_that_waited_in_vain_are_recorded_when_they_are_dropped() {
    let (mut lab, captures) = lab(1);
    lab.forget_server();
    let mut recording = captures.begin(&Wanted::everything()).unwrap();
    let mut dropped = captures.begin(&Wanted { dropped: true, ..Wanted::everything() }).unwrap();
    lab.arrive(0, 0, datagram(at(CLIENT), at(VIP), 1));
    lab.settle();
    lab.now = Ticks(lab.now.0 + PATIENCE.ticks + 1);
    lab.settle();
    let verdicts =
        |taken: &[Recorded]| taken.iter().map(|one| (one.record.verdict, one.record.again)).collect::<Vec<_>>();
    let gone = (Some(Verdict::Drop(DropReason::NeighbourUnresolved)), true);
    let taken = recording.take(1 << 20);
    assert_eq!(verdicts(&taken), [(Some(Verdict::Wait), false), gone]);
    assert_eq!(taken[0].before(), taken[1].before());
    assert_eq!(verdicts(&dropped.take(1 << 20)), [gone]);
    lab.check_sum();
}

/// Nobody takes what is recorded: the worker forwards all, and what is lost is known.
#[test]
fn a_slow_reader_loses_packets_and_the_worker_none() {
    const PACKETS: u16 = 20_000;
    let (mut lab, captures) = lab(1);
    let mut recording = captures.begin(&Wanted::everything()).unwrap();
    for number in 0..PACKETS {
        lab.arrive(0, 0, datagram(at(CLIENT), at(VIP), number));
    }
    lab.settle();
    assert_eq!(lab.sent(0, 1).len(), usize::from(PACKETS));
    let mut taken = 0;
    loop {
        let some = recording.take(1 << 16).len();
        assert!(some <= (1 << 16) / 80 + 1, "{some}");
        if some == 0 {
            break;
        }
        taken += some as u64;
    }
    assert_eq!(taken + recording.lost(), u64::from(PACKETS));
    assert!(taken >= 4096 && recording.lost() > 0);
}

#[test]
fn sessions_are_few_and_come_back() {
    let (mut lab, captures) = lab(2);
    for round in 0..5 {
        let recordings: Vec<_> = std::iter::from_fn(|| captures.begin(&Wanted::everything()).ok()).collect();
        assert_eq!(recordings.len(), 4, "round {round}");
        assert_eq!(captures.begin(&Wanted::everything()).err(), Some(NoMore));
        if round % 2 == 0 {
            lab.pass(0);
        }
        drop(recordings);
        assert_eq!(captures.tidy(), round % 2 != 0, "worker 0 has taken its recorders in even rounds");
        lab.pass(0);
        lab.pass(1);
        assert!(captures.tidy());
    }
}

/// Recordings that come and go while a worker runs: nothing is lost of it, nothing hangs.
#[test]
fn recordings_come_and_go_while_a_worker_runs() {
    let (mut lab, captures) = lab(1);
    std::thread::scope(|threads| {
        let looker = threads.spawn(|| {
            let mut seen = 0;
            for _ in 0..200 {
                if let Ok(mut recording) = captures.begin(&Wanted { snaplen: 64, ..Wanted::everything() }) {
                    std::thread::yield_now();
                    seen += recording.take(1 << 20).len();
                }
            }
            seen
        });
        let mut sent = 0;
        while !looker.is_finished() {
            for number in 0..64 {
                lab.arrive(0, 0, datagram(at(CLIENT), at(VIP), number));
            }
            lab.settle();
            sent += lab.sent(0, 1).len();
        }
        assert!(sent >= looker.join().unwrap());
    });
    lab.settle();
    assert!(captures.tidy());
    lab.check_sum();
}
