//! Real servers that were removed, and come back or not (ipvs-facts B.8).

use ulvs_engine::counters::Totals;
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::{ACK, Flow, RST, SYN};

/// The counters of a real server that was removed when it had no connection any more, `offset` seconds after its trash was
/// looked through, and added again `seconds` later.
fn added_again(seconds: u64, offset: u64) -> Totals {
    let mut director = Director::new();
    director.ipvsadm("ipvsadm -A -t 10.0.1.100:80 -s rr");
    director.ipvsadm("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:80 -m");
    let flow = Flow::new(Protocol::Tcp, "10.9.3.1:7020", "10.0.1.100:80");
    for flags in [SYN, ACK, RST] {
        director.play(Side::Client, &flow.packet(flags, b""));
    }
    director.wait(12);
    director.ipvsadm("ipvsadm -d -t 10.0.1.100:80 -r 10.0.2.11:80");
    for now in (60..).step_by(60).take_while(|now| *now <= offset + seconds) {
        director.compiler.empty_trash(now);
    }
    director.ipvsadm("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:80 -m");
    director.service("tcp 10.0.1.100:80").destinations[0].totals
}

/// As a running kernel did it: after 100 s the counters come back, after 190 s and 260 s they are zero.
#[test]
fn counters_come_back_within_two_minutes() {
    let counted = Totals { connections: 1, packets_in: 3, bytes_in: 120, ..Totals::default() };
    for offset in [0, 30, 59] {
        assert_eq!(added_again(100, offset), counted, "{offset}");
        for seconds in [190, 260] {
            assert_eq!(added_again(seconds, offset), Totals::default(), "{offset} {seconds}");
        }
    }
}
