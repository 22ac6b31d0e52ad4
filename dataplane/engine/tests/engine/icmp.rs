//! ICMP errors about connections, as the kernel translated and relayed them (ipvs-facts C.6).

use ulvs_engine::{DropReason, PuntReason, Verdict};

use crate::director::Director;
use crate::vectors::{self, Case, Section, Tally};

/// What the engine says where the kernel's own stack answered, or kept silent.
fn of_the_kernel(case: &str) -> Option<Verdict> {
    match case {
        // Other types, no connection, later fragments: the local stack's.
        "icmp in 12/0 NAT"
        | "icmp in 5/1 NAT"
        | "icmp in no conn"
        | "icmp in embedded non-first fragment NAT"
        | "icmp echo to VIP"
        | "icmp out no conn (embedded port differs)" => Some(Verdict::Punt(PuntReason::Icmp)),
        "icmp in bad icmp checksum NAT" | "icmp out bad checksum NAT" => {
            Some(Verdict::Drop(DropReason::BadIcmpChecksum))
        }
        "icmp in DR ttl1" => Some(Verdict::Drop(DropReason::TtlExceeded)),
        _ => None,
    }
}

/// Cases whose outcome differs on purpose; see docs/differences.md.
fn differs(case: &str) -> bool {
    // The first error about a tunnel says how long packets may be from now on, not how long they could be before.
    matches!(case, "tunnel error 3/4 mtu 1400 about ipip, inner DF" | "tunnel error 3/4 mtu 1400 about gue")
}

#[test]
fn as_the_kernel_relates() {
    let mut tally = Tally::default();
    for section in vectors::read::<Section>("icmp.json") {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        for case in &section.cases {
            if let Some(verdict) = of_the_kernel(&case.name) {
                assert_eq!(case.verdicts(&mut director), [verdict], "{}", case.name);
            } else if differs(&case.name) {
                new_tunnel_mtu(case, &mut director);
            } else {
                if case.name == "schedule_icmp=1, tcp no conn" {
                    director.ipvsadm("sysctl -w net.ipv4.vs.schedule_icmp=1");
                }
                case.play(&mut director);
            }
            tally.compared += 1;
        }
    }
    tally.is("icmp", 44, &[]);
}

/// The kernel's error but for the MTU: what 1400 bytes leave for the inner packet.
fn new_tunnel_mtu(case: &Case, director: &mut Director) {
    let mtu: u16 = if case.name.contains("gue") { 1400 - 32 } else { 1400 - 20 };
    let (verdict, sent) = director.play(case.input[0].side, &case.input[0].l3);
    assert!(matches!(verdict, Verdict::Reject(_, DropReason::TunnelError)), "{}: {verdict:?}", case.name);
    let l3 = sent.unwrap().l3;
    assert_eq!((l3[20..22].to_vec(), l3[26..28].to_vec()), (vec![3, 4], mtu.to_be_bytes().to_vec()), "{}", case.name);
    assert_eq!(ulvs_wire::checksum::of(&l3[20..]), 0);
    assert_eq!(l3[28..], case.expected()[0].l3[28..], "{}", case.name);
}

/// Errors count as packets of their connection, with their own length (ipvs-facts C.6, C.10).
#[test]
fn as_the_kernel_counts() {
    for section in vectors::read::<Section>("icmp-limits.json") {
        let (mut director, _) = Director::set_up(&section.setup);
        section.cases.iter().for_each(|case| drop(case.play(&mut director)));
        let totals = director.service("tcp 10.0.1.100:81").totals;
        assert_eq!((totals.connections, totals.packets_in, totals.packets_out), (1, 4, 2));
        assert_eq!((totals.bytes_in, totals.bytes_out), (208, 112));
    }
}
