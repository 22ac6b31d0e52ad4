//! What outlives ulvsd.

use std::fs;

use crate::netlink::{Netlink, destination, service};
use crate::rig::{Rig, Ulvsd, eventually};

const FILES: [u8; 4] = [192, 0, 2, 100];
const OWN: [u8; 4] = [192, 0, 2, 101];

/// A service of netlink's own with a real server, one in the file's service, and the file's real server drained.
fn set(rig: &Rig) {
    let netlink = Netlink::connect(rig);
    assert_eq!(netlink.command(1, &[service(OWN, "rr")]), 0);
    assert_eq!(netlink.command(5, &[service(OWN, ""), destination([192, 0, 2, 21], 3)]), 0);
    assert_eq!(netlink.command(5, &[service(FILES, ""), destination([192, 0, 2, 22], 4)]), 0);
    assert_eq!(netlink.command(6, &[service(FILES, ""), destination([192, 0, 2, 11], 0)]), 0);
}

/// Services and real servers, each with weight or scheduler, owner, and whether it was edited.
fn shown(rig: &Rig) -> Vec<String> {
    let services: serde_json::Value = serde_json::from_str(&rig.ask("/v1/services").1).unwrap();
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let line = |one: &serde_json::Value, what: &str| {
        [&one["address"], &one[what], &one["owner"], &one["edited"]].map(text).join(" ")
    };
    let mut lines = Vec::new();
    for service in services.as_array().unwrap() {
        lines.push(line(service, "scheduler"));
        lines.extend(service["real_servers"].as_array().unwrap().iter().map(|one| line(one, "weight")));
    }
    lines
}

const ALL: [&str; 5] = [
    "192.0.2.100:80 wrr file false",
    "192.0.2.11:80 0 file true",
    "192.0.2.22:80 4 netlink false",
    "192.0.2.101:80 rr netlink false",
    "192.0.2.21:80 3 netlink false",
];

/// Waits until what is kept names all that was set.
fn kept(rig: &Rig) {
    let is_kept = |text: &str| ["192.0.2.21", "192.0.2.22", "\"now\""].iter().all(|part| text.contains(part));
    eventually("it is kept", || fs::read_to_string(rig.path("state/services.json")).is_ok_and(|text| is_kept(&text)));
}

fn stop(ulvsd: Ulvsd) {
    ulvsd.signal("TERM");
    assert!(ulvsd.end().0.success());
}

#[test]
fn what_netlink_set_is_there_after_a_kill_and_after_a_stop() {
    let Some(rig) = Rig::new() else { return };
    let mut ulvsd = rig.start(&rig.file());
    set(&rig);
    assert_eq!(shown(&rig), ALL);
    kept(&rig);
    ulvsd.kill();
    let ulvsd = rig.start(&rig.file());
    assert_eq!(shown(&rig), ALL);
    // right after the answer: what is under way is written at the stop
    let netlink = Netlink::connect(&rig);
    assert_eq!(netlink.command(6, &[service(OWN, ""), destination([192, 0, 2, 21], 9)]), 0);
    stop(ulvsd);
    let ulvsd = rig.start(&rig.file());
    assert_eq!(shown(&rig)[4], "192.0.2.21:80 9 netlink false");
    assert_eq!(Netlink::connect(&rig).command(17, &[]), 0);
    stop(ulvsd);
    let _ulvsd = rig.start(&rig.file());
    assert_eq!(shown(&rig), [""; 0], "what was removed stays away, the file's service, too");
}

#[test]
fn a_file_that_says_something_new_counts_over_what_was_set_before() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    set(&rig);
    stop(ulvsd);
    let new = rig.file().replacen("weight = 1", "weight = 7", 1)
        + "[[service]]\naddress = \"192.0.2.101:80\"\nprotocol = \"tcp\"\n";
    let ulvsd = rig.start(&new);
    let mut expected = ALL;
    expected[1] = "192.0.2.11:80 7 file false";
    expected[3] = "192.0.2.101:80 wlc file false";
    assert_eq!(shown(&rig), expected);
    ulvsd.wait_for("tcp 192.0.2.101:80 is the file's now");
    stop(ulvsd);
    // The file's service goes, and takes with it what can't be without it.
    let ulvsd = rig.start(rig.file().split("[[service]]").next().unwrap());
    assert_eq!(shown(&rig), [""; 0]);
    ulvsd.wait_for("192.0.2.100:80 is no longer in the file: 1 real server");
}

#[test]
fn what_is_not_ulvsds_is_put_aside_and_told() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    set(&rig);
    stop(ulvsd);
    let path = rig.path("state/services.json");
    let good = fs::read_to_string(&path).unwrap();
    let newer = good.replacen("\"version\": 1", "\"version\": 2", 1);
    for bad in ["", "\u{0}\u{0}", "{\"format\": \"other\", \"version\": 1}", &good[..good.len() / 2], &newer] {
        fs::write(&path, bad).unwrap();
        let ulvsd = rig.start(&rig.file());
        ulvsd.wait_for("services.json is not what ulvsd writes (");
        assert_eq!(shown(&rig), ["192.0.2.100:80 wrr file false", "192.0.2.11:80 1 file false"]);
        stop(ulvsd);
    }
    let aside: Vec<_> = fs::read_dir(rig.path("state")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let aside: Vec<_> = aside.iter().filter(|path| path.to_string_lossy().contains(".unreadable-")).collect();
    assert_eq!(aside.len(), 5);
    assert!(aside.iter().any(|path| fs::read_to_string(path).unwrap() == newer));
}

#[test]
fn entries_that_can_not_be_restored_are_told_and_the_others_are_there() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    set(&rig);
    stop(ulvsd);
    let path = rig.path("state/services.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("192.0.2.22:80", "224.0.0.1:80", 1)).unwrap();
    let ulvsd = rig.start(&rig.file());
    ulvsd.wait_for("can't be restored, to add real server 224.0.0.1:80 to tcp 192.0.2.100:80: ");
    ulvsd.wait_for("1 change could not be restored; all of them are in ");
    assert_eq!(shown(&rig).len(), ALL.len() - 1);
}

#[test]
fn a_folder_has_one_director_and_may_be_off() {
    let Some(rig) = Rig::new() else { return };
    let _first = rig.start(&rig.file());
    let other = rig.file().replacen("api.sock", "other/api.sock", 1).replacen("127.0.0.1:9477", "off", 1);
    let (status, log) = rig.spawn(&other).end();
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("another ulvsd keeps its state in "), "{log}");
    let off = other.replacen(&format!("folder = \"{}\"", rig.path("state").display()), "folder = \"off\"", 1);
    let _second = rig.start(&off.replacen("tap = \"ulvs0\"", "tap = false", 1));
}
