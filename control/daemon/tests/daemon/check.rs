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

/// A folder with a director's file that is good, and these drop-ins.
fn with_drop_ins(name: &str, drop_ins: &[(&str, &str)]) -> (std::path::PathBuf, std::path::PathBuf) {
    let folder = std::env::temp_dir().join(format!("ulvsd-check-{}-{name}", std::process::id()));
    std::fs::create_dir_all(folder.join("ulvs.d")).unwrap();
    let file = folder.join("ulvs.toml");
    let text = "[workers]\ncores = [0]\n[[port]]\nname = \"wan\"\ndevice = \"net_null0\"\n";
    std::fs::write(&file, text.to_owned() + WEB).unwrap();
    for (name, text) in drop_ins {
        std::fs::write(folder.join("ulvs.d").join(name), text).unwrap();
    }
    (folder, file)
}

const WEB: &str = "[[service]]\naddress = \"192.0.2.1:80\"\nprotocol = \"tcp\"\n";
const DNS: &str = "[[service]]\naddress = \"192.0.2.1:53\"\nprotocol = \"udp\"\n";

#[test]
fn drop_ins_are_part_of_the_file() {
    let drop_ins = [("10-dns.toml", DNS), (".hidden.toml", "?"), ("old.toml~", "?"), ("README", "?")];
    let (folder, file) = with_drop_ins("good", &drop_ins);
    let (status, out, err) = check(&file);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert!(out.ends_with(": no errors (1 port, 2 services, 0 real servers, 1 drop-in)\n"), "{out}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn errors_of_drop_ins_name_file_and_line_and_duplicates_both_places() {
    let unknown = DNS.to_owned() + "sceduler = \"rr\"\n";
    let twice = WEB.to_owned() + &DNS.replace(":53", ":54") + &DNS.replace(":53", ":54");
    let port = "[[port]]\nname = \"wan\"\n";
    let drop_ins = [("10.toml", unknown.as_str()), ("20.toml", &twice), ("30.toml", port), ("40.toml", DNS)];
    let (folder, file) = with_drop_ins("bad", &drop_ins);
    std::fs::write(folder.join("ulvs.d/50.toml"), b"# caf\xe9\n").unwrap();
    let (status, out, err) = check(&file);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(err.contains("ulvs.d/50.toml: can't be read"), "{err}");
    std::fs::remove_file(folder.join("ulvs.d/50.toml")).unwrap();
    let (_, _, err) = check(&file);
    let shown = folder.display();
    for line in [
        format!("{shown}/ulvs.d/10.toml:4:1: error: unknown key `sceduler`: did you mean `scheduler`?"),
        format!(
            "{shown}/ulvs.d/20.toml:2:11: error: service tcp 192.0.2.1:80 is there already, in line 7 of \
             {shown}/ulvs.toml: remove one, or join their real servers"
        ),
        format!("{shown}/ulvs.d/20.toml:8:11: error: service udp 192.0.2.1:54 is there already, in line 5: "),
        format!("{shown}/ulvs.d/30.toml:1:3: error: unknown key `port`: a drop-in has check, service"),
        format!(
            "{shown}/ulvs.d/40.toml:2:11: error: service udp 192.0.2.1:53 is there already, in line 2 of {shown}/ulvs.d/10.toml"
        ),
        format!("{shown}/ulvs.toml: 5 errors"),
    ] {
        assert!(err.contains(&line), "{line} in {err}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
