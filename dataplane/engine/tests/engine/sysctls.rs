//! Sysctls for packets that have nobody to go to, as a kernel acted by them (ipvs-facts B.5.3, C.2).

use ulvs_engine::snapshot::MarkRule;
use ulvs_engine::{PuntReason, Verdict};

use crate::director::{Director, Side, network};
use crate::vectors::{self, Section};

fn sections() -> [Section; 2] {
    let all: Vec<Section> = vectors::read("misc-behaviour.json");
    all.try_into().unwrap_or_else(|all: Vec<Section>| panic!("{} sections", all.len()))
}

/// What comes from a real server that nobody asked: refused if it listens there by NAT, and else the kernel's.
#[test]
fn nat_icmp_send() {
    let [section, _] = sections();
    let (mut director, refused) = Director::set_up(&section.setup);
    assert_eq!(refused, []);
    for case in &section.cases {
        if case.name == "nat_icmp_send: unknown tcp from known MASQ dest" {
            case.play(&mut director);
        } else {
            assert_eq!(case.verdicts(&mut director), [Verdict::Punt(PuntReason::NotAService)], "{}", case.name);
        }
    }
    assert_eq!(section.cases.len(), 4);
    director.ipvsadm("ipvsadm -d -t 10.0.1.100:80 -r 10.0.2.11:8080");
    let verdicts = section.cases[0].verdicts(&mut director);
    assert_eq!(verdicts, [Verdict::Punt(PuntReason::NotAService)], "it is a real server no longer");
}

#[test]
fn cache_bypass() {
    let [_, section] = sections();
    let (mut director, refused) = Director::set_up(&section.setup);
    assert_eq!(refused, []);
    let marked = |destination: &str| MarkRule {
        mark: 7,
        destination: Some(destination.parse().unwrap()),
        ..MarkRule::default()
    };
    director.compiler.set_marks(&[marked("10.0.3.0/24"), marked("10.0.2.18/32")]);
    let mut network = network(1500);
    network.addresses.push((Side::Client.port(), "10.0.3.1/32".parse().unwrap()));
    director.set_network(&network);
    section.cases.iter().for_each(|case| drop(case.play(&mut director)));
    assert_eq!((section.cases.len(), director.shared.connections()), (2, 0));
}
