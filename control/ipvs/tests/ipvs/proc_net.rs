//! The files of `/proc/net` that a kernel had (`tests/vectors/text-outputs.txt`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ulvs_ipvs::Stats;
use ulvs_ipvs::proc_net::{self, CONNECTIONS_HEAD, Connection, SYNC_HEAD, Services};

use crate::clients::Running;
use crate::listings::{TEXT, count, counted, set_up};
use crate::rig::Rig;
use crate::transcript::{ipvsadm, missing};

/// What a file had.
fn recorded(file: &str) -> &'static str {
    let (_, behind) = TEXT.split_once(&format!("\n$ cat /proc/net/{file}\n")).unwrap();
    let (text, _) = behind.split_once("\n\n$ ").unwrap();
    text
}

/// Each service with its destinations, sorted: the kernel's order follows the hash of its boot.
fn services(text: &str) -> Vec<String> {
    let mut services: Vec<String> = text.split('\n').skip(3).fold(Vec::new(), |mut all, line| {
        match all.last_mut() {
            Some(last) if line.starts_with("  -> ") => last.extend([line, "\n"]),
            _ => all.push(format!("{line}\n")),
        }
        all
    });
    services.sort();
    services
}

fn listed(running: &Running) -> String {
    let (mut listing, mut out) = (Services::default(), String::new());
    while listing.write_some(&running.director, &mut out) {}
    out
}

#[test]
fn services_are_listed_as_by_the_kernel() {
    let running = Running::new("proc-services");
    let Some(restored) = ipvsadm(&running, "-R", &set_up()) else { return missing() };
    assert!(restored.status.success(), "{restored:?}");
    count(&running, counted());
    let ours = listed(&running);
    assert_eq!(services(ours.trim_end_matches('\n')), services(recorded("ip_vs")));
    let head = |text: &str| text.lines().take(3).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(head(&ours), head(recorded("ip_vs")));
}

#[test]
fn all_of_many_services_are_listed_once_and_a_step_is_short() {
    let rig = Rig::new();
    for port in 1000..1300 {
        assert_eq!(rig.command(1, &crate::rig::service(port, "rr")), 0);
        if port == 1000 {
            for host in 1..=200 {
                let both = [crate::rig::service(port, ""), crate::rig::destination(host, 80, 0, 1)].concat();
                assert_eq!(rig.command(5, &both), 0);
            }
        }
    }
    let (mut listing, mut all, mut longest) = (Services::default(), String::new(), 0);
    loop {
        let mut out = String::new();
        let more = listing.write_some(&rig.director, &mut out);
        longest = longest.max(out.lines().count());
        all += &out;
        if !more {
            break;
        }
    }
    let mut ports: Vec<&str> = all.lines().filter(|line| line.starts_with("TCP  ")).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!((ports.len(), all.lines().filter(|line| line.starts_with("  -> 0A")).count()), (300, 200));
    assert_eq!(all.lines().count(), 3 + 300 + 200);
    assert!(longest < 50, "{longest} rows in one step");
}

fn address(text: &str) -> IpAddr {
    match u32::from_str_radix(text, 16) {
        Ok(bits) => Ipv4Addr::from(bits).into(),
        Err(_) => text.parse::<Ipv6Addr>().unwrap().into(),
    }
}

/// A row as it was read from a line, and what follows its state.
fn parsed(line: &str) -> (Connection<'_>, Vec<&str>) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let end = |at: usize| SocketAddr::new(address(words[at]), u16::from_str_radix(words[at + 1], 16).unwrap());
    let connection = Connection {
        protocol: match words[0] {
            "TCP" => 6,
            "UDP" => 17,
            other => panic!("{other}"),
        },
        client: end(1),
        service: end(3),
        real_server: end(5),
        state: words[7],
        expires: 0,
        engine: None,
        is_synced: false,
    };
    (connection, words[8..].to_vec())
}

#[test]
fn connections_are_listed_as_by_the_kernel() {
    let mut lines = recorded("ip_vs_conn").lines();
    assert_eq!(lines.next().map(|line| format!("{line}\n")).as_deref(), Some(CONNECTIONS_HEAD));
    let mut rows = 0;
    for line in lines {
        let (connection, rest) = parsed(line);
        let engine = (rest.len() > 1).then(|| (rest[1], rest[2]));
        let mut out = String::new();
        Connection { expires: rest[0].parse().unwrap(), engine, ..connection }.write(&mut out);
        assert_eq!(out, format!("{line}\n"));
        rows += 1;
    }
    assert_eq!(rows, 14);
}

#[test]
fn connections_are_listed_with_their_origin_as_by_the_kernel() {
    let mut lines = recorded("ip_vs_conn_sync").lines();
    assert_eq!(lines.next().map(|line| format!("{line}\n")).as_deref(), Some(SYNC_HEAD));
    for line in lines {
        let (connection, rest) = parsed(line);
        let mut out = String::new();
        Connection { expires: rest[1].parse().unwrap(), ..connection }.write_sync(&mut out);
        assert_eq!(out, format!("{line}\n"));
    }
}

#[test]
fn other_protocols_and_templates_by_mark_have_the_kernels_names() {
    let end = |text: &str| text.parse::<SocketAddr>().unwrap();
    let (client, service, real_server) = (end("10.9.2.1:0"), end("0.0.0.8:0"), end("10.0.2.12:0"));
    let template = Connection {
        protocol: 0,
        client,
        service,
        real_server,
        state: "NONE",
        expires: 59,
        engine: None,
        is_synced: true,
    };
    let row = |protocol| {
        let mut out = String::new();
        Connection { protocol, ..template }.write_sync(&mut out);
        out
    };
    let ends = "0A090201 0000 00000008 0000 0A00020C 0000 NONE        SYNC        59\n";
    for (protocol, name) in [(0, "IP "), (132, "SCTP"), (1, "ICMP"), (58, "ICMPv6"), (47, "IP_47")] {
        assert_eq!(row(protocol), format!("{name} {ends}"));
    }
}

#[test]
fn totals_are_written_as_by_the_kernel() {
    let all = Stats {
        connections: 16,
        packets_in: 17,
        bytes_in: 746,
        connection_rate: 2,
        packet_rate_in: 2,
        byte_rate_in: 93,
        ..Stats::default()
    };
    let mut out = String::new();
    proc_net::totals(&mut out, &all);
    assert_eq!(out, format!("{}\n", recorded("ip_vs_stats")));
    out.clear();
    proc_net::per_processor(&mut out, &[(0, all)], &all);
    assert_eq!(out, format!("{}\n", recorded("ip_vs_stats_percpu")));
}
