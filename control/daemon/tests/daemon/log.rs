//! How log lines are written.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::rig::ULVSD;

/// What an ulvsd says on standard error that has no file to follow.
fn lines(format: &str) -> Vec<String> {
    let arguments = ["--config", "/nonexistent/ulvs.toml", "--log-format", format];
    let output = Command::new(ULVSD).args(arguments).env_remove("JOURNAL_STREAM").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn lines_are_written_as_asked_for() {
    let json = lines("json");
    let value: Value = serde_json::from_str(&json[0]).unwrap();
    assert_eq!((json.len(), &value["level"]), (1, &Value::from("ERROR")), "{json:?}");
    assert!(value["message"].as_str().is_some_and(|message| message.contains("/nonexistent/ulvs.toml")), "{json:?}");
    for format in ["text", "auto"] {
        let text = lines(format);
        assert!(text.len() == 1 && text[0].contains("ERROR") && text[0].contains("/nonexistent/ulvs.toml"), "{text:?}");
    }
}

#[test]
fn without_a_journal_lines_go_to_standard_error() {
    if Path::new("/run/systemd/journal/socket").exists() {
        println!("skipped: there is a journal");
        return;
    }
    let text = lines("journal");
    assert!(text[0].contains("systemd's journal can't be reached") && text[1].contains("ERROR"), "{text:?}");
}
