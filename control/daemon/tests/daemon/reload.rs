//! SIGHUP.

use crate::rig::Rig;

const OTHER: &str = "[[service]]\naddress = \"192.0.2.101:53\"\nprotocol = \"udp\"\n";

#[test]
fn the_difference_is_applied_and_told() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    rig.write(rig.file().replacen("weight = 1", "weight = 7", 1) + OTHER);
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 2 changes");
    assert!(rig.ask("/v1/services").1.contains("\"weight\":7"));
    assert!(rig.ask("/v1/services").1.contains("192.0.2.101:53"));
    rig.write(rig.file());
    ulvsd.signal("HUP");
    eventually(&ulvsd, 2);
    assert!(!rig.ask("/v1/services").1.contains("192.0.2.101:53"));
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 0 changes");
}

fn eventually(ulvsd: &crate::rig::Ulvsd, followed: usize) {
    crate::rig::eventually("the file is followed", || ulvsd.count(" followed: ") >= followed);
}

#[test]
fn a_broken_file_changes_nothing() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    let before = rig.ask("/v1/services");
    rig.write(rig.file().replacen("weight = 1", "weight = \"one\"", 1));
    ulvsd.signal("HUP");
    ulvsd.wait_for("everything stays as it is");
    ulvsd.wait_for("ulvs.toml: 1 error");
    assert_eq!(rig.ask("/v1/services"), before);
    std::fs::remove_file(rig.path("ulvs.toml")).unwrap();
    ulvsd.signal("HUP");
    ulvsd.wait_for("can't be read");
    assert_eq!(rig.ask("/v1/services"), before);
}

#[test]
fn what_needs_a_restart_is_told_until_there_is_one() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    rig.write(rig.file().replacen("api.sock", "other.sock", 1));
    for times in 1..=2 {
        ulvsd.signal("HUP");
        eventually(&ulvsd, times);
        assert_eq!(ulvsd.count("`socket` of [api] changed: restart ulvsd"), times);
    }
    ulvsd.signal("TERM");
    assert!(ulvsd.end().0.success());
    assert!(!rig.socket().exists(), "its own socket, not the new file's, is removed");
}

#[test]
fn routes_follow_the_ports_they_name() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    let route = "[[route]]\nprefix = \"198.51.100.0/24\"\nport = \"wan\"\nvia = \"192.0.2.254\"\n";
    // Another port in front of the one that runs: the route is the running one's still.
    let added = "[[port]]\nname = \"new\"\ndevice = \"net_null1\"\ntap = \"ulvs9\"\n[[port]]\nname = \"wan\"";
    let server = "192.0.2.11:80\"\nmethod = \"nat\"";
    let file = rig.file().replacen("[[port]]\nname = \"wan\"", added, 1) + route;
    rig.write(file.replacen(server, &server.replace("192.0.2.11", "198.51.100.7"), 1));
    ulvsd.signal("HUP");
    ulvsd.wait_for("port \"new\" was added: restart ulvsd");
    eventually(&ulvsd, 1);
    let services = rig.ask("/v1/services").1;
    assert!(services.contains("198.51.100.7:80") && services.contains("\"unresolved\""), "{services}");
}

#[test]
fn a_file_that_does_not_fit_is_not_followed_at_all() {
    let Some(rig) = Rig::new() else { return };
    let small = rig.file().replacen("[destinations]\ncapacity = 1024", "[destinations]\ncapacity = 2", 1);
    let ulvsd = rig.start(&small);
    let before = rig.ask("/v1/services");
    let server = |n| format!("[[service.real_server]]\naddress = \"192.0.2.{n}:80\"\nmethod = \"nat\"\n");
    rig.write(rig.file() + &[12, 13, 14].map(server).concat());
    ulvsd.signal("HUP");
    ulvsd.wait_for("is not followed, everything stays as it is: ");
    assert_eq!(ulvsd.count("raise `capacity` in [destinations]"), 1);
    assert_eq!(rig.ask("/v1/services"), before);
    rig.write(rig.file() + &server(12));
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 1 change");
}

#[test]
fn drop_ins_are_followed_with_the_file_or_not_at_all() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    let drop_in = rig.path("ulvs.d/dns.toml");
    std::fs::create_dir(rig.path("ulvs.d")).unwrap();
    std::fs::write(&drop_in, OTHER).unwrap();
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 1 change");
    let before = rig.ask("/v1/services");
    assert!(before.1.contains("192.0.2.101:53"));
    rig.write(rig.file().replacen("weight = 1", "weight = 7", 1));
    std::fs::write(&drop_in, OTHER.replace("udp", "upd")).unwrap();
    ulvsd.signal("HUP");
    ulvsd.wait_for("everything stays as it is");
    ulvsd.wait_for("ulvs.d/dns.toml:3:12: error: ");
    assert_eq!(rig.ask("/v1/services"), before);
    std::fs::remove_file(&drop_in).unwrap();
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 2 changes");
    assert!(!rig.ask("/v1/services").1.contains("192.0.2.101:53"));
}

/// Each is told in a sentence with its file, and what runs stays.
#[test]
fn a_drop_in_that_cannot_be_read_changes_nothing() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    let before = rig.ask("/v1/services");
    let folder = rig.path("ulvs.d");
    std::fs::create_dir(&folder).unwrap();
    rig.write(rig.file().replacen("weight = 1", "weight = 7", 1));
    let [link, latin, inside, pipe] =
        ["link.toml", "latin.toml", "folder.toml", "pipe.toml"].map(|name| folder.join(name));
    std::os::unix::fs::symlink("/nonexistent/drop-in", &link).unwrap();
    std::fs::write(&latin, b"# caf\xe9\n").unwrap();
    std::fs::create_dir(&inside).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    ulvsd.signal("HUP");
    for (path, sentence) in [
        (&link, "can't be read (No such file or directory): it is a link to what is not there"),
        (&latin, "can't be read (stream did not contain valid UTF-8): it must be text in UTF-8"),
        (&inside, "can't be read (is a directory): name the file in it"),
        (&pipe, "can't be read (it is a pipe, a socket or a device): name a regular file, or a link to one"),
    ] {
        ulvsd.wait_for(&format!("{}: {sentence}", path.display()));
    }
    ulvsd.wait_for("everything stays as it is");
    let twice = [folder.join("10.toml"), folder.join("20.toml")];
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::create_dir(&folder).unwrap();
    for path in &twice {
        std::fs::write(path, OTHER).unwrap();
    }
    ulvsd.signal("HUP");
    ulvsd.wait_for(&format!("service udp 192.0.2.101:53 is there already, in line 2 of {}", twice[0].display()));
    assert_eq!(rig.ask("/v1/services"), before);
    std::fs::remove_file(&twice[1]).unwrap();
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 2 changes");
}
