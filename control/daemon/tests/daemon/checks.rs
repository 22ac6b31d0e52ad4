//! Health checks and what follows from them, with programs as checks: a file says whether the real server is up.

use std::fs;
use std::path::Path;

use crate::rig::{Rig, Ulvsd, eventually};

const SORRY: &str = "sorry_server = { address = \"192.0.2.19:80\", method = \"nat\" }\n";

/// The rig's file with its real server checked by a script that ends with the status in a file, and more keys of its service.
fn file(rig: &Rig, keys: &str) -> String {
    let script = "exit $(cat $0.status)";
    let path = rig.path("check");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::process::Command::new("chmod").arg("755").arg(&path).status().unwrap();
    let check = format!(
        "[check.it]\ntype = \"exec\"\ndynamic = true\ncommand = [\"{}\"]\ninterval = 100\nrise = 1\nfall = 1\nweight_interval = 1000\n",
        path.display()
    );
    let service = format!("protocol = \"tcp\"\nchecks = [\"it\"]\n{keys}");
    check + &rig.file().replacen("protocol = \"tcp\"\n", &service, 1).replacen("weight = 1\n", "weight = 4\n", 1)
}

fn status(rig: &Rig, status: u8) {
    let path = rig.path("check.status");
    fs::write(rig.path("new"), status.to_string()).unwrap();
    fs::rename(rig.path("new"), path).unwrap();
}

/// The page of metrics, as a client in the namespace reads it.
fn metrics(rig: &Rig) -> String {
    let script = "exec 3<>/dev/tcp/127.0.0.1/9477; printf 'GET /metrics?scope=real HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    String::from_utf8(rig.command(&["bash", "-c", script]).output().unwrap().stdout).unwrap()
}

