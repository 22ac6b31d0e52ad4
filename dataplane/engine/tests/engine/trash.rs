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

/// A real server comes back in a service made anew: with its connections, and counters that begin again.
#[test]
fn counters_begin_again_in_a_service_made_anew() {
    let mut director = Director::new();
    let flow = Flow::new(Protocol::Tcp, "10.9.3.1:7020", "10.0.1.100:80");
    let server = "ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:80 -m";
    director.ipvsadm("ipvsadm -A -t 10.0.1.100:80 -s rr");
    director.ipvsadm(server);
    director.play(Side::Client, &flow.packet(SYN, b""));
    director.ipvsadm("ipvsadm -D -t 10.0.1.100:80");
    director.ipvsadm("ipvsadm -A -t 10.0.1.100:80 -s wlc");
    director.ipvsadm(server);
    let service = director.service("tcp 10.0.1.100:80");
    assert_eq!((service.totals, service.destinations[0].totals), Default::default());
    assert_eq!(service.destinations[0].load.total, 1);
    // Removed and added again in the same service, it has what it counted in this one.
    director.play(Side::Client, &flow.packet(ACK, b""));
    director.ipvsadm("ipvsadm -d -t 10.0.1.100:80 -r 10.0.2.11:80");
    director.ipvsadm(server);
    let service = director.service("tcp 10.0.1.100:80");
    let counted = Totals { packets_in: 1, bytes_in: 40, ..Totals::default() };
    assert_eq!((service.totals, service.destinations[0].totals), (counted, counted));
}
