//! Programs as distributions ship them, unmodified. Those that are not installed are skipped, with a line that says so.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use common::director::Director;
use common::listing::{self, End};
use common::{Folder, Running, installed, output, run, signal, text, under, until};

const NEW_SERVICE: u8 = 1;
const DEL_SERVICE: u8 = 3;
const NEW_DEST: u8 = 5;
const DEL_DEST: u8 = 7;
const FLUSH: u8 = 17;

/// Exit status, output and errors of a command.
fn outcome(command: Command) -> (Option<i32>, String, String) {
    let output = output(command);
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn ipvsadm_lists_adds_and_clears() {
    if !installed("ipvsadm") {
        return;
    }
    let folder = Folder::new();
    let director = Director::new(&folder.file("sock"));
    let ipvsadm = |arguments: &str| {
        let words: Vec<&str> = ["ipvsadm"].into_iter().chain(arguments.split_whitespace()).collect();
        outcome(under(&folder.file("sock"), &words))
    };
    let (status, listed, errors) = ipvsadm("-Ln");
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    assert!(listed.starts_with("IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port"), "{listed}");
    for arguments in ["-A -t 192.0.2.1:80 -s rr", "-a -t 192.0.2.1:80 -r 192.0.2.9:80 -g", "-C"] {
        assert_eq!(ipvsadm(arguments), (Some(0), String::new(), String::new()), "{arguments}");
    }
    let changes: Vec<u8> = director.commands().into_iter().filter(|command| *command < 4 || *command == 5).collect();
    assert_eq!(changes, [NEW_SERVICE, NEW_DEST]);
    assert_eq!(director.commands().last(), Some(&FLUSH));
}

#[test]
fn ipvsadm_lists_connections_from_ulvsds_file() {
    if !installed("ipvsadm") {
        return;
    }
    let folder = Folder::new();
    let _director = Director::new(&folder.file("sock"));
    let listing = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n\
                   TCP C0000201 D431 C0000202 0050 C0000203 0050 ESTABLISHED     899\n";
    listing::tell(&folder.file("ip_vs_conn.sock"), listing, End::Whole);
    let mut command = under(&folder.file("sock"), &["ipvsadm", "-Lnc"]);
    command.env("ULVS_PROC", &folder.0);
    let (status, listed, _) = outcome(command);
    assert_eq!(status, Some(0));
    assert!(listed.contains("TCP 14:59  ESTABLISHED 192.0.2.1:54321    192.0.2.2:80       192.0.2.3:80"), "{listed}");
}

#[test]
fn without_ulvsd_ipvsadm_fails_as_on_a_kernel_without_ipvs() {
    if !installed("ipvsadm") {
        return;
    }
    let folder = Folder::new();
    let (status, listed, errors) = outcome(under(&folder.file("none"), &["ipvsadm", "-Ln"]));
    assert_eq!((status, listed.as_str()), (Some(2), ""));
    // ipvsadm tries `modprobe ip_vs` first, which has words of its own where it is installed.
    let own: Vec<_> = errors.lines().filter(|line| !line.starts_with("modprobe: ")).collect();
    assert_eq!(
        own,
        [
            "Can't initialize ipvs: Protocol not available",
            "Are you sure that IP Virtual Server is built in the kernel or as module?"
        ]
    );
}

#[test]
fn an_ulvsd_that_dies_at_a_request_leaves_nobody_waiting() {
    if !installed("ipvsadm") {
        return;
    }
    let folder = Folder::new();
    let _director = Director::that_dies_at(&folder.file("sock"), NEW_SERVICE);
    let (status, _, errors) = outcome(under(&folder.file("sock"), &["ipvsadm", "-A", "-t", "192.0.2.1:80"]));
    assert_ne!(status, Some(0), "{errors}");
    assert_ne!(errors, "");
}

#[test]
fn a_request_that_an_ulvsd_dies_at_is_asked_of_the_next_one() {
    if !installed("ipvsadm") {
        return;
    }
    let folder = Folder::new();
    let director = Director::that_dies_times_at(&folder.file("sock"), 3, NEW_SERVICE);
    let (status, _, errors) = outcome(under(&folder.file("sock"), &["ipvsadm", "-A", "-t", "192.0.2.1:80"]));
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let mut commands = director.commands();
    commands.retain(|command| *command == NEW_SERVICE);
    assert_eq!(commands, [NEW_SERVICE; 4]);
}

/// What lists the same with the library as without.
#[test]
fn other_programs_say_what_they_say_without_it() {
    let folder = Folder::new();
    for words in [
        // in namespaces of their own: others may add interfaces to this one meanwhile
        &["unshare", "--net", "ip", "-brief", "link"][..],
        &[
            "unshare",
            "--net",
            "sh",
            "-c",
            "ip link set lo up && ip addr add 192.0.2.1/32 dev lo && ip addr && ip route",
        ],
        &["ip", "addr", "show", "dev", "lo"],
        &["genl", "ctrl", "list"],
        &["genl", "ctrl", "get", "name", "nlctrl"],
        &["ls", "/proc/net/"],
        &["cat", "/proc/sys/kernel/ostype"],
        &["sh", "-c", "ls / | wc -l; (exit 3)"],
    ] {
        if !installed(words[0]) {
            continue;
        }
        let mut plain = Command::new(words[0]);
        plain.args(&words[1..]).stdin(Stdio::null());
        assert_eq!(outcome(under(&folder.file("none"), words)), outcome(plain), "{words:?}");
    }
}

const CONFIGURATION: &str = "\
virtual_server 192.0.2.1 80 {
    delay_loop 1
    lb_algo rr
    lb_kind DR
    persistence_timeout 50
    protocol TCP
    real_server 192.0.2.11 80 {
        weight 1
    }
    real_server 127.0.0.1 9 {
        weight 1
        TCP_CHECK {
            connect_timeout 1
            retry 0
            delay_before_retry 1
        }
    }
}
virtual_server 192.0.2.2 53 {
    delay_loop 1
    lb_algo wlc
    lb_kind NAT
    protocol UDP
    real_server 192.0.2.12 53 {
        weight 2
    }
}
";