/// The sum of a metric's samples.
fn metric(rig: &Rig, name: &str) -> u64 {
    let page = metrics(rig);
    let samples = page.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    samples.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// `ADDRESS HEALTH WEIGHT/CONFIGURED` of each real server; without a weight if it is taken out.
fn shown(rig: &Rig) -> Vec<String> {
    let services: serde_json::Value = serde_json::from_str(&rig.ask("/v1/services").1).unwrap();
    let real_servers = services[0]["real_servers"].as_array().unwrap();
    let word = |one: &serde_json::Value| {
        let weight = if one["forwarded"].as_bool().unwrap() { one["weight"].to_string() } else { "-".to_owned() };
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        format!("{} {} {weight}/{}", text("address"), text("health"), one["configured_weight"])
    };
    real_servers.iter().map(word).collect()
}

fn becomes(rig: &Rig, expected: &[&str]) {
    eventually(&format!("{expected:?}"), || shown(rig) == expected);
}

fn follow(rig: &Rig, ulvsd: &Ulvsd, text: &str) {
    let before = ulvsd.count(" followed: ");
    rig.write(text);
    ulvsd.signal("HUP");
    eventually("the file is followed", || ulvsd.count(" followed: ") > before);
}

#[test]
fn a_real_server_goes_and_comes_back_with_its_weight() {
    let Some(rig) = Rig::new() else { return };
    status(&rig, 1);
    let ulvsd = rig.start(&file(&rig, ""));
    becomes(&rig, &["192.0.2.11:80 down -/4"]);
    ulvsd.wait_for("real server is down");
    status(&rig, 0);
    becomes(&rig, &["192.0.2.11:80 up 4/4"]);
    status(&rig, 9);
    becomes(&rig, &["192.0.2.11:80 up 7/4"]);
    assert_eq!((ulvsd.count("real server is down"), ulvsd.count("real server is up")), (1, 1), "each is told once");
    assert!(rig.ask("/v1/checks").1.contains("\"check\":\"it\""));
}

#[test]
fn what_is_inhibited_stays_with_weight_0() {
    let Some(rig) = Rig::new() else { return };
    status(&rig, 1);
    let _ulvsd = rig.start(&file(&rig, "inhibit_on_failure = true\n"));
    becomes(&rig, &["192.0.2.11:80 down 0/4"]);
}

#[test]
fn a_sorry_server_comes_and_goes_and_does_not_outlive_what_is_said_of_it() {
    let Some(rig) = Rig::new() else { return };
    status(&rig, 1);
    let ulvsd = rig.start(&file(&rig, SORRY));
    let sorry = ["192.0.2.19:80  1/1", "192.0.2.11:80 down -/4"];
    becomes(&rig, &sorry);
    ulvsd.wait_for("too few real servers are up");
    ulvsd.signal("TERM");
    assert!(ulvsd.end().0.success());
    assert!(Path::new(&rig.path("check")).exists());
    status(&rig, 0);
    let ulvsd = rig.start(&file(&rig, SORRY));
    becomes(&rig, &["192.0.2.11:80 up 4/4"]);
    status(&rig, 1);
    becomes(&rig, &sorry);
    follow(&rig, &ulvsd, &file(&rig, ""));
    becomes(&rig, &["192.0.2.11:80 down -/4"]);
}

#[test]
fn a_reload_disturbs_no_check_and_ends_those_that_are_gone() {
    let Some(rig) = Rig::new() else { return };
    status(&rig, 1);
    let checked = file(&rig, "");
    let ulvsd = rig.start(&checked);
    becomes(&rig, &["192.0.2.11:80 down -/4"]);
    follow(&rig, &ulvsd, &checked.replacen("weight = 4", "weight = 5", 1));
    assert_eq!(shown(&rig), ["192.0.2.11:80 down -/5"]);
    assert_eq!(ulvsd.count("real server is down"), 1);
    follow(&rig, &ulvsd, &checked.replacen("checks = [\"it\"]\n", "", 1));
    assert_eq!(shown(&rig), ["192.0.2.11:80  4/4"]);
    assert_eq!(rig.ask("/v1/checks").1, "[]");
}

/// The file with a second service that has the real server as well, and a check that notes each probe.
fn two_services(rig: &Rig, keys_of_check: &str) -> String {
    let first = file(rig, "");
    let second = "[[service]]\naddress = \"192.0.2.101:80\"\nprotocol = \"tcp\"\nchecks = [\"it\"]\n\
                  [[service.real_server]]\naddress = \"192.0.2.11:80\"\nmethod = \"nat\"\n";
    let script = "echo $ULVS_VIRTUAL_ADDRESS. >>$0.asked; exit $(cat $0.status)";
    fs::write(rig.path("check"), format!("#!/bin/sh\n{script}\n")).unwrap();
    first.replacen("rise = 1\n", &format!("rise = 1\n{keys_of_check}"), 1) + second
}

#[test]
fn one_probe_serves_all_services_that_have_the_real_server_if_it_is_shared() {
    for (keys, expected) in [("shared = true\n", vec!["."]), ("", vec!["192.0.2.100.", "192.0.2.101."])] {
        let Some(rig) = Rig::new() else { return };
        status(&rig, 1);
        let ulvsd = rig.start(&two_services(&rig, keys));
        eventually("both services have lost it", || metric(&rig, "ulvs_service_real_servers_down") == 2);
        let checks: serde_json::Value = serde_json::from_str(&rig.ask("/v1/checks").1).unwrap();
        let rows = checks.as_array().unwrap();
        assert_eq!(rows.len(), expected.len(), "{keys}: {checks}");
        let services: usize = rows.iter().map(|row| row["services"].as_array().unwrap().len()).sum();
        assert_eq!(services, 2, "{keys}: each service is named: {checks}");
        let asked = || fs::read_to_string(rig.path("check.asked")).unwrap();
        let kinds = || asked().lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(kinds().iter().map(String::as_str).collect::<Vec<_>>(), expected, "{keys}");
        status(&rig, 0);
        eventually("both have it again", || metric(&rig, "ulvs_service_real_servers_down") == 0);
        assert_eq!(ulvsd.count("real server is up"), 2, "{keys}: each service tells it");
        let (probes, lines) = (metric(&rig, "ulvs_check_probes_total"), asked().lines().count() as u64);
        assert!(lines.abs_diff(probes) <= 4, "{keys}: {lines} programs ran for {probes} probes");
    }
}

#[test]
fn a_change_of_state_is_logged_counted_and_shown() {
    let Some(rig) = Rig::new() else { return };
    status(&rig, 0);
    let ulvsd = rig.start(&file(&rig, SORRY));
    becomes(&rig, &["192.0.2.11:80 up 4/4"]);
    let counted = |rig: &Rig| {
        let all = ["real_servers_down", "health_changes_total", "quorum", "quorum_changes_total"];
        all.map(|name| metric(rig, &format!("ulvs_service_{name}")))
    };
    assert_eq!(counted(&rig), [0, 0, 1, 0]);
    status(&rig, 1);
    becomes(&rig, &["192.0.2.19:80  1/1", "192.0.2.11:80 down -/4"]);
    assert_eq!(counted(&rig), [1, 1, 0, 1]);
    assert_eq!((metric(&rig, "ulvs_real_server_up"), metric(&rig, "ulvs_real_server_health_changes_total")), (0, 1));
    ulvsd.wait_for("real server is down service=tcp 192.0.2.100:80 real_server=192.0.2.11:80 state=\"down\" check=\"it\" reason=\"");
    ulvsd.wait_for("too few real servers are up service=tcp 192.0.2.100:80 weight=0 state=\"no quorum\" sorry_server=\"192.0.2.19:80\"");
    let row = |rig: &Rig| serde_json::from_str::<serde_json::Value>(&rig.ask("/v1/checks").1).unwrap()[0].clone();
    let down = row(&rig);
    assert_eq!((down["up"].as_bool(), down["address"].as_str()), (Some(false), Some("192.0.2.11:80")), "{down}");
    assert!(down["reason"].as_str().is_some_and(|reason| reason.contains("status 1")), "{down}");
    status(&rig, 0);
    becomes(&rig, &["192.0.2.11:80 up 4/4"]);
    assert_eq!(counted(&rig), [0, 2, 1, 2]);
    assert_eq!(row(&rig)["up"].as_bool(), Some(true));
    // what the console shows
    let events: serde_json::Value = serde_json::from_str(&rig.ask("/v1/events").1).unwrap();
    let health = events["events"].as_array().unwrap().iter().filter(|one| one["kind"] == "health");
    let said: Vec<_> = health
        .map(|one| format!("{} {}", one["severity"].as_str().unwrap(), one["message"].as_str().unwrap()))
        .collect();
    assert_eq!(said.len(), 4, "{said:?}");
    for (line, beginning) in said.iter().zip([
        "warning tcp 192.0.2.100:80: real server 192.0.2.11:80 is down, says check it: ",
        "error tcp 192.0.2.100:80: too few real servers are up; 192.0.2.19:80 answers for them",
        "info tcp 192.0.2.100:80: real server 192.0.2.11:80 is up",
        "info tcp 192.0.2.100:80: enough real servers are up",
    ]) {
        assert!(line.starts_with(beginning), "{said:?}");
    }
}

#[test]
fn a_recovery_is_slow_if_it_is_said_so() {
    let Some(rig) = Rig::new() else { return };
    status(&rig, 1);
    let slow = file(&rig, "").replacen("rise = 1\n", "rise = 1\nslow_start = 2000\n", 1);
    let _ulvsd = rig.start(&slow.replacen("weight = 4\n", "weight = 100\n", 1));
    becomes(&rig, &["192.0.2.11:80 down -/100"]);
    status(&rig, 0);
    let weights = std::cell::RefCell::new(vec![0]);
    eventually("it has its whole weight", || {
        let services: serde_json::Value = serde_json::from_str(&rig.ask("/v1/services").1).unwrap();
        let weight = services[0]["real_servers"][0]["weight"].as_u64().unwrap();
        let mut weights = weights.borrow_mut();
        if weights.last() != Some(&weight) {
            weights.push(weight);
        }
        weight == 100
    });
    let weights = weights.into_inner();
    assert!(weights.len() > 3 && weights.is_sorted() && weights.iter().all(|weight| weight % 10 == 0), "{weights:?}");
}
