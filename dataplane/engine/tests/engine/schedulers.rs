//! Every pick a running kernel made, with weights, thresholds, flags, edits, removals and returns between them.

use serde::Deserialize;

use crate::director::{Director, Sent};
use crate::frames::{self, Flow};
use crate::vectors;
use ulvs_engine::{DropReason, Verdict};

#[derive(Debug, Deserialize)]
struct Scenario {
    #[serde(rename = "scenario")]
    name: String,
    ipvsadm: Vec<String>,
    packets: Vec<Step>,
    /// The real server a packet went to, or `icmp3/3`.
    chosen: Vec<Option<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Step {
    Command { ipvsadm: String },
    Packet { src: String, sport: u16, dst: String, dport: u16, proto: String },
}

/// Scenarios and picks compared in `file`.
fn play(file: &str) -> (usize, usize) {
    let scenarios: Vec<Scenario> = vectors::read(file);
    let mut picks = 0;
    for scenario in &scenarios {
        let (mut director, refused) = Director::set_up(&scenario.ipvsadm);
        assert_eq!(refused, [], "{}", scenario.name);
        for (at, (step, chosen)) in scenario.packets.iter().zip(&scenario.chosen).enumerate() {
            match step {
                Step::Command { ipvsadm } => director.ipvsadm(ipvsadm),
                Step::Packet { src, sport, dst, dport, proto } => {
                    let got = pick(&mut director, &flow(src, *sport, dst, *dport, proto));
                    assert_eq!(Some(&got), chosen.as_ref(), "{} packet {at}", scenario.name);
                    picks += 1;
                }
            }
        }
        assert_eq!(scenario.packets.len(), scenario.chosen.len());
    }
    println!("{file}: {} scenarios, {picks} picks, 0 differences", scenarios.len());
    (scenarios.len(), picks)
}

fn flow(src: &str, sport: u16, dst: &str, dport: u16, proto: &str) -> Flow {
    let ip = |text: &str| -> std::net::IpAddr { text.parse().unwrap() };
    let protocol = proto.parse().unwrap();
    Flow { protocol, source: (ip(src), sport).into(), destination: (ip(dst), dport).into() }
}

fn pick(director: &mut Director, flow: &Flow) -> String {
    let packet = flow.packet(frames::SYN, b"x");
    match director.play(crate::director::Side::Client, &packet) {
        (Verdict::Forward(_), Some(Sent { l3, .. })) => {
            if l3[0] >> 4 == 6 {
                std::net::Ipv6Addr::from(*l3[24..].first_chunk::<16>().unwrap()).to_string()
            } else {
                std::net::Ipv4Addr::from(*l3[16..].first_chunk::<4>().unwrap()).to_string()
            }
        }
        (Verdict::Reject(_, DropReason::NoDestination), Some(Sent { l3, .. })) => format!("icmp{}/{}", l3[20], l3[21]),
        // Recorded without the limit of errors to one host.
        (Verdict::Drop(DropReason::NoDestination), _) => "icmp3/3".to_owned(),
        (other, _) => format!("{other:?}"),
    }
}

#[test]
fn rr() {
    assert_eq!(play("sched-rr.json"), (7, 77));
}

#[test]
fn wrr() {
    assert_eq!(play("sched-wrr.json"), (11, 417));
}

#[test]
fn lc_wlc_sed_nq_fo_and_ovf() {
    assert_eq!(play("sched-lc.json"), (20, 1364));
}

#[test]
fn sh_mh_and_dh() {
    assert_eq!(play("sched-hash.json"), (44, 5228));
}

#[test]
fn lblc_and_lblcr() {
    assert_eq!(play("sched-lbl.json"), (10, 494));
}

#[test]
fn thresholds() {
    assert_eq!(play("sched-thr.json"), (15, 464));
}

#[test]
fn ipv6() {
    assert_eq!(play("sched-v6.json"), (5, 600));
}

/// Flags, weights and the scheduler of a service in use take effect with the next connection (ipvs-facts D.1).
#[test]
fn a_service_in_use_is_edited() {
    let real = |host| format!("ipvsadm -a -u 10.0.1.100:80 -r 10.0.2.{host}:80 -m");
    let (mut director, refused) =
        Director::set_up(&["ipvsadm -A -u 10.0.1.100:80 -s sh".to_owned(), real(11), real(12), real(13)]);
    assert_eq!(refused, []);
    let mut port = 1000;
    let mut next = |director: &mut Director| {
        port += 1;
        pick(director, &flow("10.9.0.1", port, "10.0.1.100", 80, "udp"))
    };
    let first = next(&mut director);
    assert_eq!([next(&mut director), next(&mut director)], [first.clone(), first.clone()]);
    director.ipvsadm(&format!("ipvsadm -e -u 10.0.1.100:80 -r {first}:80 -m -w 0"));
    assert_eq!(next(&mut director), "icmp3/3");
    director.ipvsadm("ipvsadm -E -u 10.0.1.100:80 -s sh -b sh-fallback");
    let second = next(&mut director);
    assert!(second.starts_with("10.0.2.") && second != first);
    // Loads are kept: the one without a connection is the least.
    director.ipvsadm(&format!("ipvsadm -e -u 10.0.1.100:80 -r {first}:80 -m -w 1"));
    director.ipvsadm("ipvsadm -E -u 10.0.1.100:80 -s wlc");
    let third = next(&mut director);
    assert!(third != first && third != second);
    // Its walk begins anew: newest first.
    director.ipvsadm("ipvsadm -E -u 10.0.1.100:80 -s rr");
    assert_eq!([(); 4].map(|()| next(&mut director)), ["10.0.2.13", "10.0.2.12", "10.0.2.11", "10.0.2.13"]);
}
