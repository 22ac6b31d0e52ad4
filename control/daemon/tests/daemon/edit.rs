//! Services and real servers that are set by the API.

use crate::rig::{Rig, eventually};

const EDITS: &str = r#"{"edits":[
    {"add_service":{"service":"tcp 192.0.2.101:443","scheduler":"wrr"}},
    {"add_real_server":{"service":"tcp 192.0.2.101:443","real_server":"192.0.2.21","method":"dr","weight":3}},
    {"add_real_server":{"service":"tcp 192.0.2.100:80","real_server":"192.0.2.22","method":"nat"}}]}"#;

/// Services and real servers with their owners.
fn shown(rig: &Rig) -> Vec<String> {
    let services: serde_json::Value = serde_json::from_str(&rig.ask("/v1/services").1).unwrap();
    let line = |one: &serde_json::Value| [&one["address"], &one["owner"]].map(|one| one.as_str().unwrap()).join(" ");
    let with_its_own = |one: &serde_json::Value| {
        let mut lines = vec![line(one)];
        lines.extend(one["real_servers"].as_array().unwrap().iter().map(line));
        lines
    };
    services.as_array().unwrap().iter().flat_map(with_its_own).collect()
}

const ALL: [&str; 5] =
    ["192.0.2.100:80 file", "192.0.2.11:80 file", "192.0.2.22:80 api", "192.0.2.101:443 api", "192.0.2.21:443 api"];

#[test]
fn edits_are_previewed_made_and_outlive_ulvsd() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    let lines = r#"{"changes":["+ tcp 192.0.2.101:443 scheduler wrr","+ tcp 192.0.2.101:443 real server 192.0.2.21:443 dr weight 3","+ tcp 192.0.2.100:80 real server 192.0.2.22:80 nat weight 1"]}"#;
    let dry = EDITS.replacen('{', r#"{"dry_run":true,"#, 1);
    assert_eq!(rig.post("/v1/services", &dry), (200, lines.to_owned()));
    assert_eq!(shown(&rig), ALL[..2], "a dry run changes nothing");
    assert_eq!(rig.post("/v1/services", EDITS), (200, lines.to_owned()));
    assert_eq!(shown(&rig), ALL);
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 0 changes");
    assert_eq!(shown(&rig), ALL, "the file does not touch what is not its own");
    let kept = || std::fs::read_to_string(rig.path("state/services.json")).unwrap_or_default();
    eventually("it is kept", || kept().contains("192.0.2.22") && kept().contains("192.0.2.21"));
    ulvsd.signal("TERM");
    assert!(ulvsd.end().0.success());
    let _ulvsd = rig.start(&rig.file());
    assert_eq!(shown(&rig), ALL);
}

#[test]
fn one_wrong_edit_and_none_is_made() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file());
    let cases = [
        (EDITS.replace("192.0.2.22", "192.0.2.11"), 409, "edits[2].add_real_server.real_server"),
        (EDITS.replace("wrr", "best"), 409, "edits[0].add_service.scheduler"),
        (EDITS.replace("weight\":3", "weight\":-3"), 400, "edits[1].add_real_server.weight"),
        (EDITS.replace("weight", "wieght"), 400, "edits[1].add_real_server.wieght"),
        (EDITS.replacen("add_service", "add", 1), 400, "edits[0]"),
    ];
    for (body, status, field) in cases {
        let (answered, answer) = rig.post("/v1/services", &body);
        let said: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((answered, said["field"].as_str()), (status, Some(field)), "{answer}");
    }
    for body in ["", "{", "[]", "{}", r#"{"edits":[]} x"#] {
        let (status, answer) = rig.post("/v1/services", body);
        assert!(status == 400 && answer.contains("the request is not understood"), "{body}: {answer}");
    }
    assert_eq!(shown(&rig), ALL[..2]);
}