/// keepalived in a network namespace of its own; `None`, and a line that says so, where that cannot be.
fn keepalived(folder: &Folder, socket: &Path) -> Option<Running> {
    let allowed = Command::new("unshare").args(["--net", "true"]).status().is_ok_and(|status| status.success());
    if !installed("keepalived") || !allowed {
        println!("skipped: needs keepalived, unshare and the right to make a network namespace; run as root");
        return None;
    }
    fs::write(folder.file("keepalived.conf"), CONFIGURATION).expect("written");
    let log = fs::File::create(folder.file("log")).expect("a log");
    let mut process = Command::new("unshare");
    process.args(["--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]).arg(run());
    process.arg("--socket").arg(socket).args([
        "keepalived",
        "--dont-fork",
        "--log-console",
        "--log-detail",
        "--no-syslog",
        "-C",
    ]);
    for (option, name) in [("--use-file", "keepalived.conf"), ("--pid", "pid"), ("--checkers_pid", "checkers")] {
        process.arg(option).arg(folder.file(name));
    }
    process.env("ULVS_SHIM", common::library()).stdin(Stdio::null());
    process.stdout(log.try_clone().expect("a log")).stderr(log);
    Some(Running(process.spawn().expect("keepalived starts")))
}

fn count(director: &Director, command: u8) -> usize {
    director.commands().split(|&one| one == command).count() - 1
}

fn log(folder: &Folder) -> String {
    fs::read_to_string(folder.file("log")).unwrap_or_default()
}

#[test]
fn keepalived_comes_up_checks_reloads_and_stops() {
    let folder = Folder::new();
    let director = Director::new(&folder.file("sock"));
    let Some(mut running) = keepalived(&folder, &folder.file("sock")) else { return };
    let came = |what, command, times| {
        until(&format!("{what}\n{}", log(&folder)), || count(&director, command) >= times);
    };
    came("services", NEW_SERVICE, 2);
    came("destinations", NEW_DEST, 3);
    came("the failed check", DEL_DEST, 1);

    let third = CONFIGURATION.replace("192.0.2.12", "192.0.2.13");
    fs::write(folder.file("keepalived.conf"), third).expect("written");
    signal(running.0.id(), Signal::SIGHUP);
    came("the destination of the reload", NEW_DEST, 4);
    came("the one it replaces", DEL_DEST, 2);

    signal(running.0.id(), Signal::SIGTERM);
    let status = running.0.wait().expect("keepalived is waited for");
    assert_eq!(status.code(), Some(0), "{}", log(&folder));
    assert_eq!(count(&director, DEL_SERVICE), 2, "{}", log(&folder));
}

#[test]
fn keepalived_outlives_an_ulvsd_that_is_started_anew() {
    let folder = Folder::new();
    let director = Director::new(&folder.file("sock"));
    let Some(mut running) = keepalived(&folder, &folder.file("sock")) else { return };
    until("the failed check", || count(&director, DEL_DEST) >= 1);
    drop(director);
    let director = Director::new(&folder.file("sock"));
    signal(running.0.id(), Signal::SIGTERM);
    assert_eq!(running.0.wait().expect("keepalived is waited for").code(), Some(0), "{}", log(&folder));
    assert_eq!(count(&director, DEL_SERVICE), 2, "the new ulvsd is told\n{}", log(&folder));
}

#[test]
fn what_keepalived_changes_while_ulvsd_is_started_anew_is_not_lost() {
    let folder = Folder::new();
    let director = Director::new(&folder.file("sock"));
    let Some(running) = keepalived(&folder, &folder.file("sock")) else { return };
    until("the failed check", || count(&director, DEL_DEST) >= 1);
    drop(director);
    let third = CONFIGURATION.replace("192.0.2.12", "192.0.2.13");
    fs::write(folder.file("keepalived.conf"), third).expect("written");
    signal(running.0.id(), Signal::SIGHUP);
    until("the reload", || log(&folder).contains("Reinitializing ipvs"));
    let director = Director::new(&folder.file("sock"));
    let changed = || count(&director, NEW_DEST) == 1 && count(&director, DEL_DEST) == 1;
    until(&format!("the changes of the reload\n{}", log(&folder)), changed);
}

#[test]
fn without_ulvsd_keepalived_ends_as_on_a_kernel_without_ipvs() {
    let folder = Folder::new();
    let Some(mut running) = keepalived(&folder, &folder.file("none")) else { return };
    assert_eq!(running.0.wait().expect("keepalived is waited for").code(), Some(1), "{}", log(&folder));
    assert!(log(&folder).contains("IPVS: Can't initialize ipvs"), "{}", log(&folder));
}

#[test]
fn keepalived_checks_its_configuration() {
    if !installed("keepalived") {
        return;
    }
    let folder = Folder::new();
    fs::write(folder.file("good"), CONFIGURATION).expect("written");
    fs::write(folder.file("bad"), "virtual_server 192.0.2.1 80 {\n    no_such_word 1\n}\n").expect("written");
    for name in ["good", "bad"] {
        let path = folder.file(name);
        let words = ["--config-test", "-C", "--use-file", path.to_str().expect("text")];
        let mut plain = Command::new("keepalived");
        plain.args(words).stdin(Stdio::null());
        let shimmed = [&["keepalived"][..], &words].concat();
        assert_eq!(outcome(under(&folder.file("none"), &shimmed)), outcome(plain), "{name}");
    }
}

/// The example server of the crate of IPVS's protocol, where it was built.
fn standalone(socket: &Path) -> Option<Running> {
    let built: PathBuf = run().with_file_name("examples").join("standalone");
    if !built.exists() {
        println!("skipped: {} is not built: cargo build -p ulvs-ipvs --examples", built.display());
        return None;
    }
    let running = Running(Command::new(built).arg(socket).stdin(Stdio::null()).spawn().expect("it starts"));
    until("the server's socket", || socket.exists());
    Some(running)
}

#[test]
fn what_ipvsadm_saves_it_restores() {
    let folder = Folder::new();
    if !installed("ipvsadm") {
        return;
    }
    let Some(_server) = standalone(&folder.file("sock")) else { return };
    let ipvsadm = |arguments: &str| {
        let words: Vec<&str> = ["ipvsadm"].into_iter().chain(arguments.split_whitespace()).collect();
        let (status, said, errors) = outcome(under(&folder.file("sock"), &words));
        assert_eq!((status, errors.as_str()), (Some(0), ""), "{arguments}");
        said
    };
    for arguments in [
        "-A -t 192.0.2.1:80 -s wrr -p 50",
        "-a -t 192.0.2.1:80 -r 192.0.2.11:80 -g -w 3",
        "-a -t 192.0.2.1:80 -r 192.0.2.12:80 -i",
        "-A -u [2001:db8::1]:53 -s sh",
        "-a -u [2001:db8::1]:53 -r [2001:db8::11]:53 -m",
        "-A -f 7 -s lc",
    ] {
        assert_eq!(ipvsadm(arguments), "", "{arguments}");
    }
    let saved = ipvsadm("-Sn");
    assert_eq!(saved.lines().count(), 6, "{saved}");
    assert!(saved.contains("-a -t 192.0.2.1:80 -r 192.0.2.11:80 -g -w 3"), "{saved}");
    ipvsadm("-C");
    assert_eq!(ipvsadm("-Sn"), "");
    fs::write(folder.file("saved"), &saved).expect("written");
    let mut restore = under(&folder.file("sock"), &["ipvsadm", "-R"]);
    restore.stdin(fs::File::open(folder.file("saved")).expect("saved"));
    assert_eq!(outcome(restore), (Some(0), String::new(), String::new()));
    assert_eq!(ipvsadm("-Sn"), saved);
}

#[test]
fn keepalived_s_services_are_listed_by_ipvsadm() {
    let folder = Folder::new();
    if !installed("ipvsadm") {
        return;
    }
    let Some(_server) = standalone(&folder.file("sock")) else { return };
    let Some(mut running) = keepalived(&folder, &folder.file("sock")) else { return };
    let saved = || outcome(under(&folder.file("sock"), &["ipvsadm", "-Sn"])).1;
    let expected = "-A -t 192.0.2.1:80 -s rr -p 50\n\
                    -a -t 192.0.2.1:80 -r 192.0.2.11:80 -g -w 1\n\
                    -A -u 192.0.2.2:53 -s wlc\n\
                    -a -u 192.0.2.2:53 -r 192.0.2.12:53 -m -w 2\n";
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        lines.sort();
        lines
    };
    until("the services without the dead destination", || sorted(&saved()) == sorted(expected));
    signal(running.0.id(), Signal::SIGTERM);
    assert_eq!(running.0.wait().expect("keepalived is waited for").code(), Some(0), "{}", log(&folder));
    assert_eq!(saved(), "");
}
