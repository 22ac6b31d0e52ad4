//! What the kernel did around connections: nobody to send to, packets without connection, ports used again, destinations
//! and services that go and come back, timers.

use ulvs_engine::DropReason::{BadTransportHeader, DestinationRemoved};
use ulvs_engine::PuntReason::{NoConnection, NotAService, OtherProtocol};
use ulvs_engine::Verdict;

use crate::director::{Director, Side};
use crate::vectors::{self, Case, Listed, Section, Tally};

/// How a case is compared.
enum Compare {
    /// What came out, and the listing if there is one.
    Packets,
    /// The kernel's own stack answered or kept silent: the engine says this.
    Verdict(Verdict),
    /// So many of the packets are forwarded, as the kernel did; it routed the others on.
    Forwarded(usize),
    /// Not yet: the reason.
    Skip(&'static str),
}

use Compare::{Forwarded, Packets, Skip};

const fn punt(reason: ulvs_engine::PuntReason) -> Compare {
    Compare::Verdict(Verdict::Punt(reason))
}

const fn dropped(reason: ulvs_engine::DropReason) -> Compare {
    Compare::Verdict(Verdict::Drop(reason))
}

fn play(file: &str, compare: impl Fn(&str) -> Compare, commands: impl Fn(&str) -> &'static [&'static str]) -> Tally {
    let mut tally = Tally::default();
    for section in vectors::read::<Section>(file) {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        for case in &section.cases {
            for command in commands(&case.name) {
                director.ipvsadm(command);
            }
            match compare(&case.name) {
                Skip(reason) => {
                    tally.skip(reason);
                    continue;
                }
                Compare::Verdict(verdict) => {
                    let verdicts = case.verdicts(&mut director);
                    assert!(verdicts.iter().all(|&v| v == verdict), "{}: {verdicts:?}", case.name);
                }
                Forwarded(count) => {
                    for (number, packet) in case.input.iter().enumerate() {
                        let (verdict, sent) = director.play(packet.side, &packet.l3);
                        let want = (number < count).then(|| case.expected()[number].clone());
                        assert_eq!((sent, matches!(verdict, Verdict::Punt(_))), (want.clone(), want.is_none()));
                    }
                }
                Packets if case.name.starts_with("udp ") => timers(case, &mut director),
                Packets => {
                    case.play(&mut director);
                    if let Some(want) = case.listed() {
                        assert_eq!(listed(&director, case), want, "{}", case.name);
                    }
                }
            }
            tally.compared += 1;
        }
    }
    tally
}

fn listed(director: &Director, case: &Case) -> Vec<Listed> {
    let all = director.listed(case.client_port()).into_iter();
    all.map(|(state, seconds, address, port)| (state.to_owned(), seconds, address, port)).collect()
}

/// Cases with several listings: before the packet, then two seconds on if there are three, and after the packet.
fn timers(case: &Case, director: &mut Director) {
    let listings: Vec<Vec<Listed>> =
        case.conn.clone().map_or_else(Vec::new, |value| serde_json::from_value(value).unwrap());
    for (at, want) in listings.iter().enumerate() {
        if at + 1 == listings.len() {
            // As on the kernel, this is not the moment at which the last packet came.
            director.tick();
            case.play(director);
        } else if at > 0 {
            director.wait(2);
        }
        assert_eq!(&listed(director, case), want, "{} listing {at}", case.name);
    }
    if listings.is_empty() {
        case.play(director);
    }
}

fn of_connections(case: &str) -> Compare {
    match case {
        "sloppy_tcp RST"
        | "nodest=1 ACK after delete"
        | "nodest=1 ACK after re-add"
        | "source port 20 tcp"
        | "source port 20 to port-0 persistent svc"
        | "source port 20 udp"
        | "tcp RST no conn"
        | "tcp ACK no conn"
        | "tcp FIN no conn"
        | "tcp SYN+RST no conn"
        | "sctp DATA no conn"
        | "sctp ABORT no conn"
        | "sloppy_sctp ABORT" => punt(NoConnection),
        "udp short header (4 bytes)" | "tcp short header (10 bytes)" | "sctp no chunk" => dropped(BadTransportHeader),
        "proto 50 ESP no conn" | "proto 2 IGMP-like" => punt(OtherProtocol),
        "nodest=0 ACK after delete" | "nodest=0 udp after delete" | "nodest=0 SYN after delete (same tuple)" => {
            dropped(DestinationRemoved)
        }
        // The last service of the family went, or nothing is known of a connection: the kernel routes it on.
        "svc deleted: ACK" | "nodest=1 server reply after delete" | "ops: NAT reply not translated" => {
            punt(NotAService)
        }
        _ => Packets,
    }
}

