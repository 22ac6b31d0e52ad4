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
];

/// The one dump of several datagrams. The kernel makes them as long as the reader's buffer, which was 32 KiB at the recording and is
/// 16 KiB with libnl; a socket's other end can't know it. So what counts are the messages, one after the other.
const LONG: &str = "GET_SERVICE-dump-120";
/// How many services were in the first datagram of the recording, which kept the beginnings of datagrams.
const IN_FIRST: usize = 101;
/// The length of a service in it.
const SERVICE: usize = 320;

/// Whether messages are those of the long dump's recording, as far as that was kept.
fn are_the_long_dumps(answers: &[Vec<u8>], recorded: &[Vec<u8>]) -> bool {
    let (ours, Ok([first, second, end])) = (answers.concat(), <&[_; 3]>::try_from(recorded)) else { return false };
    let rest = ours.get(IN_FIRST * SERVICE..).unwrap_or_default();
    ours.starts_with(first) && rest.starts_with(second) && rest.ends_with(end)
}

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
        if row.name == LONG {
            for port in 1000..1120 {
                assert_eq!(rig.command(1, &service(port, "rr")), 0);
            }
        }
        let request = unhex(&row.request);
        let answers = rig.ask(access(&row.name), &request);
        let recorded = for_port(&row.datagrams, &request);
        if answers == recorded || row.name == LONG && are_the_long_dumps(&answers, &recorded) {
            equal += 1;
        } else {
            different.push(row.name.as_str());
        }
    }
    assert_eq!(different, DIFFERENT.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert_eq!((rows.len(), equal), (137, 135));
}

#[test]
fn the_quirks_that_are_not_imitated_are_the_only_difference() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../vectors/netlink.json")).unwrap();
    let rig = Rig::new();
    for row in &rows {
        let request = unhex(&row.request);
        if row.name == LONG {
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
    let row = rows.iter().find(|row| row.name == LONG).unwrap();
    let rig = Rig::new();
    for port in 1000..1120 {
        assert_eq!(rig.command(1, &service(port, "rr")), 0);
    }
    let request = unhex(&row.request);
    let answers = rig.ask(Access::Full, &request);
    let lengths: Vec<_> = answers.iter().map(Vec::len).collect();
    assert_eq!(lengths, [46 * SERVICE, 46 * SERVICE, 28 * SERVICE, 20]);
    let ours = answers.concat();
    let ports = ours.chunks_exact(SERVICE).map(|message| format!("4:PORT={:02x}{:02x}", message[64], message[65]));
    for (decoded, port) in row.decoded.iter().zip(ports).filter(|(decoded, _)| decoded.starts_with("len 320")) {
        assert!(decoded.contains(&port), "{decoded} is {port}");
    }
}
