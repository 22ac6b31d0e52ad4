//! IPVS's switches: by the API, as files, over a reload and a restart.

use std::fs;
use std::path::PathBuf;

use crate::rig::{Rig, eventually};

fn file(rig: &Rig, name: &str) -> PathBuf {
    rig.path("sys/net/ipv4/vs").join(name)
}

/// What the API says of a switch: value, and whether it is not as the file says.
fn asked(rig: &Rig, name: &str) -> (String, bool) {
    let all: serde_json::Value = serde_json::from_str(&rig.ask("/v1/sysctls").1).unwrap();
    let one = all.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    (one["value"].as_str().unwrap().to_owned(), one["edited"].as_bool().unwrap())
}

fn set(rig: &Rig, name: &str, value: &str) -> (u16, String) {
    // As `ulvsctl set` posts it.
    let socket = rig.socket();
    let body = format!(r#"{{"name":"{name}","value":"{value}"}}"#);
    let words = [
        "curl",
        "-s",
        "-w",
        "%{http_code}",
        "--unix-socket",
        socket.to_str().unwrap(),
        "--json",
        &body,
        "http://u/v1/sysctls",
    ];
    let output = String::from_utf8(rig.command(&words).output().unwrap().stdout).unwrap();
    let (body, code) = output.split_at(output.len() - 3);
    (code.parse().unwrap(), body.to_owned())
}

/// Files follow within moments.
fn becomes(rig: &Rig, name: &str, value: &str) {
    let read = || fs::read_to_string(file(rig, name)).unwrap_or_default();
    eventually(&format!("{name} is {value}"), || read() == format!("{value}\n") && asked(rig, name).0 == value);
}

#[test]
fn switches_are_set_by_the_api_and_by_files() {
    let Some(rig) = Rig::new() else { return };
    let text = rig.file() + "[ipvs]\nconn_reuse_mode = 3\n";
    let ulvsd = rig.start(&text);
    becomes(&rig, "conn_reuse_mode", "3");
    becomes(&rig, "sync_threshold", "3 50");
    assert_eq!(
        set(&rig, "conn_reuse_mode", "0"),
        (200, r#"{"changes":["~ sysctl conn_reuse_mode 3 -> 0"]}"#.to_owned())
    );
    assert_eq!(set(&rig, "conn_reuse_mode", "0"), (200, r#"{"changes":[]}"#.to_owned()));
    becomes(&rig, "conn_reuse_mode", "0");
    assert!(asked(&rig, "conn_reuse_mode").1);
    for (name, value, sentence) in [
        ("conn_reuse_mod", "0", "unknown sysctl"),
        ("drop_entry", "4", "drop_entry is a number from 0 to 3, not 4"),
        (
            "sync_retries",
            "1",
            "sync_retries can't be set yet, for connections are not synchronised between directors: it stays",
        ),
    ] {
        let (code, body) = set(&rig, name, value);
        assert!(code == 409 && body.contains(sentence), "{code} {body}");
    }
    fs::write(file(&rig, "expire_nodest_conn"), "1").unwrap();
    becomes(&rig, "expire_nodest_conn", "1");
    for wrong in ["x\n", "4", "", "99999999999999999999"] {
        fs::write(file(&rig, "drop_packet"), wrong).unwrap();
        becomes(&rig, "drop_packet", "0");
    }
    ulvsd.wait_for("drop_packet is a number from 0 to 3, not 4");
    // Removed, or replaced as editors do.
    fs::remove_file(file(&rig, "amemthresh")).unwrap();
    becomes(&rig, "amemthresh", "1024");
    fs::write(file(&rig, "new"), "2000\n").unwrap();
    fs::rename(file(&rig, "new"), file(&rig, "amemthresh")).unwrap();
    becomes(&rig, "amemthresh", "2000");
    // In one step: a file that is gone is made again.
    std::os::unix::fs::symlink("/etc/passwd", file(&rig, "link")).unwrap();
    fs::rename(file(&rig, "link"), file(&rig, "sloppy_tcp")).unwrap();
    fs::write(file(&rig, "am_droprate"), "11").unwrap();
    becomes(&rig, "am_droprate", "11");

    // A reload leaves alone what it says nothing new of; a restart as well.
    rig.write(text.replace("[ipvs]", "[ipvs]\nrun_estimation = 0"));
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 1 change");
    becomes(&rig, "run_estimation", "0");
    becomes(&rig, "conn_reuse_mode", "0");
    ulvsd.signal("TERM");
    assert!(ulvsd.end().0.success());
    assert!(!file(&rig, "").exists() && !rig.path("sys").exists());
    let ulvsd = rig.start(&text.replace("[ipvs]", "[ipvs]\nrun_estimation = 0"));
    for (name, value) in [("conn_reuse_mode", "0"), ("expire_nodest_conn", "1"), ("run_estimation", "0")] {
        becomes(&rig, name, value);
    }
    rig.write(text.replace("conn_reuse_mode = 3", "conn_reuse_mode = 2"));
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 2 changes");
    becomes(&rig, "conn_reuse_mode", "2");
}
