//! The listings that ipvsadm printed from a kernel (`tests/vectors/text-outputs.txt`), printed from the server.

use std::net::SocketAddr;

use ulvs_ipvs::table::{DestinationId, ServiceId};
use ulvs_ipvs::{DestinationCounters, Stats};

use crate::clients::Running;
use crate::transcript::{ipvsadm, missing};

pub(crate) const TEXT: &str = include_str!("../vectors/text-outputs.txt");

/// What the kernel had counted: service, destination, (active, inactive, persistent), then connections, packets and bytes
/// from clients, and their rates.
pub(crate) type Row = (ServiceId, Option<&'static str>, [u32; 3], [u64; 3], [u64; 3]);

pub(crate) fn counted() -> Vec<Row> {
    let service = |protocol, address: &str| ServiceId::Address { protocol, address: address.parse().unwrap() };
    let (http, dns) = (service(6, "10.0.1.100:80"), service(17, "10.0.1.100:53"));
    let (sip, six) = (service(17, "10.0.1.100:5060"), service(6, "[2001:db8:1::100]:80"));
    vec![
        (http, None, [0; 3], [5, 6, 240], [1, 1, 30]),
        (http, Some("10.0.2.12:80"), [5, 0, 1], [5, 6, 240], [1, 1, 30]),
        (dns, None, [0; 3], [5, 5, 150], [1, 1, 19]),
        (dns, Some("10.0.2.13:53"), [0; 3], [2, 2, 60], [0, 0, 7]),
        (dns, Some("10.0.2.14:53"), [0; 3], [3, 3, 90], [0, 0, 11]),
        (sip, None, [0; 3], [1, 1, 56], [0, 0, 7]),
        (sip, Some("10.0.2.11:5060"), [0, 1, 1], [1, 1, 56], [0, 0, 7]),
        (six, None, [0; 3], [5, 5, 300], [1, 1, 37]),
        (six, Some("[2001:db8:2::11]:80"), [5, 0, 1], [5, 5, 300], [1, 1, 37]),
    ]
}

pub(crate) fn count(running: &Running, rows: Vec<Row>) {
    let mut numbers = running.director.datapath().numbers.lock().unwrap();
    for (service, destination, [active, inactive, persistent], [connections, packets_in, bytes_in], rates) in rows {
        let [connection_rate, packet_rate_in, byte_rate_in] = rates;
        let stats = Stats {
            connections,
            packets_in,
            bytes_in,
            connection_rate,
            packet_rate_in,
            byte_rate_in,
            ..Stats::default()
        };
        let destination = destination.map(|address| DestinationId(address.parse::<SocketAddr>().unwrap()));
        numbers.insert((service, destination), DestinationCounters { active, inactive, persistent, stats });
    }
}

pub(crate) fn set_up() -> String {
    let lines: Vec<_> = TEXT.lines().filter_map(|line| line.strip_prefix("ipvsadm ")).collect();
    lines.join("\n") + "\n"
}

/// A command and what it printed.
fn recorded() -> Vec<(&'static str, &'static str)> {
    let blocks = TEXT.split("\n$ ipvsadm ").skip(1);
    blocks
        .map(|block| block.split_once('\n').unwrap())
        .map(|(command, text)| (command, text.trim_end_matches('\n')))
        .collect()
}

#[test]
fn listings_are_the_kernels_letter_for_letter() {
    let running = Running::new("listings");
    let Some(restored) = ipvsadm(&running, "-R", &set_up()) else { return missing() };
    assert!(restored.status.success() && restored.stderr.is_empty(), "{restored:?}");
    count(&running, counted());
    let mut equal = 0;
    for (command, text) in recorded() {
        // connections are read from /proc/net; the order of --nosort is a boot's own
        if command.starts_with("-Lnc") || command == "-Ln --nosort" {
            continue;
        }
        let output = ipvsadm(&running, command, "").unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end_matches('\n'), text, "{command}");
        equal += 1;
    }
    assert_eq!(equal, 10);
}

#[test]
fn large_numbers_are_shortened_or_exact_as_asked() {
    let running = Running::new("numbers");
    let http = ServiceId::Address { protocol: 6, address: "10.0.1.100:80".parse().unwrap() };
    let Some(added) = ipvsadm(&running, "-A -t 10.0.1.100:80 -s rr", "") else { return missing() };
    assert!(added.status.success());
    // D.5: from 1e8 on thousands, 1e9 millions, 1e11 billions, 1e14 trillions
    count(&running, vec![(http, None, [0; 3], [99_999_999, 100_000_000, 123_456_789_012_345], [1_000_000_000, 1, 2])]);
    let last = |arguments| {
        let output = ipvsadm(&running, arguments, "").unwrap();
        String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
    };
    let numbers = |line: String| line.split_whitespace().skip(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(numbers(last("-Ln --stats")), ["99999999", "100000K", "0", "123T", "0"]);
    assert_eq!(numbers(last("-Ln --stats --exact")), ["99999999", "100000000", "0", "123456789012345", "0"]);
    assert_eq!(numbers(last("-Ln --rate")), ["1000M", "1", "0", "2", "0"]);
}
