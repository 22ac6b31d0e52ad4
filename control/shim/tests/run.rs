//! `ulvs-run`'s own doing: what it finds, what it refuses, what it passes on.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use nix::sys::signal::Signal;

use common::{Folder, installed, library, output, run, text, under};

/// Exit status, and what was said on either stream.
fn said(command: Command) -> (Option<i32>, String) {
    let output = output(command);
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn plain(arguments: &[&str]) -> Command {
    let mut command = Command::new(run());
    command.args(arguments).env("ULVS_SHIM", library());
    command
}

#[test]
fn help_and_version() {
    let (status, help) = said(plain(&["--help"]));
    assert_eq!(status, Some(0));
    assert!(help.contains("usage: ulvs-run"), "{help}");
    assert_eq!(said(plain(&["--version"])), (Some(0), format!("ulvs-run {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn mistakes_are_told_in_sentences() {
    let folder = Folder::new();
    let long = "x".repeat(120);
    for (arguments, status, sentence) in [
        (&[][..], 125, "ulvs-run: no command given\ntry: ulvs-run --help\n"),
        (&["--colour", "ls"], 125, "ulvs-run: there is no option --colour\ntry: ulvs-run --help\n"),
        (&["--socket"], 125, "ulvs-run: --socket needs a value\ntry: ulvs-run --help\n"),
        (&["no-such-command"], 127, "ulvs-run: no-such-command: command not found; is its package installed?\n"),
    ] {
        assert_eq!(said(plain(arguments)), (Some(status), sentence.to_owned()));
    }
    let (status, sentence) = said(plain(&["--socket", &format!("/{long}"), "ls"]));
    assert_eq!(status, Some(125));
    assert!(sentence.contains("is too long for a socket: 107 bytes at most"), "{sentence}");
    let folder_itself = folder.0.to_str().expect("text");
    let (status, sentence) = said(plain(&[folder_itself]));
    assert_eq!(status, Some(126));
    assert!(sentence.contains("cannot be run: Permission denied"), "{sentence}");
}

#[test]
fn a_missing_library_is_no_reason_to_run_without_it() {
    let mut command = plain(&["true"]);
    command.env("ULVS_SHIM", "/nonexistent/libulvs_shim.so");
    let (status, sentence) = said(command);
    assert_eq!(status, Some(125));
    assert!(sentence.starts_with("ulvs-run: the library is missing: there is no /nonexistent"), "{sentence}");
}

#[test]
fn programs_that_would_run_without_the_library_are_refused() {
    let folder = Folder::new();
    // an ELF file of x86-64 or aarch64 without a loader, like a Go program
    let mut header = fs::read("/proc/self/exe").expect("this test")[..64].to_vec();
    header[56..58].copy_from_slice(&[0, 0]);
    fs::write(folder.file("static"), &header).expect("written");
    header[18] ^= 0xff;
    fs::write(folder.file("foreign"), &header).expect("written");
    for (name, why) in [("static", "is statically linked"), ("foreign", "another kind of machine")] {
        fs::set_permissions(folder.file(name), fs::Permissions::from_mode(0o755)).expect("executable");
        let (status, sentence) = said(plain(&[folder.file(name).to_str().expect("text")]));
        assert_eq!(status, Some(126), "{sentence}");
        assert!(sentence.contains(why), "{sentence}");
    }
    fs::copy("/bin/true", folder.file("sudo")).expect("a copy");
    let (status, sentence) = said(plain(&[folder.file("sudo").to_str().expect("text"), "ipvsadm"]));
    assert_eq!(status, Some(126), "{sentence}");
    assert!(sentence.contains("put it first: sudo ulvs-run COMMAND"), "{sentence}");
    let setuid = folder.file("setuid");
    fs::copy("/bin/true", &setuid).expect("a copy");
    if std::os::unix::fs::chown(&setuid, Some(65534), None).is_err() {
        println!("skipped: only root can make another's setuid program");
        return;
    }
    fs::set_permissions(&setuid, fs::Permissions::from_mode(0o4755)).expect("setuid");
    let (status, sentence) = said(plain(&[setuid.to_str().expect("text")]));
    assert_eq!(status, Some(126), "{sentence}");
    assert!(sentence.contains("is setuid or setgid"), "{sentence}");
}

#[test]
fn the_environment_status_and_signals_are_the_commands() {
    let folder = Folder::new();
    let script = "echo $LD_PRELOAD; echo $ULVS_IPVS_SOCKET; exit 42";
    let mut command = under(&folder.file("sock"), &["sh", "-c", script]);
    command.env("LD_PRELOAD", "libc.so.6");
    let expected = format!("libc.so.6:{}\n{}\n", library().display(), folder.file("sock").display());
    assert_eq!(said(command), (Some(42), expected));
    if installed("sleep") {
        let mut child = under(&folder.file("sock"), &["sleep", "60"]).spawn().expect("it starts");
        let name = format!("/proc/{}/comm", child.id());
        common::until("the command in ulvs-run's place", || {
            fs::read_to_string(&name).is_ok_and(|name| name == "sleep\n")
        });
        common::signal(child.id(), Signal::SIGTERM);
        let status = child.wait().expect("it is waited for");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    }
}
