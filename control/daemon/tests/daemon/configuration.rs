//! The files over the API: what would change, following them, versions, going back; and who may.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::rig::{Rig, eventually};

const DNS: &str = "[[service]]\naddress = \"192.0.2.101:53\"\nprotocol = \"udp\"\n";

fn answer((status, body): (u16, String)) -> Value {
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

fn refusal((status, body): (u16, String)) -> String {
    assert_eq!(status, 409, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["error"].as_str().unwrap().to_owned()
}

fn drop_in(rig: &Rig, text: &str) {
    fs::create_dir_all(rig.path("ulvs.d")).unwrap();
    fs::write(rig.path("ulvs.d/dns.toml"), text).unwrap();
}

#[test]
fn what_would_change_is_what_is_changed() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    drop_in(&rig, DNS);
    rig.write(rig.file().replacen("weight = 1", "weight = 7", 1).replacen("cores = [0]", "cores = [1]", 1));
    let before = rig.ask("/v1/services");
    let diff = answer(rig.ask("/v1/diff"));
    let changes = json!([
        "~ tcp 192.0.2.100:80 real server 192.0.2.11:80 nat weight 1 -> nat weight 7",
        "+ udp 192.0.2.101:53 scheduler wlc",
    ]);
    assert_eq!((&diff["changes"], &diff["version"]), (&changes, &Value::Null));
    assert!(diff["restart"][0].as_str().unwrap().starts_with("`cores` of [workers] changed"));
    assert_eq!(rig.ask("/v1/services"), before);
    let applied = answer(rig.post("/v1/apply", ""));
    assert_eq!((&applied["changes"], &applied["version"]), (&changes, &json!(2)));
    assert_eq!(answer(rig.ask("/v1/diff"))["changes"], json!([]));
    ulvsd.wait_for("followed: 2 changes (root by the API)");
    drop_in(&rig, "[[service]]\naddress = 5\n");
    for wrong in [rig.ask("/v1/diff"), rig.post("/v1/apply", "{}")] {
        assert!(refusal(wrong).contains("ulvs.d/dns.toml:2:11: error: "));
    }
    assert_eq!(rig.post("/v1/apply", "{\"reset\": 1}").0, 400);
    assert_eq!(rig.ask("/v1/apply").0, 405);
    assert_eq!(rig.post("/v1/status", "").0, 405);
}

#[test]
fn versions_are_kept_and_gone_back_to_with_the_files() {
    let Some(rig) = Rig::new() else { return };
    let first = rig.file();
    let ulvsd = rig.start(&first);
    assert_eq!(refusal(rig.post("/v1/rollback", "")), "there is no version before this one");
    drop_in(&rig, DNS);
    answer(rig.post("/v1/apply", ""));
    let both = rig.ask("/v1/services");
    let second = first.replacen("weight = 1", "weight = 7", 1);
    rig.write(&second);
    fs::remove_file(rig.path("ulvs.d/dns.toml")).unwrap();
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 2 changes (SIGHUP)");
    eventually("the version is kept", || answer(rig.ask("/v1/versions")).as_array().unwrap().len() == 3);
    let who = |n: usize| answer(rig.ask("/v1/versions"))[n]["who"].as_str().unwrap().to_owned();
    assert_eq!([who(0), who(1), who(2)], ["ulvsd's start", "root by the API", "SIGHUP"]);

    // An edit that was not followed yet is kept, too.
    rig.write(second.replacen("weight = 7", "weight = 9", 1));
    let back = answer(rig.post("/v1/rollback", "{\"version\": 2}"));
    assert_eq!((back["changes"].as_array().unwrap().len(), &back["version"]), (2, &json!(5)));
    assert_eq!(rig.ask("/v1/services"), both);
    assert_eq!(fs::read_to_string(rig.path("ulvs.toml")).unwrap(), first);
    assert_eq!(fs::read_to_string(rig.path("ulvs.d/dns.toml")).unwrap(), DNS);
    assert_eq!(
        [who(3), who(4)],
        ["root by the API, before a rollback; not followed", "root by the API, back to version 2"]
    );
    assert_eq!(answer(rig.ask("/v1/diff"))["changes"], json!([]));
    answer(rig.post("/v1/rollback", "{\"version\": 4}"));
    assert!(fs::read_to_string(rig.path("ulvs.toml")).unwrap().contains("weight = 9"));
    assert!(!rig.path("ulvs.d/dns.toml").exists());
    assert!(
        refusal(rig.post("/v1/rollback", "{\"version\": 99}")).starts_with("there is no version 99: kept are 1, 2, ")
    );
}

/// A folder on a small disk, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(folder: PathBuf) -> Option<Self> {
        fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&folder).status();
        if !mounted.is_ok_and(|status| status.success()) {
            println!("skipped: this user can't mount");
            return None;
        }
        Some(Self(folder))
    }

    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).unwrap();
        while file.write(&[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_costs_versions_and_nothing_else() {
    let Some(rig) = Rig::new() else { return };
    let Some(disk) = Disk::new(rig.path("state")) else { return };
    let ulvsd = rig.start(&rig.file());
    eventually("the first version is kept", || answer(rig.ask("/v1/versions")).as_array().unwrap().len() == 1);
    disk.fill();
    drop_in(&rig, DNS);
    let applied = answer(rig.post("/v1/apply", ""));
    assert_eq!(
        (&applied["changes"][0], &applied["version"]),
        (&json!("+ udp 192.0.2.101:53 scheduler wlc"), &Value::Null)
    );
    ulvsd.wait_for("can't be written (No space left on device): this version can't be gone back to");
    // What is followed could not be had again, so it is not left.
    let before = rig.ask("/v1/services");
    assert!(refusal(rig.post("/v1/rollback", "{\"version\": 1}")).contains("No space left on device"));
    assert_eq!((rig.ask("/v1/services"), rig.path("ulvs.d/dns.toml").exists()), (before, true));
    disk.free();
    assert_eq!(answer(rig.post("/v1/rollback", "{\"version\": 1}"))["version"], json!(3));
    assert!(!rig.path("ulvs.d/dns.toml").exists());
}

#[test]
fn root_and_the_group_change_and_others_look() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file());
    if Command::new("curl").arg("--version").output().is_err() {
        return println!("skipped: needs curl");
    }
    let nobody = |arguments: &[&str], path: &str| {
        let output = Command::new("curl")
            .args(["-si", "--max-time", "10", "--unix-socket", rig.socket().to_str().unwrap()])
            .args(arguments)
            .arg(format!("http://ulvs{path}"))
            .uid(65534)
            .gid(65534)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let (get, post) = (|path| nobody(&[], path), |path| nobody(&["-X", "POST"], path));
    for looked in [get("/v1/services"), get("/v1/versions")] {
        assert!(looked.starts_with("HTTP/1.1 200"), "{looked}");
    }
    for refused in [get("/v1/diff"), post("/v1/apply"), post("/v1/rollback")] {
        assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("members of the group ulvs"), "{refused}");
    }
}