fn around_connections(case: &str) -> &'static [&'static str] {
    match case {
        "sloppy_tcp RST" => &["sysctl -w net.ipv4.vs.sloppy_tcp=1"],
        "sloppy_sctp DATA" => &["sysctl -w net.ipv4.vs.sloppy_tcp=0 net.ipv4.vs.sloppy_sctp=1"],
        _ if case.starts_with("reuse mode 0") => &["sysctl -w net.ipv4.vs.conn_reuse_mode=0"],
        _ if case.starts_with("reuse mode 2") => &["sysctl -w net.ipv4.vs.conn_reuse_mode=2"],
        _ if case.starts_with("reuse mode 3") => &["sysctl -w net.ipv4.vs.conn_reuse_mode=3"],
        "nodest=1 open" | "nodest=1 weight 0: SYN reschedules" => &["sysctl -w net.ipv4.vs.expire_nodest_conn=1"],
        "nodest=1 weight 0: ACK continues" => &["ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.12:80 -m -w 0"],
        "nodest=0 ACK after delete" | "nodest=1 ACK after delete" => {
            &["ipvsadm -d -t 10.0.1.100:80 -r 10.0.2.11:80", "ipvsadm -d -u 10.0.1.100:80 -r 10.0.2.11:80"]
        }
        "nodest=0 ACK after re-add" | "nodest=1 ACK after re-add" => &[
            "ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:80 -m -w 5",
            "ipvsadm -a -u 10.0.1.100:80 -r 10.0.2.11:80 -m -w 5",
        ],
        "svc deleted: ACK" => &["ipvsadm -D -t 10.0.1.100:80"],
        "svc recreated: ACK" => {
            &["ipvsadm -A -t 10.0.1.100:80 -s rr", "ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:80 -m"]
        }
        _ => &[],
    }
}

#[test]
fn connections() {
    let tally = play("conn-behaviour.json", of_connections, around_connections);
    tally.is("conn-behaviour", 129, &[]);
}

/// ipvs-facts C.4: the checksum is computed anew if the port changes, right or wrong as it was, and else left alone.
#[test]
fn checksums_of_sctp() {
    play("sctp.json", |_| Packets, |_| &[]).is("sctp", 6, &[]);
}

/// A port used again after RST is scheduled anew; and a service that is edited: its connections stay, the next is of the new settings.
#[test]
fn ports_used_again_and_services_edited() {
    let commands = |case: &str| -> &'static [&'static str] {
        match case {
            "svc edit rr -> wrr persistent: ACK of old conn" => &["ipvsadm -E -t 10.0.1.100:80 -s wrr -p 300"],
            _ => &[],
        }
    };
    play("reuse.json", |_| Packets, commands).is("reuse", 8, &[]);
}

#[test]
fn methods_timers_and_extension_headers() {
    let compare = |case: &str| match case {
        "ESP other client" => punt(OtherProtocol),
        // The second is of a real server without a connection: the kernel routes it on.
        "ESP from the server" => Forwarded(1),
        // It waits for the first, and is dropped when that does not come.
        "v6 lone non-first fragment" => Compare::Verdict(Verdict::Hold),
        // The kernel takes its header off.
        "v6 atomic fragment" => Compare::Verdict(Verdict::Forward(Side::Server.port())),
        // Two methods share one cached route there, and packets are lost.
        "new conn after edit" => Skip("a quirk of the kernel"),
        _ => Packets,
    };
    let commands = |case: &str| -> &'static [&'static str] {
        match case {
            "udp after --set 50" => &["ipvsadm --set 0 0 50"],
            "existing conn after edit to DR" => &["ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.11:80 -g"],
            // Of 4096 connections that there is room for.
            "auto drop_packet SYN 0" => &["sysctl -w net.ipv4.vs.drop_packet=2 net.ipv4.vs.amemthresh=5461"],
            "auto off SYN 0" => &["sysctl -w net.ipv4.vs.amemthresh=1024"],
            _ => &[],
        }
    };
    let tally = play("misc2-behaviour.json", compare, commands);
    tally.is("misc2-behaviour", 45, &[("a quirk of the kernel", 1)]);
}

#[test]
fn services_thresholds_and_dropped_packets() {
    let compare = |case: &str| match case {
        "svc deleted, other svc stays: ACK" | "svc deleted, other svc stays: SYN same tuple" => {
            dropped(DestinationRemoved)
        }
        "last v4 svc deleted: ACK" | "last v4 svc deleted: server reply" => punt(NotAService),
        _ => Packets,
    };
    let commands = |case: &str| -> &'static [&'static str] {
        match case {
            "svc deleted, other svc stays: ACK" => &["ipvsadm -D -t 10.0.1.100:80"],
            "last v4 svc deleted: ACK" => &["ipvsadm -D -t 10.0.1.100:99"],
            "threshold edit u=5: SYN" => &["ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.11:80 -m -x 5"],
            "threshold edit u=6 total 5: SYN" => &["ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.11:80 -m -x 6"],
            "threshold edit u=9: SYN" => &["ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.11:80 -m -x 9"],
            "threshold edit u=0: SYN" => &["ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.11:80 -m -x 0"],
            "drop_packet=3 SYN 1" => &["sysctl -w net.ipv4.vs.drop_packet=3"],
            "drop_packet=3 rate 4 SYN 1" => &["sysctl -w net.ipv4.vs.am_droprate=4"],
            _ => &[],
        }
    };
    play("svc-behaviour.json", compare, commands).is("svc-behaviour", 95, &[]);
}
