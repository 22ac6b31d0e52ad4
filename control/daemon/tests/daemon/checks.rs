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
