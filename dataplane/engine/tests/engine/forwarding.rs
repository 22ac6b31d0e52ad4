//! TTL, checksums, MTU and options through NAT, DR and TUN, as the kernel forwarded them.

use ulvs_engine::{DropReason, Verdict};

use crate::director::Director;
use crate::vectors::{self, Section, Tally};

/// The server side's MTU while a case was recorded.
fn server_mtu(case: &str) -> u16 {
    if ["len 1400", "len 1401", "mtu 1400"].iter().any(|part| case.contains(part)) { 1400 } else { 1500 }
}

/// Cases that need fragments to be put together or made: what the engine does instead.
fn without_fragments(case: &str) -> Option<Verdict> {
    match case {
        "NAT noDF len 1500 eth1 mtu 1400" | "DR noDF len 1500 eth1 mtu 1400" => {
            Some(Verdict::Drop(DropReason::NeedsFragmentation))
        }
        "v4 fragments reply NAT"
        | "v4 fragments in NAT"
        | "v4 fragments in DR"
        | "v4 fragments in TUN"
        | "v6 fragments in NAT" => Some(Verdict::Drop(DropReason::Fragment)),
        _ => None,
    }
}

#[test]
fn as_the_kernel_forwards() {
    let mut tally = Tally::default();
    for section in vectors::read::<Section>("forwarding.json") {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        for case in &section.cases {
            director.set_server_mtu(server_mtu(&case.name));
            if let Some(verdict) = without_fragments(&case.name) {
                assert!(case.verdicts(&mut director).iter().all(|&v| v == verdict), "{}", case.name);
                tally.skip("fragments");
            } else {
                case.play(&mut director);
                tally.compared += 1;
            }
        }
    }
    tally.is("forwarding", 29, &[("fragments", 7)]);
}
