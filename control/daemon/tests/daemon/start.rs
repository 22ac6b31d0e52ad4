//! A start that fails is one sentence with a remedy, and exit status 1.

use std::process::Command;

use crate::rig::{Rig, ULVSD, Ulvsd, eventually};

/// What ulvsd says when it does not start.
fn refused(ulvsd: Ulvsd) -> String {
    let (status, log) = ulvsd.end();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{log}");
    errors[0].to_owned()
}

/// With this in the file instead of that, ulvsd names all of these.
fn says(rig: &Rig, change: (&str, &str), words: &[&str]) {
    let file = rig.file();
    assert!(file.contains(change.0), "{}", change.0);
    let error = refused(rig.spawn(&file.replacen(change.0, change.1, 1)));
    println!("{error}");
    for word in words {
        assert!(error.contains(word), "{word} in: {error}");
    }
    assert!(!rig.has_link("ulvs0") || change.0.contains("ulvs0"), "a TAP is left");
    assert!(!rig.socket().exists(), "the socket is left");
}

#[test]
fn devices_that_are_not_there() {
    let Some(rig) = Rig::new() else { return };
    let device = "net_null0,no-rx=1";
    says(
        &rig,
        (device, "net_af_packet0,iface=nosuch"),
        &["net_af_packet0,iface=nosuch", "see that what it names exists"],
    );
    says(&rig, (device, "net_nosuch0"), &["net_nosuch0"]);
    says(&rig, (device, "0000:99:00.0"), &["0000:99:00.0"]);
}

#[test]
fn queues_and_cores_that_are_not_there() {
    let Some(rig) = Rig::new() else { return };
    says(&rig, ("cores = [0]", "cores = [999]"), &["core 999", "`cores` of [workers]"]);
    let file = rig.file().replacen("net_null0,no-rx=1", "net_af_packet0,iface=lo", 1);
    let file = file.replacen("memory = 64", "memory = 256", 1);
    let error = refused(rig.spawn(&file.replacen("cores = [0]", "cores = [0, 1]", 1)));
    assert!(error.contains("qpairs=2") || error.contains("no worker can have core 1"), "{error}");
}

#[test]
fn memory_that_is_not_there() {
    let Some(rig) = Rig::new() else { return };
    let change = ("huge_pages = false\nmemory = 64", "huge_pages = true\nmemory = 1000000");
    says(&rig, change, &["1000000 MiB of huge pages", "scripts/host/hugepages"]);
    says(&rig, ("memory = 64", "memory = 64\npackets = 200000"), &["`memory` of [dpdk] is 64 MiB", "give it more"]);
}

#[test]
fn jumbo_frames() {
    let Some(rig) = Rig::new() else { return };
    let file = rig.file().replacen("memory = 64", "memory = 64\npackets = 4095", 1);
    let ulvsd = rig.start(&file.replacen("tap = ", "mtu = 9000\ntap = ", 1));
    ulvsd.wait_for("MTU 9000");
    assert!(rig.ip("link show ulvs0").contains("mtu 9000"));
    ulvsd.wait_for("forwarding: 1 service, 1 worker on core 0");
    assert_eq!(ulvsd.count("hugepages reported"), 0);
}

#[test]
fn a_tap_whose_name_is_taken() {
    let Some(rig) = Rig::new() else { return };
    rig.ip("tuntap add ulvs0 mode tap");
    says(&rig, ("tap = \"ulvs0\"", "tap = \"ulvs0\""), &["`ulvs0` exists already", "ip link del ulvs0"]);
    rig.ip("link del ulvs0");
    says(&rig, ("tap = \"ulvs0\"", "tap = \"lo\""), &["`lo` exists already"]);
}

#[test]
fn a_kernel_without_taps() {
    let Some(rig) = Rig::new() else { return };
    let path = rig.write(rig.file());
    let script = format!("mount -t tmpfs none /dev/net && exec {ULVSD} --config {}", path.display());
    let error = refused(Ulvsd::spawn(rig.command(&["unshare", "-m", "sh", "-c", &script])));
    assert!(error.contains("modprobe tun"), "{error}");
}

