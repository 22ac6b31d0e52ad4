//! The distribution's ipvsadm, unmodified, with the shim preloaded: what it prints and how it exits.
//!
//! `tests/vectors/ipvsadm.transcript` says what is expected. A line `$ ARGUMENTS` runs ipvsadm; lines beginning with `<` are
//! its input, `>` its output, `!` its error output, `= N` its exit status if it is not 0; `#` is a comment.
//! `WRITE_TRANSCRIPT=1` writes the file anew from what happens; then read the difference line by line.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::clients::Running;

const IPVSADM: &str = "/usr/sbin/ipvsadm";

/// One command of the file.
#[derive(Debug, Default)]
struct Step {
    /// Comment and empty lines before it.
    before: String,
    arguments: String,
    input: String,
    expected: String,
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/ipvsadm.transcript")
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut before = String::new();
    for line in text.lines() {
        match (line.get(..line.len().min(2)), steps.last_mut()) {
            (Some("$ " | "$"), _) => {
                let arguments = line[1..].trim().to_owned();
                steps.push(Step { before: std::mem::take(&mut before), arguments, ..Step::default() });
            }
            (Some("< "), Some(step)) => writeln!(step.input, "{}", &line[2..]).unwrap(),
            (Some("> " | "! " | "= "), Some(step)) => writeln!(step.expected, "{line}").unwrap(),
            _ => writeln!(before, "{line}").unwrap(),
        }
    }
    steps
}

/// The shim beside this test, if the workspace was built.
fn shim() -> Option<PathBuf> {
    let folder = std::env::current_exe().ok()?.parent()?.parent()?.to_owned();
    let both = [folder.join("libulvs_shim.so"), folder.join("deps/libulvs_shim.so")];
    both.into_iter().find(|path| path.exists())
}

/// Runs ipvsadm against the server. None: it or the shim is not here.
pub(crate) fn ipvsadm(running: &Running, arguments: &str, input: &str) -> Option<Output> {
    let shim = shim()?;
    let mut child = Command::new(IPVSADM)
        .arg0("ipvsadm")
        .args(arguments.split_whitespace())
        .env("LD_PRELOAD", shim)
        .env("ULVS_IPVS_SOCKET", &running.path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    // a program that ends before it has read all is no matter
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Some(child.wait_with_output().unwrap())
}

fn described(output: &Output) -> String {
    let mut text = String::new();
    for (mark, stream) in [('>', &output.stdout), ('!', &output.stderr)] {
        for line in String::from_utf8_lossy(stream).lines() {
            writeln!(text, "{mark} {line}").unwrap();
        }
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => writeln!(text, "= {code}").unwrap(),
        None => writeln!(text, "= killed").unwrap(),
    }
    text
}

pub(crate) fn missing() {
    eprintln!("not tested: {IPVSADM} or libulvs_shim.so is missing (apt install ipvsadm; cargo build -p ulvs-shim)");
}

#[test]
fn ipvsadm_prints_and_exits_as_with_a_kernel() {
    let running = Running::new("transcript");
    let steps = steps(&std::fs::read_to_string(file()).unwrap());
    assert!(steps.len() > 350, "{} commands", steps.len());
    let mut written = String::new();
    let mut different = String::new();
    for step in &steps {
        let Some(output) = ipvsadm(&running, &step.arguments, &step.input) else { return missing() };
        let happened = described(&output);
        if happened != step.expected {
            writeln!(different, "$ {}\n{happened}instead of\n{}", step.arguments, step.expected).unwrap();
        }
        let line = format!("$ {}", step.arguments);
        writeln!(written, "{}{}", step.before, line.trim_end()).unwrap();
        step.input.lines().for_each(|line| writeln!(written, "< {line}").unwrap());
        written.push_str(&happened);
    }
    if std::env::var_os("WRITE_TRANSCRIPT").is_some() {
        std::fs::write(file(), written).unwrap();
    } else {
        assert!(different.is_empty(), "{different}");
    }
}

/// All that can be saved, in ipvsadm's words.
const EVERYTHING: &str = "\
-A -t 10.0.1.100:80 -s wrr -p 600 -M 255.255.255.0
-a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m -w 3
-a -t 10.0.1.100:80 -r 10.0.2.12:80 -g -w 0
-A -u 10.0.1.100:53 -s rr -o
-a -u 10.0.1.100:53 -r 10.0.2.13:53 -i -w 1
-a -u 10.0.1.100:53 -r 10.0.2.14:53 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -u 10.0.1.100:53 -r 10.0.2.15:53 -i -w 1 --tun-type gre --tun-nocsum
-A -u 10.0.1.100:5060 -s rr -p 360 --pe sip
-A -t [2001:db8:1::100]:80 -s sh -b sh-port,sh-fallback -p 300 -M 64
-a -t [2001:db8:1::100]:80 -r [2001:db8:2::11]:80 -g
-A -f 7 -s rr
-a -f 7 -r 10.0.2.11 -g -w 7
-A -f 8 -6 -s mh -p 300 -M 64 -b mh-port
-a -f 8 -6 -r [2001:db8:2::12]:0 -g
-A --sctp-service 10.0.1.100:99 -s twos
-a --sctp-service 10.0.1.100:99 -r 10.0.2.15:99 -m
";

#[test]
fn what_is_saved_is_restored_byte_for_byte() {
    let running = Running::new("saved");
    let Some(restored) = ipvsadm(&running, "-R", EVERYTHING) else { return missing() };
    assert!(restored.status.success(), "{restored:?}");
    let save = || ipvsadm(&running, "-S -n", "").unwrap().stdout;
    let saved = save();
    assert_eq!(saved.split(|byte| *byte == b'\n').count(), EVERYTHING.lines().count() + 1);
    assert!(ipvsadm(&running, "-C", "").unwrap().status.success());
    assert_eq!(save(), b"");
    let restored = ipvsadm(&running, "-R", &String::from_utf8(saved.clone()).unwrap()).unwrap();
    assert!(restored.status.success(), "{restored:?}");
    assert_eq!(String::from_utf8(save()).unwrap(), String::from_utf8(saved).unwrap());
}

/// Services of one part in a hundred commands.
fn part(number: u8) -> String {
    let service = |port: u16| {
        format!("-A -t 10.0.{number}.1:{port} -s rr\n-a -t 10.0.{number}.1:{port} -r 10.0.2.11:{port} -g -w 1\n")
    };
    (1..=50).map(service).collect()
}

#[test]
fn what_several_restore_at_a_time_is_all_there() {
    let running = Running::new("several");
    // The first two restore the same: each entry is one's, and the other is told that it exists.
    let texts = [part(1), part(1), part(2), part(3)];
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let begun: Vec<_> = texts.iter().map(|text| scope.spawn(|| ipvsadm(&running, "-R", text))).collect();
        begun.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let Some(outputs) = outputs.into_iter().collect::<Option<Vec<_>>>() else { return missing() };
    assert!(outputs[2..].iter().all(|one| one.status.success() && one.stderr.is_empty()), "{outputs:?}");
    let told: String = outputs[..2].iter().map(|one| String::from_utf8_lossy(&one.stderr).into_owned()).collect();
    assert_eq!(told.lines().filter(|line| line.ends_with("already exists")).count(), 100, "{told}");
    assert_eq!(told.lines().count(), 100, "{told}");
    let saved = ipvsadm(&running, "-S -n", "").unwrap().stdout;
    assert_eq!(String::from_utf8(saved).unwrap(), texts[1..].concat());
}
