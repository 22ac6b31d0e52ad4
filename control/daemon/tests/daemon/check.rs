//! `ulvsd --check FILE`.

use std::path::Path;
use std::process::Command;

use crate::rig::ULVSD;

/// Exit status and what was said.
fn check(file: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(ULVSD).arg("--check").arg(file).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn written(name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("ulvsd-check-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_good_file_is_said_to_be_good() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ulvs.example.toml");
    let (status, out, err) = check(&example);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert!(out.contains("no errors"), "{out}");
}

#[test]
fn all_errors_are_told_with_their_places() {
    let file = written("broken", b"[workers]\ncores = [0, 0]\nspeed = 9\n[[port]]\nname = \"wan\"\n");
    let (status, out, err) = check(&file);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    for place in [":2:", ":3:1", ":4:"] {
        assert!(err.contains(&format!("{}{place}", file.display())), "{place} in {err}");
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn what_is_no_file_is_told_with_a_remedy() {
    let (status, _, err) = check(Path::new("/nonexistent/ulvs.toml"));
    assert!(status == Some(1) && err.contains("docs/ulvs.example.toml") && !err.contains("os error"), "{err}");
    let (status, _, err) = check(Path::new("/"));
    assert!(status == Some(1) && err.contains("name the file in it"), "{err}");
    let latin = written("latin1", b"# caf\xe9\n");
    let (status, _, err) = check(&latin);
    assert!(status == Some(1) && err.contains("UTF-8"), "{err}");
    std::fs::remove_file(latin).unwrap();
}