#[test]
fn a_user_without_rights() {
    let Some(rig) = Rig::new() else { return };
    let path = rig.write(rig.file());
    // A build folder may be closed to others.
    let program = rig.path("ulvsd");
    std::fs::copy(ULVSD, &program).unwrap();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let words = [&nobody[..], &[program.to_str().unwrap(), "--config", path.to_str().unwrap()]].concat();
    let error = refused(Ulvsd::spawn(rig.command(&words)));
    println!("{error}");
    assert!(error.contains("run as root"), "{error}");
    let closed = rig.path("closed");
    std::fs::create_dir(&closed).unwrap();
    rig.write(rig.file().replacen("api.sock", "closed/api.sock", 1));
    let error = refused(Ulvsd::spawn(rig.command(&words)));
    assert!(error.contains("(Permission denied): run ulvsd as root, or choose another `socket` in [api]"), "{error}");
}

#[test]
fn sockets_that_are_in_use() {
    let Some(rig) = Rig::new() else { return };
    let first = rig.start(&rig.file());
    let error = refused(rig.spawn(&rig.file()));
    assert!(error.contains("another ulvsd answers on"), "{error}");
    let error = refused(rig.spawn(&rig.file().replacen("api.sock", "other.sock", 1)));
    assert!(error.contains("choose another `listen` in [metrics]"), "{error}");
    // The first has noticed nothing.
    assert_eq!(rig.ask("/v1/status").0, 200);
    drop(first);
}

/// Both find the socket of one that was killed; only one may take its place.
#[test]
fn two_that_start_at_once() {
    let Some(rig) = Rig::new() else { return };
    let mut killed = rig.start(&rig.file());
    killed.kill();
    assert!(rig.socket().exists());
    // The metrics' address and the TAP would keep the second from starting, too.
    let file = rig.file().replacen("127.0.0.1:9477", "off", 1).replacen("tap = \"ulvs0\"", "tap = false", 1);
    rig.write(&file);
    let both = [rig.spawn_again(), rig.spawn_again()];
    let refused = |ulvsd: &Ulvsd| ulvsd.count("another ulvsd answers on");
    eventually("one is refused", || both.iter().map(refused).sum::<usize>() == 1);
    both.iter().find(|ulvsd| refused(ulvsd) == 0).unwrap().wait_for("forwarding:");
    assert_eq!(rig.ask("/v1/status").0, 200);
}

#[test]
fn an_interface_the_kernel_answers_on() {
    let Some(rig) = Rig::new() else { return };
    rig.ip("link add wan type veth peer name far");
    rig.ip("addr add 198.51.100.1/24 dev wan");
    rig.ip("link set wan up");
    let file = rig.file().replacen("net_null0,no-rx=1", "net_af_packet0,iface=wan", 1);
    let ulvsd = rig.start(&file);
    ulvsd.wait_for("port wan: the kernel answers on wan as well as ulvsd does (it has the address 198.51.100.1");
    // The service's address is on no port either.
    ulvsd.wait_for("on no port yet: 192.0.2.100;");
}

#[test]
fn a_file_in_the_sockets_place_is_kept() {
    let Some(rig) = Rig::new() else { return };
    std::fs::write(rig.socket(), "precious").unwrap();
    let error = refused(rig.spawn(&rig.file()));
    assert!(error.contains("choose another `socket` in [api]"), "{error}");
    assert_eq!(std::fs::read_to_string(rig.socket()).unwrap(), "precious");
}

#[test]
fn a_broken_file() {
    let Some(rig) = Rig::new() else { return };
    let (status, log) = rig.spawn("[workers]\ncores = [0, 0]\n").end();
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("core 0 is listed twice"), "{log}");
    let output = Command::new(ULVSD).args(["--config", "/nonexistent/ulvs.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

/// Its code is, and nothing large that it maps later.
#[test]
fn the_program_stays_in_memory() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    let status = std::fs::read_to_string(format!("/proc/{}/status", ulvsd.pid())).unwrap();
    let kib = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let (locked, code) = (kib("VmLck:"), kib("VmExe:"));
    if locked == 0 {
        println!("skipped: memory can't be locked here");
        return;
    }
    assert!((code..code + (128 << 10)).contains(&locked), "{locked} KiB are locked, {code} of code");
}
