//! Every pick of a scheduler that a running kernel made, with weights, thresholds, flags, edits, removals and returns between
//! them. Here a firewall mark is the address 0.0.0.0's port: which packets are a service's is not these tests' affair.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::Deserialize;
use ulvs_model::{
    Destination, ForwardMethod, Protocol, SchedulerFlags, SchedulerKind, ServiceKey, ServiceSettings, Thresholds,
    Weight,
};
use ulvs_wire::{Family, FlowKey};

use super::Request;
use crate::shared::{Capacity, Shared};
use crate::snapshot::Compiler;
use crate::time::Ticks;

#[derive(Debug, Deserialize)]
struct Scenario {
    #[serde(rename = "scenario")]
    name: String,
    ipvsadm: Vec<String>,
    packets: Vec<Step>,
    chosen: Vec<Option<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Step {
    Command { ipvsadm: String },
    Packet { src: IpAddr, sport: u16, dst: IpAddr, dport: u16, proto: String },
}

fn run(compiler: &mut Compiler, command: &str) -> ServiceKey {
    let mut words = command.split_whitespace().skip(1);
    let action = words.next().unwrap();
    let mut key = None;
    let mut settings = ServiceSettings::default();
    let (mut server, mut weight, mut upper) = (None, 1, 0);
    while let Some(option) = words.next() {
        if option == "-m" {
            continue;
        }
        let value = words.next().unwrap();
        match option {
            "-t" => key = Some(ServiceKey::new(Protocol::Tcp, value.parse().unwrap())),
            "-u" => key = Some(ServiceKey::new(Protocol::Udp, value.parse().unwrap())),
            "-f" => {
                let mark = SocketAddr::new([10, 0, 3, 0].into(), value.parse().unwrap());
                key = Some(ServiceKey::new(Protocol::Tcp, mark));
            }
            "-r" => server = Some(value.parse::<SocketAddr>().unwrap()),
            "-s" => settings.scheduler = value.parse::<SchedulerKind>().unwrap(),
            "-b" => {
                for name in value.split(',') {
                    let flag = SchedulerFlags::named(settings.scheduler, name).unwrap();
                    settings.scheduler_flags = settings.scheduler_flags.and(flag);
                }
            }
            "-w" => weight = value.parse().unwrap(),
            "-x" => upper = value.parse().unwrap(),
            _ => panic!("{command}"),
        }
    }
    let (key, weight) = (key.unwrap(), Weight::new(weight).unwrap());
    let method = ForwardMethod::Nat;
    let thresholds = Thresholds::new(upper, 0).unwrap();
    let one = server.map(|address| Destination { address, method, weight, thresholds });
    match action {
        "-A" => compiler.new_service(key, settings),
        "-E" => compiler.edit_service(key, settings),
        "-a" => compiler.add_destination(key, one.unwrap()),
        "-e" => compiler.edit_destination(key, one.unwrap()),
        "-d" => compiler.remove_destination(key, server.unwrap()),
        _ => panic!("{command}"),
    }
    .unwrap();
    key
}

fn play(file: &str) -> (usize, usize) {
    let text = std::fs::read_to_string(format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let scenarios: Vec<Scenario> = serde_json::from_str(&text).unwrap();
    let mut picks = 0;
    for scenario in &scenarios {
        let shared =
            Arc::new(Shared::new(Capacity { connections: 64, destinations: 64, workers: 1 }, [1, 2, 3]).unwrap());
        let mut compiler = Compiler::new(Arc::clone(&shared));
        let key = scenario.ipvsadm.iter().map(|command| run(&mut compiler, command)).last().unwrap();
        for (at, (step, chosen)) in scenario.packets.iter().zip(&scenario.chosen).enumerate() {
            let (src, sport, dst, dport, proto) = match step {
                Step::Command { ipvsadm } => {
                    run(&mut compiler, ipvsadm);
                    continue;
                }
                Step::Packet { src, sport, dst, dport, proto } => (*src, *sport, *dst, *dport, proto),
            };
            let tcp = proto == "tcp";
            let protocol = if tcp { 6 } else { 17 };
            let flow = FlowKey::new(protocol, Family::of(src), (src.into(), sport), (dst.into(), dport));
            let snapshot = compiler.snapshot();
            let service = snapshot
                .services
                .find(key.vip().into(), key.address.port(), key.protocol.number(), Family::of(key.vip()))
                .unwrap();
            let request = Request { key: &flow, worker: 0, live: &shared.live, now: Ticks(0) };
            let picked = service.pick(&request).map(|id| {
                shared.live.opened(id, tcp);
                let status = compiler.service(key).unwrap();
                status.destinations.iter().find(|one| one.id == id).unwrap().destination.address.ip()
            });
            let picked = picked.map_or("icmp3/3".to_owned(), |ip| ip.to_string());
            assert_eq!(Some(&picked), chosen.as_ref(), "{} packet {at}", scenario.name);
            picks += 1;
        }
    }
    (scenarios.len(), picks)
}

#[test]
fn recordings() {
    for (file, expected) in [
        ("sched-rr.json", (7, 77)),
        ("sched-wrr.json", (11, 417)),
        ("sched-lc.json", (20, 1364)),
        ("sched-hash.json", (44, 5228)),
        ("sched-lbl.json", (10, 494)),
        ("sched-thr.json", (15, 464)),
        ("sched-v6.json", (5, 600)),
    ] {
        assert_eq!(play(file), expected, "{file}");
    }
}
