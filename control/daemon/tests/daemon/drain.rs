//! Real servers that are emptied: it lasts through reloads and edits, and is only for those who may change services.

use std::process::{Command, Output, Stdio};

use crate::rig::{Rig, eventually};

/// A POST to the API by this user, in JSON; the answer.
fn post(rig: &Rig, user: &[&str], body: &str) -> String {
    let socket = rig.socket();
    let mut words = user.to_vec();
    let curl = ["curl", "--silent", "--unix-socket", socket.to_str().unwrap(), "--json", body, "http://ulvs/v1/drain"];
    words.extend(curl);
    text(&rig.command(&words).stdin(Stdio::null()).output().unwrap())
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn wish(drain: &str) -> String {
    format!(r#"{{"protocol":"tcp","service":"192.0.2.100:80","real_server":"192.0.2.11:80","drain":"{drain}"}}"#)
}

/// Weight, configured weight, whether it is forwarded to, and the drain.
fn shown(rig: &Rig) -> (u64, u64, bool, String) {
    let services: serde_json::Value = serde_json::from_str(&rig.ask("/v1/services").1).unwrap();
    let one = &services[0]["real_servers"][0];
    let number = |key: &str| one[key].as_u64().unwrap();
    let forwarded = one["forwarded"].as_bool().unwrap();
    (number("weight"), number("configured_weight"), forwarded, one["drain"].as_str().unwrap().to_owned())
}

#[test]
fn a_drain_lasts_until_it_is_taken_back() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    assert!(post(&rig, &[], &wish("quiescent")).contains("real server 192.0.2.11:80"));
    assert_eq!(shown(&rig), (0, 1, true, "quiescent".to_owned()));
    rig.write(rig.file().replacen("weight = 1", "weight = 7", 1));
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 1 change");
    assert_eq!(shown(&rig), (0, 7, true, "quiescent".to_owned()), "the file's weight is kept for later");
    post(&rig, &[], &wish("removed"));
    assert_eq!(shown(&rig), (0, 7, false, "removed".to_owned()));
    ulvsd.signal("HUP");
    ulvsd.wait_for("followed: 0 changes");
    assert!(!shown(&rig).2);
    let query = "/v1/drain?protocol=tcp&service=192.0.2.100:80&real_server=192.0.2.11:80";
    assert_eq!(
        rig.ask(query),
        (
            200,
            r#"{"drain":"removed","active_connections":0,"inactive_connections":0,"persistent_clients":0}"#.to_owned()
        )
    );
    ulvsd.signal("TERM");
    assert!(ulvsd.end().0.success());
    let _ulvsd = rig.start(&rig.file().replacen("weight = 1", "weight = 7", 1));
    assert_eq!(shown(&rig), (0, 7, false, "removed".to_owned()), "nor does a restart end it");
    post(&rig, &[], &wish("no"));
    assert_eq!(shown(&rig), (7, 7, true, "no".to_owned()));
    assert_eq!(post(&rig, &[], &wish("no")), r#"{"changes":[]}"#);
}

/// The wish to have it removed within so many seconds.
fn removal(seconds: u32) -> String {
    wish("quiescent").replace('}', &format!(r#","remove_within":{seconds}}}"#))
}

/// What is drained: its real server, its drain, and when it is taken out.
fn drains(rig: &Rig) -> Vec<(String, String, Option<u64>)> {
    let drains: serde_json::Value = serde_json::from_str(&rig.ask("/v1/drains").1).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let row = |one: &serde_json::Value| (text(&one["real_server"]), text(&one["drain"]), one["removal"].as_u64());
    drains.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn a_deadline_is_the_directors_and_outlives_it() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    let before = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    post(&rig, &[], &removal(3600));
    let drained = drains(&rig);
    let [(real_server, drain, Some(at))] = &drained[..] else { panic!("{drained:?}") };
    assert_eq!((real_server.as_str(), drain.as_str()), ("192.0.2.11:80", "quiescent"));
    assert!((before + 3600..before + 3660).contains(at), "{at}");
    ulvsd.signal("TERM");
    assert!(ulvsd.end().0.success());
    let ulvsd = rig.start(&rig.file());
    // Connections end with ulvsd: it is empty, and needs not wait.
    eventually("it is taken out", || !shown(&rig).2);
    ulvsd.wait_for("a drained real server is taken out: no active connection is left");
    assert_eq!(drains(&rig), [("192.0.2.11:80".to_owned(), "removed".to_owned(), None)]);
    assert!(post(&rig, &[], &wish("removed").replace('}', r#","remove_within":1}"#)).contains("leave it out"));
    post(&rig, &[], &wish("no"));
    assert_eq!(shown(&rig), (1, 1, true, "no".to_owned()));
    assert_eq!(drains(&rig), []);
}

#[test]
fn what_can_not_be_is_refused_with_a_sentence() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file());
    let cases = [
        (wish("no").replace("100:80", "101:80"), "there is no service tcp 192.0.2.101:80"),
        (wish("no").replace("tcp", "sctp"), "there is no service sctp 192.0.2.100:80"),
        (wish("no").replace("11:80", "12:80"), "tcp 192.0.2.100:80 has no real server 192.0.2.12:80"),
        (wish("gone"), "unknown variant"),
        ("{".to_owned(), "Failed to parse"),
    ];
    for (body, sentence) in cases {
        let answer = post(&rig, &[], &body);
        assert!(answer.contains(r#"{"error":"#) && answer.contains(sentence), "{body}: {answer}");
    }
    assert_eq!(shown(&rig), (1, 1, true, "no".to_owned()));
}

/// Users and groups of a machine are not a test's to make: what is tested is who is none of them.
#[test]
fn others_may_look_and_not_touch() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file());
    Command::new("chmod").arg("666").arg(rig.socket()).status().unwrap();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let refused = post(&rig, &nobody, &wish("quiescent"));
    assert_eq!(refused, r#"{"error":"only root and members of the group ulvs may change anything"}"#);
    assert_eq!(shown(&rig), (1, 1, true, "no".to_owned()));
}
