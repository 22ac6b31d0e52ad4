//! Persistent services: ipvs-facts B.6, and how their templates live and end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;
use ulvs_engine::conn::Connection;
use ulvs_engine::{Capacity, DropReason, PuntReason, TICKS_PER_SECOND, Verdict};
use ulvs_model::Protocol;

use crate::counters::Counters;
use crate::director::{Director, Side};
use crate::frames::{ACK, Flow, RST, SYN};
use crate::vectors::{self, Case, Tally};

/// Rows that were recorded on one set-up, with the whole connection table after some.
#[derive(Debug, Deserialize)]
struct Section {
    setup: Vec<String>,
    cases: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    #[serde(flatten)]
    case: Case,
    /// `/proc/net/ip_vs_conn`.
    proc: Option<String>,
}

/// A line of the table: everything but the seconds left, and these.
type Line = (String, u32);

fn recorded(proc: &str) -> Vec<Line> {
    let mut lines: Vec<_> = proc.lines().skip(1).map(recorded_line).collect();
    lines.sort();
    lines
}

fn recorded_line(line: &str) -> Line {
    let words: Vec<_> = line.split_whitespace().collect();
    let [protocol, client, cport, vip, vport, destination, dport, state, seconds] = words[..] else { panic!("{line}") };
    let port = |text| u16::from_str_radix(text, 16).unwrap();
    let (client, vip, destination) = (address(client), address(vip), address(destination));
    let (cport, vport, dport) = (port(cport), port(vport), port(dport));
    let text = format!("{protocol} {client} {cport} {vip} {vport} {destination} {dport} {state}");
    (text, seconds.parse().unwrap())
}

fn address(text: &str) -> IpAddr {
    match text.split_once(':') {
        Some(_) => text.parse::<Ipv6Addr>().unwrap().into(),
        None => Ipv4Addr::from_bits(u32::from_str_radix(text, 16).unwrap()).into(),
    }
}

fn listed(director: &Director) -> Vec<Line> {
    let line = |c: &Connection| {
        let key = &c.key;
        let protocol = match key.protocol() {
            0 => "IP",
            6 => "TCP",
            17 => "UDP",
            other => panic!("{other}"),
        };
        let (client, vip) = (key.source().to_ip(key.family()), key.destination().to_ip(key.family()));
        let (cport, vport, dport) = (key.source_port(), key.destination_port(), c.destination_port);
        let text = format!("{protocol} {client} {cport} {vip} {vport} {} {dport} {}", c.destination, c.state_name());
        (text, (c.expires_in.max(1) - 1) / TICKS_PER_SECOND)
    };
    let mut lines: Vec<_> = director.connections().iter().map(line).collect();
    lines.sort();
    lines
}

/// What happened before a case: commands, and seconds that passed.
fn before(case: &str) -> &'static [&'static str] {
    match case {
        "expire_quiescent_template=1, weight 0: new conn" | "quiescent default: second conn keeps dest" => {
            &["ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.12:8080 -m -w 0"]
        }
        "template dest deleted: third conn" => &["ipvsadm -d -t 10.0.1.100:80 -r 10.0.2.12:8080"],
        _ => &[],
    }
}

#[test]
fn what_a_kernel_did() {
    let mut tally = Tally::default();
    for section in vectors::read::<Section>("persistence.json") {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        for Row { case, proc } in &section.cases {
            for command in before(&case.name) {
                director.ipvsadm(command);
            }
            if case.name == "persist fwm reply then ASSURED?" {
                // No reply of that connection: its real server is another one. The kernel routes it on.
                assert_eq!(case.verdicts(&mut director), [Verdict::Punt(PuntReason::NotAService)]);
            } else {
                case.play(&mut director);
            }
            if case.name == "template -p 2" {
                director.wait(3);
            }
            if let Some(proc) = proc {
                compare(&case.name, &listed(&director), &recorded(proc));
            }
            tally.compared += 1;
        }
    }
    tally.is("persistence", 17, &[]);
}

/// The table was read up to two seconds after the packets, which here take no time.
fn compare(case: &str, got: &[Line], want: &[Line]) {
    let texts = |lines: &[Line]| lines.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(got), texts(want), "{case}");
    for ((line, got), (_, want)) in got.iter().zip(want) {
        assert!((0..=2).contains(&(i64::from(*got) - i64::from(*want))), "{case}: {line} {got} {want}");
    }
}

const SERVICE: &str = "tcp 10.0.1.100:80";

