//! How long things take among 10,000 services with 10 real servers each. A measurement, not a check of this machine:
//! `cargo test --release -p ulvs-daemon --test daemon scale -- --ignored --nocapture`, or with `ULVSD` naming the program to measure.

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use crate::netlink::{Netlink, destination, service};
use crate::rig::{Rig, eventually, processor_time};

const SERVICES: u32 = 10_000;
const EACH: u32 = 10;
/// Changes that are measured.
const CHANGES: u32 = 1_000;

fn address(service: u32) -> [u8; 4] {
    (0xc612_0000 + service).to_be_bytes()
}

fn server(service: u32, number: u32) -> [u8; 4] {
    (0x0a00_0001 + (service * EACH + number) % 1_000).to_be_bytes()
}

fn services(weight: u32) -> String {
    let ip = |[a, b, c, d]: [u8; 4]| format!("{a}.{b}.{c}.{d}");
    let mut text = String::new();
    for number in 0..SERVICES {
        let vip = ip(address(number));
        writeln!(text, "[[service]]\naddress = \"{vip}:80\"\nprotocol = \"tcp\"\nscheduler = \"wrr\"").unwrap();
        for at in 0..EACH {
            let real = ip(server(number, at));
            let weight = if number == 7 { weight } else { 1 };
            let table = "[[service.real_server]]";
            writeln!(text, "{table}\naddress = \"{real}:80\"\nmethod = \"nat\"\nweight = {weight}").unwrap();
        }
    }
    text
}

fn times(what: &str, mut taken: Vec<Duration>) {
    taken.sort_unstable();
    let (median, tail) = (taken[taken.len() / 2], taken[taken.len() * 99 / 100]);
    println!("{what}: median {median:?}, 99 % {tail:?}, longest {:?} of {}", taken[taken.len() - 1], taken.len());
}

#[test]
#[ignore = "a measurement"]
fn many_services() {
    let Some(rig) = Rig::new() else { return };
    for poll in ["busy", "adaptive"] {
        let file = rig.file().replacen("adaptive", poll, 1).replacen(
            "[destinations]\ncapacity = 1024",
            "[destinations]\ncapacity = 262144",
            1,
        );
        let _ = fs::remove_dir_all(rig.path("state"));
        let _ = fs::remove_dir_all(rig.path("ulvs.d"));
        let began = Instant::now();
        let ulvsd = rig.start(&file);
        println!("{poll}: start with 1 service: {:?}, processor {:?}", began.elapsed(), processor_time(ulvsd.pid()));
        fs::create_dir(rig.path("ulvs.d")).unwrap();
        let apply = |what: &str, weight| {
            fs::write(rig.path("ulvs.d/many.toml"), services(weight)).unwrap();
            let (began, before) = (Instant::now(), processor_time(ulvsd.pid()));
            assert_eq!(rig.post("/v1/apply", "").0, 200);
            let (elapsed, processor) = (began.elapsed(), processor_time(ulvsd.pid()).saturating_sub(before));
            println!("{poll}: {what}: {elapsed:?}, processor, workers included, {processor:?}");
        };
        apply("10,000 services x 10 real servers loaded into the running director", 1);
        apply("ten weights changed in the file, all of it read again", 2);

        let netlink = Netlink::connect(&rig);
        let edit = |number: u32| {
            let (at, weight) = (number * 7 % SERVICES, i32::try_from(number).unwrap() % 50 + 2);
            let attributes = [service(address(at), ""), destination(server(at, number % EACH), weight)];
            let began = Instant::now();
            assert_eq!(netlink.command(6, &attributes), 0);
            began.elapsed()
        };
        times(
            &format!("{poll}: a weight over netlink, until all workers forward with it"),
            (1..=CHANGES).map(edit).collect(),
        );
        let shown = || fs::read_to_string(rig.path("state/services.json")).unwrap_or_default();
        eventually("the edits are kept", || shown().matches("\"now\"").count() >= CHANGES as usize - 2);
        let kept = |number: u32| {
            let before = fs::metadata(rig.path("state/services.json")).unwrap().modified().unwrap();
            edit(CHANGES + number);
            let began = Instant::now();
            eventually("it is kept", || {
                fs::metadata(rig.path("state/services.json")).is_ok_and(|now| now.modified().unwrap() != before)
            });
            began.elapsed()
        };
        times(&format!("{poll}: from the answer until it is kept"), (1..20).map(kept).collect());
        ulvsd.signal("TERM");
        assert!(ulvsd.end().0.success());
        let began = Instant::now();
        let ulvsd = rig.start(&file);
        let (elapsed, processor) = (began.elapsed(), processor_time(ulvsd.pid()));
        println!("{poll}: start with all of them and what was kept: {elapsed:?}, processor {processor:?}");
    }
}
