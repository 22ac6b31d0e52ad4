//! What would happen to a packet: all recorded packets are rehearsed before they are played ([`Director::play_on`]), and what is
//! foretold happens. Here, that asking changes nothing, and what is said beside the verdict.

use ulvs_engine::{DropReason, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::{ACK, Flow, SYN};

fn director(scheduler: &str) -> Director {
    let mut director = Director::new();
    director.ipvsadm(&format!("ipvsadm -A -t 10.0.1.100:80 {scheduler}"));
    for host in [11, 12, 13] {
        director.ipvsadm(&format!("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.{host}:8080 -m -w 1"));
    }
    director
}

fn syn(port: u16) -> Vec<u8> {
    Flow::new(Protocol::Tcp, &format!("10.0.1.7:{port}"), "10.0.1.100:80").packet(SYN, b"")
}

fn rehearse(director: &Director, l3: &[u8]) -> ulvs_engine::Rehearsal {
    use ulvs_engine::Frame;
    director.rehearse(0, Side::Client, Director::frame(Side::Client, l3).bytes())
}

/// A scheduler's turn, connections, loads and counters stay as they are, however often it is asked.
#[test]
fn asking_changes_nothing() {
    for scheduler in ["-s rr", "-s wrr", "-s lc", "-s twos", "-s lblcr", "-s rr -p 60"] {
        let (mut asked, mut unasked) = (director(scheduler), director(scheduler));
        for port in 1000..1012 {
            for other in 0..5 {
                rehearse(&asked, &syn(port + other));
            }
            assert_eq!(asked.connections().len(), unasked.connections().len());
            let sent = |director: &mut Director| director.play(Side::Client, &syn(port));
            assert_eq!(sent(&mut asked), sent(&mut unasked), "{scheduler}");
        }
        let totals = |director: &Director| director.service("tcp 10.0.1.100:80").totals;
        assert_eq!(totals(&asked), totals(&unasked));
        assert_eq!(asked.shared.workers()[0].forwarded.get(), unasked.shared.workers()[0].forwarded.get());
        assert!(asked.shared.next_unresolved().is_none());
    }
}

#[test]
fn what_it_hangs_on_is_said() {
    let mut director = director("-s rr -p 60");
    let first = rehearse(&director, &syn(1000));
    assert!(first.before.is_none() && first.template.is_none());
    assert_eq!(first.service.map(|key| key.to_string()), Some("tcp 10.0.1.100:80".to_owned()));
    assert_eq!(first.candidates.len(), 3);
    let chosen = first.after.unwrap().destination;
    director.play(Side::Client, &syn(1000));
    // Its client's template leads the next connection.
    let next = rehearse(&director, &syn(1001));
    assert_eq!((next.template.unwrap().destination, next.after.unwrap().destination), (chosen, chosen));
    // And its own connection has the next packet.
    let flow = Flow::new(Protocol::Tcp, "10.0.1.7:1000", "10.0.1.100:80");
    let ack = rehearse(&director, &flow.packet(ACK, b"x"));
    assert_eq!(ack.before.unwrap().state_name(), "SYN_RECV");
    assert_eq!(director.connections().len(), 2);
}

#[test]
fn a_service_without_real_servers_and_a_table_without_room_are_foretold() {
    let mut director = director("-s wlc");
    for host in [11, 12, 13] {
        director.ipvsadm(&format!("ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.{host}:8080 -m -w 0"));
    }
    // Behind the router: the director knows where to send the error.
    let from_afar = Flow::new(Protocol::Tcp, "198.51.100.7:1000", "10.0.1.100:80").packet(SYN, b"");
    let nobody = rehearse(&director, &from_afar);
    assert!(matches!(nobody.verdict, Verdict::Reject(_, DropReason::NoDestination)), "{:?}", nobody.verdict);
    assert!(nobody.after.is_none() && nobody.candidates.iter().all(|(one, _)| one.weight.get() == 0));

    let mut full = Director::with(ulvs_engine::Capacity { connections: 64, destinations: 16, workers: 1 });
    full.ipvsadm("ipvsadm -A -t 10.0.1.100:80 -s rr");
    full.ipvsadm("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m");
    for port in 1000..1100 {
        full.play(Side::Client, &syn(port));
    }
    assert_eq!(rehearse(&full, &syn(2000)).verdict, Verdict::Drop(DropReason::ConnTableFull));
    assert!(matches!(rehearse(&full, &syn(1000)).verdict, Verdict::Forward(_)), "its connection is there");
}