/// A service with two real servers in NAT, that remembers clients for so many seconds.
fn director(seconds: u32, workers: usize, connections: u32) -> Director {
    let mut director = Director::with(Capacity { connections, destinations: 8, workers });
    director.ipvsadm(&format!("ipvsadm -A -t 10.0.1.100:80 -s rr -p {seconds}"));
    for server in ["10.0.2.11", "10.0.2.12"] {
        director.ipvsadm(&format!("ipvsadm -a -t 10.0.1.100:80 -r {server}:80 -m"));
    }
    director
}

fn client(number: u32, port: u16) -> Flow {
    let source = (Ipv4Addr::from_bits(0x0a09_0000 + number), port).into();
    Flow { protocol: Protocol::Tcp, source, destination: "10.0.1.100:80".parse().unwrap() }
}

/// The last byte of the real server's address that a packet went to.
fn server(director: &mut Director, worker: usize, flow: &Flow, flags: u8) -> u8 {
    let (verdict, sent) = director.play_on(worker, Side::Client, &flow.packet(flags, b""));
    assert_eq!(verdict, Verdict::Forward(Side::Server.port()));
    sent.unwrap().to[5]
}

/// Connections and templates.
fn held(director: &Director) -> (u64, u64) {
    (director.shared.connections(), director.shared.templates.all())
}

/// A client keeps its real server for as long as it is remembered, from its last new connection on, and then not.
#[test]
fn a_client_is_remembered_for_a_time() {
    let mut director = director(50, 1, 256);
    let mut port = 1024;
    let mut connect = |director: &mut Director, number| {
        port += 1;
        let server = server(director, 0, &client(number, port), SYN);
        // Over at once: after 10 s in CLOSE only the template is left.
        for flags in [ACK, RST] {
            assert_eq!(self::server(director, 0, &client(number, port), flags), server);
        }
        server
    };
    let (first, second) = (connect(&mut director, 1), connect(&mut director, 2));
    assert_ne!(first, second, "two clients, by turns");
    for _ in 0..3 {
        director.wait(45);
        assert_eq!(connect(&mut director, 1), first);
    }
    director.wait(53);
    assert_eq!(held(&director), (0, 0));
    // The turn was the first's again; the other client comes in between.
    assert_eq!(connect(&mut director, 2), first);
    assert_eq!(connect(&mut director, 1), second);
}

/// All workers send a client where one of them did; the counters are as after a life on one.
#[test]
fn workers_share_what_they_remember() {
    let mut director = director(50, 3, 256);
    let before = Counters::of(&director);
    let to = server(&mut director, 0, &client(1, 1024), SYN);
    for worker in 1..3u16 {
        assert_eq!(server(&mut director, worker.into(), &client(1, 1024 + worker), SYN), to);
    }
    assert_eq!(held(&director), (3, 1));
    let name = |counter| format!("{SERVICE} 10.0.2.{to}:80 {counter}");
    assert_eq!(director.service(SERVICE).destinations.iter().map(|d| d.templates).sum::<u64>(), 1);
    director.wait(130);
    assert_eq!(held(&director), (0, 0));
    let made: Vec<_> = (0..3).flat_map(|n| [(format!("{n} forwarded"), 1), (format!("{n} made"), 1)]).collect();
    let mut changes: Vec<(&str, i64)> = made.iter().map(|(name, by)| (name.as_str(), *by)).collect();
    let (connections, packets, bytes) = (name("connections"), name("packets_in"), name("bytes_in"));
    changes.extend([(connections.as_str(), 3), (packets.as_str(), 3), (bytes.as_str(), 120), ("0 ended", 3)]);
    before.changed(&director, &changes);
}

/// A template outlives its time by its connections, a minute at a time (ipvs-facts B.2).
#[test]
fn a_template_waits_for_its_connections() {
    let mut director = director(5, 1, 256);
    let flow = client(1, 1024);
    let to = server(&mut director, 0, &flow, SYN);
    for _ in 0..4 {
        assert_eq!(server(&mut director, 0, &flow, ACK), to);
        director.wait(800);
        assert_eq!(held(&director), (1, 1));
        assert_eq!(server(&mut director, 0, &client(1, 2000), SYN), to, "still remembered");
        assert_eq!(server(&mut director, 0, &client(1, 2000), RST), to);
    }
    director.wait(962);
    assert_eq!(held(&director), (0, 0));
}

