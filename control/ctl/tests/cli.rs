//! ulvsctl as a program: what it prints, where, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A director that answers as the function says, until the test ends.
struct Director(PathBuf);

impl Director {
    fn new(name: &str, answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let path = std::env::temp_dir().join(format!("ulvsctl-{}-{name}.sock", std::process::id()));
        let _was_absent = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(&stream.unwrap(), &answer);
            }
        });
        Self(path)
    }

    fn ulvsctl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ulvsctl"));
        command.args(arguments).env("ULVS_SOCKET", &self.0);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.ulvsctl(arguments).output().unwrap()
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        let _is_absent = std::fs::remove_file(&self.0);
    }
}

fn serve(mut stream: &UnixStream, answer: &impl Fn(&str) -> String) {
    let mut lines = BufReader::new(stream).lines();
    let question = lines.next().unwrap().unwrap();
    while !lines.next().unwrap().unwrap().is_empty() {}
    let body = answer(question.split(' ').nth(1).unwrap());
    write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
}

/// Pages of two connections each, without end.
fn endless_pages(target: &str) -> String {
    let cursor: u64 = target.split_once("cursor=").map_or(0, |(_, cursor)| cursor.parse().unwrap());
    let one = r#"{"protocol":"tcp","state":"ESTABLISHED","expires_seconds":9,"client":"198.51.100.7:1","virtual":"192.0.2.1:80",
        "real_server":"10.0.0.1:80","method":"dr"}"#
        .replace('\n', "");
    format!(r#"{{"connections":[{one},{one}],"next_cursor":{}}}"#, cursor + 2)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn without_a_director_it_fails_with_the_remedy() {
    let output = Command::new(env!("CARGO_BIN_EXE_ulvsctl"))
        .args(["--socket", "/nonexistent/api.sock", "status"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "ulvsctl: no ulvsd answers on /nonexistent/api.sock: is it running? (set ULVS_SOCKET or --socket for another path)\n"
    );
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn json_is_passed_through() {
    let director = Director::new("json", |target| format!(r#"{{"asked":"{target}","later":1}}"#));
    for (command, target) in [("status", "/v1/status"), ("services", "/v1/services")] {
        let output = director.run(&[command, "--json"]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), format!("{{\"asked\":\"{target}\",\"later\":1}}\n"));
    }
}

#[test]
fn connections_are_walked_to_the_limit() {
    let director = Director::new("walk", endless_pages);
    let output = director.run(&["conns", "--limit", "4"]);
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), 1 + 4 + 1);
    assert!(lines[0].starts_with("PROT"));
    assert!(lines[4].starts_with("TCP"));
    assert_eq!(lines[5], "there may be more: --limit 0 shows all");
    let output = director.run(&["conns", "--limit", "4", "--json"]);
    assert_eq!(text(&output.stdout).lines().count(), 2);
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let director = Director::new("pipe", endless_pages);
    let mut child =
        director.ulvsctl(&["conns", "--limit", "0"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 4];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((&first, output.status.code(), text(&output.stderr)), (b"PROT", Some(0), ""));
}

/// A folder of its own with a director's file.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ulvsctl-{}-{name}", std::process::id()));
    std::fs::create_dir_all(folder.join("ulvs.d")).unwrap();
    let file = "[workers]\ncores = [0]\n[[port]]\nname = \"wan\"\ndevice = \"net_null0\"\n";
    std::fs::write(folder.join("ulvs.toml"), file).unwrap();
    folder
}

const RULES: &str =
    "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.11:80 -g -w 1\n-A -t 192.0.2.2:80 -s rr --pe sip\n";

#[test]
fn what_is_imported_is_written_and_what_is_not_is_told() {
    let folder = folder("import");
    let rules = folder.join("rules");
    std::fs::write(&rules, RULES).unwrap();
    let ulvsctl = |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_ulvsctl")).args(arguments).output().unwrap();
    let drop_in = folder.join("ulvs.d/web.toml");
    let (rules, written) = (rules.to_str().unwrap(), drop_in.to_str().unwrap());
    let output = ulvsctl(&["import", "ipvsadm", rules, "--output", written]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""));
    assert!(text(&output.stderr).starts_with(&format!("{rules}: line 3: tcp 192.0.2.2:80 is commented out")));
    let again = ulvsctl(&["import", "ipvsadm", rules, "-o", written]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("web.toml is there already: remove it, or choose another name"));
    let file = folder.join("ulvs.toml");
    let output = ulvsctl(&["check", file.to_str().unwrap()]);
    assert_eq!(text(&output.stdout), format!("{}: no errors (1 service)\n", file.display()));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_import_that_the_director_does_not_follow_leaves_nothing_behind() {
    let folder = folder("apply");
    let (rules, file) = (folder.join("rules"), folder.join("ulvs.toml"));
    std::fs::write(&rules, RULES).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ulvsctl"))
        .args([
            "--socket",
            "/nonexistent/api.sock",
            "import",
            "ipvsadm",
            rules.to_str().unwrap(),
            "--apply",
            "--config",
        ])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nothing is imported: no ulvsd answers on /nonexistent/api.sock"));
    assert_eq!(std::fs::read_dir(folder.join("ulvs.d")).unwrap().count(), 0);
    std::fs::remove_dir_all(folder).unwrap();
}
