//! What outlives ulvsd.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

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

/// How often it is killed at least: `ULVS_KILLS=200` for the long form.
fn kills() -> i32 {
    std::env::var("ULVS_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

/// The weights of the real servers of netlink's services, by address.
fn weights(rig: &Rig) -> Vec<i32> {
    let lines = shown(rig);
    let mut lines: Vec<_> = lines.iter().filter(|line| line.starts_with("192.0.2.2")).collect();
    lines.sort();
    lines.iter().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect()
}

#[test]
fn each_change_that_was_answered_outlives_a_kill_right_after_it() {
    let Some(rig) = Rig::new() else { return };
    let mut ulvsd = rig.start(&rig.file());
    let netlink = Netlink::connect(&rig);
    assert_eq!(netlink.command(1, &[service(OWN, "rr")]), 0);
    assert_eq!(netlink.command(5, &[service(OWN, ""), destination([192, 0, 2, 20], 0)]), 0);
    for kill in 1..=kills() {
        let netlink = Netlink::connect(&rig);
        // Every third is a real server that comes or goes, of the file's service.
        let real_server = destination([192, 0, 2, 30], 1);
        let (command, change) = match kill % 6 {
            2 => (5, [service(FILES, ""), real_server]),
            5 => (7, [service(FILES, ""), real_server]),
            _ => (6, [service(OWN, ""), destination([192, 0, 2, 20], kill)]),
        };
        assert_eq!(netlink.command(command, &change), 0);
        ulvsd.kill();
        ulvsd = rig.spawn_again();
        ulvsd.wait_for("forwarding:");
        let is_there = shown(&rig).iter().any(|line| line == "192.0.2.30:80 1 netlink false");
        assert_eq!(is_there, (2..5).contains(&(kill % 6)), "kill {kill}");
        if !matches!(kill % 6, 2 | 5) {
            assert_eq!(weights(&rig), [kill]);
        }
    }
}

/// Changes of several clients and writing the file go on all the while: of each client the last answer counts, or the change that
/// was under way.
#[test]
fn many_that_change_lose_nothing_that_was_answered_when_it_is_killed() {
    let Some(rig) = Rig::new() else { return };
    let clients = [20_u8, 21, 22];
    let mut ulvsd = rig.start(&rig.file());
    let netlink = Netlink::connect(&rig);
    assert_eq!(netlink.command(1, &[service(OWN, "rr")]), 0);
    let mut weight = 0;
    for host in clients {
        assert_eq!(netlink.command(5, &[service(OWN, ""), destination([192, 0, 2, host], weight)]), 0);
    }
    for kill in 1..=kills() / 4 {
        let (is_over, answered) = (AtomicBool::new(false), clients.map(|_| AtomicI32::new(weight)));
        std::thread::scope(|scope| {
            for (host, answered) in clients.into_iter().zip(&answered) {
                let (rig, is_over) = (&rig, &is_over);
                scope.spawn(move || {
                    let netlink = Netlink::connect(rig);
                    for weight in weight + 1.. {
                        let change = [service(OWN, ""), destination([192, 0, 2, host], weight)];
                        if is_over.load(Ordering::Relaxed) || netlink.try_command(6, &change) != Some(0) {
                            return;
                        }
                        answered.store(weight, Ordering::Relaxed);
                    }
                });
            }
            eventually("it is changed", || answered[0].load(Ordering::Relaxed) > weight + kill * 100);
            ulvsd.kill();
            is_over.store(true, Ordering::Relaxed);
        });
        ulvsd = rig.spawn_again();
        ulvsd.wait_for("forwarding:");
        let (kept, answered) = (weights(&rig), answered.map(AtomicI32::into_inner));
        let is_right = |(kept, answered): (&i32, &i32)| (0..=1).contains(&(kept - answered));
        assert!(kept.iter().zip(&answered).all(is_right), "kill {kill}: {kept:?} of {answered:?}");
        weight = kept.into_iter().max().unwrap();
    }
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
fn a_journal_counts_as_far_as_it_can_be_read_and_not_without_its_file() {
    let Some(rig) = Rig::new() else { return };
    let (journal, folder) = (rig.path("state/services.journal"), rig.path("state"));
    let start = |ulvsd: &mut Ulvsd| {
        ulvsd.kill();
        *ulvsd = rig.spawn_again();
        ulvsd.wait_for("forwarding:");
    };
    let mut ulvsd = rig.start(&rig.file());
    set(&rig);
    ulvsd.kill();
    let write = |text: &str| {
        let known = fs::read_to_string(&journal).unwrap_or_default();
        let head = "{\"format\":\"ulvs-journal\",\"version\":1}\n";
        fs::write(&journal, [if known.is_empty() { head } else { &known }, text].concat()).unwrap();
    };
    write("{\"number\":1000000,\"steps\":[");
    start(&mut ulvsd);
    ulvsd.wait_for("services.journal ends within a change");
    assert_eq!(shown(&rig), ALL);
    ulvsd.kill();
    write("of somebody else\n");
    start(&mut ulvsd);
    ulvsd.wait_for("services.journal is damaged (");
    assert_eq!(shown(&rig), ALL);
    let aside = |name: &str| {
        fs::read_dir(&folder).unwrap().any(|one| one.unwrap().file_name().to_string_lossy().starts_with(name))
    };
    assert!(aside("services.journal.unreadable-"));
    ulvsd.kill();
    fs::remove_file(rig.path("state/services.json")).unwrap();
    start(&mut ulvsd);
    assert_eq!(shown(&rig), ["192.0.2.100:80 wrr file false", "192.0.2.11:80 1 file false"], "it is forgotten");
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
