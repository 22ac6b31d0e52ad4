//! Fragments: what would leave untranslated is dropped, the rest is the kernel's.

use ulvs_engine::{DropReason, PuntReason, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::Flow;

const DROPPED: Verdict = Verdict::Drop(DropReason::Fragment);
const PUNTED: Verdict = Verdict::Punt(PuntReason::Fragment);

/// The first fragment of a UDP packet of 10.0.2.11 or `2001:db8:2::11`.
fn fragment(to: &str) -> Vec<u8> {
    let from = if to.starts_with('[') { "[2001:db8:2::11]:53" } else { "10.0.2.11:53" };
    let mut packet = Flow::new(Protocol::Udp, from, to).packet(0, &[0; 64]);
    if packet[0] >> 4 == 6 {
        let next = std::mem::replace(&mut packet[6], 44);
        packet[5] += 8;
        packet.splice(40..40, [next, 0, 0, 1, 0, 0, 0, 7]);
    } else {
        packet[6] = 0x20;
        packet[10..12].fill(0);
        let sum = ulvs_wire::checksum::of(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

fn director(method: &str) -> Director {
    let mut director = Director::new();
    for (vip, server) in [("10.0.1.100", "10.0.2.11"), ("[2001:db8:1::100]", "[2001:db8:2::11]")] {
        director.ipvsadm(&format!("ipvsadm -A -u {vip}:53 -s rr"));
        director.ipvsadm(&format!("ipvsadm -a -u {vip}:53 -r {server}:53 {method}"));
    }
    director
}

fn verdict(director: &mut Director, to: &str) -> Verdict {
    director.play(Side::Server, &fragment(to)).0
}

/// The kernel would route a fragment of a reply on with the real server's address as its source.
#[test]
fn a_reply_that_nat_should_translate_is_dropped() {
    let mut nat = director("-m");
    for client in ["10.9.3.1:7000", "[2001:db8:9::3]:7000"] {
        assert_eq!(verdict(&mut nat, client), DROPPED);
        // Replies of these methods have the virtual address.
        assert_eq!(verdict(&mut director("-g"), client), PUNTED);
        assert_eq!(verdict(&mut director("-i"), client), PUNTED);
    }
    for own in ["10.0.2.1:7000", "[2001:db8:2::1]:7000"] {
        assert_eq!(verdict(&mut nat, own), PUNTED);
    }
    let mut ping = fragment("10.9.3.1:7000");
    ping[9] = 1;
    ping[10..12].fill(0);
    let sum = ulvs_wire::checksum::of(&ping[..20]);
    ping[10..12].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(nat.play(Side::Server, &ping).0, PUNTED);
}

/// Connections outlive their real server, and so do their replies; it is forgotten with them.
#[test]
fn removed_real_servers_are_remembered_with_their_connections() {
    let mut director = director("-m");
    let client = "10.9.3.1:7000";
    director.ipvsadm("ipvsadm -e -u 10.0.1.100:53 -r 10.0.2.11:53 -g");
    assert_eq!(verdict(&mut director, client), DROPPED);
    director.ipvsadm("ipvsadm -d -u 10.0.1.100:53 -r 10.0.2.11:53");
    assert_eq!(verdict(&mut director, client), DROPPED);
    for now in [0, 200] {
        director.compiler.empty_trash(now);
    }
    director.ipvsadm("ipvsadm -A -u 10.0.1.101:53 -s rr");
    assert_eq!(verdict(&mut director, client), PUNTED);
}