/// A packet from port 0 is no template, though its client and service are those of one.
#[test]
fn no_packet_is_a_template() {
    let mut director = director(50, 1, 256);
    server(&mut director, 0, &client(1, 1024), SYN);
    let before = held(&director);
    let (verdict, _) = director.play(Side::Client, &client(1, 0).packet(ACK, b""));
    assert!(matches!(verdict, Verdict::Punt(_)), "{verdict:?}");
    server(&mut director, 0, &client(1, 0), SYN);
    assert_eq!(held(&director), (before.0 + 1, before.1));
}

/// A template that can't be used any more makes room for a new one at once, and ends when its last connection has.
#[test]
fn an_expelled_template_ends() {
    let mut director = director(20, 2, 256);
    let to = server(&mut director, 0, &client(1, 1024), SYN);
    director.ipvsadm(&format!("ipvsadm -d -t 10.0.1.100:80 -r 10.0.2.{to}:80"));
    let other = server(&mut director, 1, &client(1, 1025), SYN);
    assert_ne!(other, to);
    assert_eq!(held(&director), (2, 2));
    assert_eq!(server(&mut director, 0, &client(1, 1026), SYN), other);
    // One that is back is not the client's again.
    director.ipvsadm(&format!("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.{to}:80 -m"));
    assert_eq!(server(&mut director, 0, &client(1, 1027), SYN), other);
    director.wait(140);
    assert_eq!((held(&director), director.connections().len()), ((0, 0), 0));
    // Nothing is left that would keep the entries from being used again.
    for n in 0..110 {
        server(&mut director, 0, &client(n, 1024), SYN);
    }
}

/// A new real server may take the number of one that is forgotten only when no template leads there.
#[test]
fn a_template_keeps_its_real_servers_number() {
    let mut director = director(300, 1, 256);
    let to = server(&mut director, 0, &client(1, 1024), SYN);
    server(&mut director, 0, &client(1, 1024), RST);
    director.ipvsadm(&format!("ipvsadm -d -t 10.0.1.100:80 -r 10.0.2.{to}:80"));
    director.wait(60);
    for seconds in [1000, 1200] {
        director.compiler.empty_trash(seconds);
    }
    director.ipvsadm(&format!("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.{to}:80 -m"));
    assert_eq!(server(&mut director, 0, &client(1, 1025), SYN), to, "it was not forgotten, and is back");
}

/// Clients that never answer take a quarter of the table to be remembered, and what their half-open connections take.
#[test]
fn a_flood_is_not_remembered() {
    const CAPACITY: u32 = 4096;
    let mut director = director(3600, 1, CAPACITY);
    let assured = client(0xffff, 1024);
    let to = server(&mut director, 0, &assured, SYN);
    server(&mut director, 0, &assured, ACK);
    let mut refused = 0;
    for n in 0..10 * CAPACITY {
        if n % 20 == 0 {
            // 20 a second, for which 60 s are 1200 half-open connections.
            director.wait(1);
        }
        let (verdict, _) = director.play(Side::Client, &client(n, 7).packet(SYN, b""));
        refused += u32::from(verdict == Verdict::Drop(DropReason::ConnTableFull));
        let (_, templates) = held(&director);
        assert!(templates <= u64::from(CAPACITY) / 2, "{templates}");
    }
    assert_eq!(refused, 0);
    director.wait(65);
    assert!(held(&director).1 <= u64::from(CAPACITY) / 4 + 1);
    assert_eq!(server(&mut director, 0, &client(0xffff, 1025), SYN), to, "who was connected is remembered");
}

/// In a flood of more than that, clients are served without being remembered.
#[test]
fn at_half_of_the_table_no_more_are_remembered() {
    const CAPACITY: u32 = 1024;
    let mut director = director(3600, 1, CAPACITY);
    for n in 0..CAPACITY / 2 {
        server(&mut director, 0, &client(n, 7), SYN);
        server(&mut director, 0, &client(n, 7), ACK);
        server(&mut director, 0, &client(n, 7), RST);
        director.wait(1);
    }
    director.wait(11);
    assert_eq!(held(&director), (0, u64::from(CAPACITY) / 2));
    let late = client(CAPACITY, 7);
    let to = server(&mut director, 0, &late, SYN);
    assert_eq!(held(&director), (1, u64::from(CAPACITY) / 2));
    assert_ne!(server(&mut director, 0, &Flow { source: "10.9.4.0:8".parse().unwrap(), ..late }, SYN), to);
}
