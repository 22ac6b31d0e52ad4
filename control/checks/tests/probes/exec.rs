//! Programs.

use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use ulvs_checks::Share;
use ulvs_checks::probe::Finding;

use crate::servers::Folder;
use crate::{ask, ask_within, eventually, passes, refused};

const ADDRESS: &str = "10.0.0.11:8080";

fn script(folder: &Folder, text: &str) -> String {
    let path = folder.write("check", &format!("#!/bin/sh\n{text}\n"));
    let mode = std::process::Command::new("chmod").arg("755").arg(&path).status();
    assert!(mode.unwrap().success());
    format!("type = \"exec\"\ncommand = [\"{}\", \"{{address}}\", \"{{port}}\", \"a b; c\"]", path.display())
}

#[test]
fn the_exit_status_decides() {
    let folder = Folder::new();
    let address = ADDRESS.parse().unwrap();
    let status = script(&folder, "exit $(cat $(dirname $0)/status)");
    for (written, dynamic, outcome) in [
        ("0", true, Some(Finding::Passed)),
        ("1", true, None),
        ("2", true, Some(Finding::Weighs(Share::Weight(0)))),
        ("255", true, Some(Finding::Weighs(Share::Weight(253)))),
        ("0", false, Some(Finding::Passed)),
        ("2", false, None),
    ] {
        folder.write("status", written);
        let found = ask(&format!("{status}\ndynamic = {dynamic}"), address);
        assert_eq!(found.ok(), outcome, "{written} {dynamic}");
    }
    refused(&script(&folder, "kill -9 $$"), address, "was ended by a signal");
    refused("type = \"exec\"\ncommand = [\"/nonexistent\"]", address, "/nonexistent can't be run: no such file");
}

#[test]
fn a_program_is_told_who_is_meant_and_has_no_shell_between() {
    let folder = Folder::new();
    let told = "[ \"$1 $2 $3\" = '10.0.0.11 8080 a b; c' ] && [ \"$ULVS_REAL_ADDRESS $ULVS_REAL_PORT\" = '10.0.0.11 8080' ] && [ -n \"$PATH\" ]";
    passes(&script(&folder, told), ADDRESS.parse().unwrap());
}

#[test]
fn what_takes_too_long_is_killed_with_all_its_children() {
    let folder = Folder::new();
    let hangs =
        script(&folder, "sleep 1000 & echo $! >$(dirname $0)/new; mv $(dirname $0)/new $(dirname $0)/pid; wait");
    let started = folder.0.join("pid");
    // as long as it takes to start on a busy machine
    let mut limit = Duration::from_millis(50);
    while !started.exists() {
        assert_eq!(ask_within(&hangs, ADDRESS.parse().unwrap(), limit), None);
        limit *= 2;
    }
    let child: i32 = std::fs::read_to_string(started).unwrap().trim().parse().unwrap();
    eventually("the grandchild is gone", || {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
        // nobody may wait for it in a container: a zombie is dead, too
        kill(Pid::from_raw(child), None).is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
    });
}
