//! IPVS's files of `/proc/net`, as sockets and written.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::rig::{Rig, eventually};

/// What a reader is told, to the end.
fn read(rig: &Rig, name: &str) -> String {
    let mut stream = UnixStream::connect(rig.path(&format!("proc/net/{name}.sock"))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

const LISTING: &str = "IP Virtual Server version 1.2.1 (size=1024)\nProt LocalAddress:Port Scheduler Flags\n  \
                       -> RemoteAddress:Port Forward Weight ActiveConn InActConn\nTCP  C0000264:0050 wrr  \n  \
                       -> C000020B:0050      Masq    1      0          0         \n";

#[test]
fn they_are_there_for_those_who_connect_and_those_who_open() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    assert_eq!(read(&rig, "ip_vs"), LISTING);
    assert!(read(&rig, "ip_vs_conn").ends_with("State       Expires PEName PEData\n"));
    assert!(read(&rig, "ip_vs_conn_sync").ends_with("State       Origin Expires\n"));
    assert_eq!(read(&rig, "ip_vs_stats").lines().count(), 6);
    let processors = read(&rig, "ip_vs_stats_percpu");
    assert!(processors.contains("\n  0        0 ") && processors.contains("\n  ~        0 "), "{processors}");
    eventually("the last of the files is written", || rig.path("proc/net/ip_vs_stats_percpu").exists());
    assert_eq!(fs::read_to_string(rig.path("proc/net/ip_vs")).unwrap(), LISTING);
    assert_eq!(fs::read_to_string(rig.path("proc/net/ip_vs_stats")).unwrap(), read(&rig, "ip_vs_stats"));

    // what a killed one leaves is no obstacle, and a clean end leaves nothing
    ulvsd.signal("KILL");
    assert!(!ulvsd.end().0.success());
    assert!(rig.path("proc/net/ip_vs.sock").exists());
    let ulvsd = rig.start(&rig.file());
    assert_eq!(read(&rig, "ip_vs"), LISTING);
    ulvsd.signal("TERM");
    let (status, log) = ulvsd.end();
    assert!(status.success() && !log.contains("WARN"), "{log}");
    assert!(!rig.path("proc").exists());
}

#[test]
fn readers_that_do_not_read_hold_up_nobody() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file());
    let connect = || UnixStream::connect(rig.path("proc/net/ip_vs_conn.sock")).unwrap();
    // they say nothing, read nothing, and stay
    let idle: Vec<_> = (0..200).map(|_| connect()).collect();
    for _ in 0..10 {
        assert_eq!(read(&rig, "ip_vs_conn").lines().count(), 1);
    }
    drop(idle);
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_everything_else_works() {
    let Some(rig) = Rig::new() else { return };
    fs::write(rig.path("proc"), "in the way").unwrap();
    let ulvsd = rig.start(&rig.file());
    ulvsd.wait_for("can't be filled with IPVS's files of /proc/net (");
    assert_eq!(rig.ask("/v1/status").0, 200);
}
