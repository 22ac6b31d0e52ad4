//! The end, wanted or not.

use std::fs;
use std::time::Instant;

use crate::rig::{Rig, Ulvsd, eventually, processor_time};

fn stops_cleanly(rig: &Rig, file: &str, signal: &str) {
    let ulvsd = rig.start(file);
    assert!(rig.has_link("ulvs0"));
    ulvsd.signal(signal);
    let (status, log) = ulvsd.end();
    assert!(status.success(), "{log}");
    assert!(log.contains("packet buffers are back in the pool"), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    assert!(!rig.has_link("ulvs0") && !rig.socket().exists());
}

#[test]
fn a_signal_ends_it_and_leaves_nothing() {
    let Some(rig) = Rig::new() else { return };
    stops_cleanly(&rig, &rig.file(), "TERM");
    stops_cleanly(&rig, &rig.file(), "INT");
}

#[test]
fn it_ends_cleanly_under_load() {
    let Some(rig) = Rig::new() else { return };
    // The null device without `no-rx` is a flood.
    let file = rig.file().replacen("net_null0,no-rx=1", "net_null0,size=64", 1);
    let busy = rig.start(&file);
    eventually("it drops the flood", || !rig.ask("/v1/status").1.contains("\"packets_in\":0,"));
    drop(busy);
    stops_cleanly(&rig, &file, "TERM");
}

#[test]
fn a_signal_during_the_start_counts() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.spawn(&rig.file());
    eventually("the socket is there", || rig.socket().exists());
    ulvsd.signal("HUP");
    ulvsd.signal("TERM");
    let (status, log) = ulvsd.end();
    assert!(status.success(), "{log}");
    assert!(!rig.has_link("ulvs0") && !rig.socket().exists());
}

#[test]
fn a_killed_one_leaves_nothing_in_the_way() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    ulvsd.signal("KILL");
    assert!(!ulvsd.end().0.success());
    eventually("the TAP goes with its process", || !rig.has_link("ulvs0"));
    assert!(rig.socket().exists(), "a socket is left over");
    stops_cleanly(&rig, &rig.file(), "TERM");
}

/// Which part of a core it uses, from one look at its counters to the next, which is two seconds.
fn cores_used(rig: &Rig, ulvsd: &Ulvsd) -> f64 {
    let written = || fs::metadata(rig.path("proc/net/ip_vs_stats")).and_then(|file| file.modified()).ok();
    let next = || {
        let last = written();
        eventually("its counters are looked at", || written() > last);
        (Instant::now(), processor_time(ulvsd.pid()))
    };
    let ((began, before), (ended, after)) = (next(), next());
    after.saturating_sub(before).as_secs_f64() / (ended - began).as_secs_f64()
}

#[test]
fn a_removed_tap_is_told_once_and_costs_nothing() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    rig.ip("link del ulvs0");
    ulvsd.wait_for("the TAP ulvs0 was removed");
    let used = cores_used(&rig, &ulvsd);
    assert!(used < 0.3, "{used} of a core");
    assert_eq!(ulvsd.count("was removed"), 1);
    assert_eq!(rig.ask("/v1/status").0, 200);
    ulvsd.signal("TERM");
    assert!(ulvsd.end().0.success());
}

#[test]
fn an_idle_one_costs_little() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    let used = cores_used(&rig, &ulvsd);
    println!("idle: {:.2} % of a core", used * 100.0);
    // 3 % are allowed; a debug build on a busy machine is given more.
    assert!(used < 0.1, "{used} of a core");
}
