//! Every recorded request against what the kernel answered (`tests/vectors/README.md`).

use serde::Deserialize;
use ulvs_ipvs::Access;

use crate::rig::{Rig, service, unhex};

#[derive(Deserialize)]
struct Row {
    name: String,
    request: String,
    datagrams: Vec<String>,
    decoded: Vec<String>,
}

/// The rows that are answered differently, and why that is right (ipvs-facts E.3).
const DIFFERENT: &[(&str, &str)] = &[
    (
        "DEL_DAEMON-backup-ipvsadm",
        "a race: the kernel loses the answer if the daemon's thread has not run yet, and keepalived waits for it for ever; \
         `DEL_DAEMON-master-min` is the same request answered",
    ),
    ("DEL_DAEMON-wrong-syncid", "the same"),
    (
        "GET_SERVICE-dump-120",
        "the same messages in other datagrams, which the next test shows: the kernel makes them as long as the reader's \
         buffer, 32 KiB at the recording and 16 KiB for libnl; a socket's other end can't know it",
    ),
];

/// The datagrams with the port that the request names: the kernel puts the socket's own there.
fn for_port(datagrams: &[String], request: &[u8]) -> Vec<Vec<u8>> {
    let mut datagrams: Vec<Vec<u8>> = datagrams.iter().map(|text| unhex(text)).collect();
    for datagram in &mut datagrams {
        let mut at = 0;
        while let Some(header) = datagram.get_mut(at..at + 16) {
            header[12..16].copy_from_slice(&request[12..16]);
            at += usize::try_from(u32::from_ne_bytes(header[..4].try_into().unwrap())).unwrap().next_multiple_of(4);
        }
    }
    datagrams
}

fn access(name: &str) -> Access {
    if name.starts_with("unpriv") { Access::None } else { Access::Full }
}

#[test]
fn every_recorded_request_is_answered_as_by_the_kernel() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../vectors/netlink.json")).unwrap();
    let rig = Rig::new();
    let mut equal = 0;
    let mut different = Vec::new();
    for row in &rows {
        if row.name == "GET_SERVICE-dump-120" {
            for port in 1000..1120 {
                assert_eq!(rig.command(1, &service(port, "rr")), 0);
            }
        }
        let request = unhex(&row.request);
        let answers = rig.ask(access(&row.name), &request);
        if answers == for_port(&row.datagrams, &request) {
            equal += 1;
        } else {
            different.push(row.name.as_str());
        }
    }
    assert_eq!(different, DIFFERENT.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert_eq!((rows.len(), equal), (137, 134));
}

#[test]
fn the_quirks_that_are_not_imitated_are_the_only_difference() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../vectors/netlink.json")).unwrap();
    let rig = Rig::new();
    for row in &rows {
        let request = unhex(&row.request);
        if row.name == "GET_SERVICE-dump-120" {
            break;
        }
        let answers = rig.ask(access(&row.name), &request);
        if row.name.starts_with("DEL_DAEMON-backup") || row.name == "DEL_DAEMON-wrong-syncid" {
            assert!(row.datagrams.is_empty());
            assert_eq!(answers.len(), 1, "{}", row.name);
            assert_eq!(crate::rig::errno(&answers[0]), 0);
        }
    }
}

#[test]
fn a_dump_of_many_services_is_cut_into_datagrams_in_the_kernels_order() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../vectors/netlink.json")).unwrap();
    let row = rows.iter().find(|row| row.name == "GET_SERVICE-dump-120").unwrap();
    let rig = Rig::new();
    for port in 1000..1120 {
        assert_eq!(rig.command(1, &service(port, "rr")), 0);
    }
    let request = unhex(&row.request);
    let answers = rig.ask(Access::Full, &request);
    let lengths: Vec<_> = answers.iter().map(Vec::len).collect();
    assert_eq!(lengths, [46 * 320, 46 * 320, 28 * 320, 20]);
    let ours = answers.concat();
    let recorded = for_port(&row.datagrams, &request);
    // the first datagram had 101 services, of which the beginning was kept
    assert!(ours.starts_with(&recorded[0]));
    assert!(ours[101 * 320..].starts_with(&recorded[1]));
    assert!(ours.ends_with(&recorded[2]));
    let ports = ours.chunks_exact(320).map(|message| format!("4:PORT={:02x}{:02x}", message[64], message[65]));
    for (decoded, port) in row.decoded.iter().zip(ports).filter(|(decoded, _)| decoded.starts_with("len 320")) {
        assert!(decoded.contains(&port), "{decoded} is {port}");
    }
}
