//! TTL, checksums, MTU and options through NAT, DR and TUN, as the kernel forwarded them.

use ulvs_engine::Verdict;

use crate::director::{Director, Side};
use crate::vectors::{self, Case, Section, Tally};

/// The server side's MTU while a case was recorded.
fn server_mtu(case: &str) -> u16 {
    if ["len 1400", "len 1401", "mtu 1400"].iter().any(|part| case.contains(part)) { 1400 } else { 1500 }
}

/// Two fragments into a tunnel: the kernel puts them together and cuts what is around them, here each has a tunnel header of
/// its own. What is inside is the same; see docs/differences.md.
fn tunnelled_one_by_one(case: &Case, director: &mut Director) {
    let (mut data, mut expected) = (Vec::new(), Vec::new());
    for packet in &case.input {
        let (verdict, sent) = director.play_whole(0, packet.side, &packet.l3);
        assert_eq!(verdict, Verdict::Forward(Side::Server.port()), "{}", case.name);
        assert_eq!((sent[0].l3[9], &sent[0].l3[16..20]), (4, &[10, 0, 2, 13][..]));
        data.extend_from_slice(&sent[0].l3[40..]);
    }
    for packet in case.expected() {
        expected.extend_from_slice(&packet.l3[20..]);
    }
    assert_eq!(data, expected[20..], "{}", case.name);
}

#[test]
fn as_the_kernel_forwards() {
    let mut tally = Tally::default();
    for section in vectors::read::<Section>("forwarding.json") {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        for case in &section.cases {
            director.set_server_mtu(server_mtu(&case.name));
            if case.name == "v4 fragments in TUN" {
                tunnelled_one_by_one(case, &mut director);
            } else {
                case.play(&mut director);
            }
            tally.compared += 1;
        }
    }
    tally.is("forwarding", 36, &[]);
}
