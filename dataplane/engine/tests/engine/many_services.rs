//! Many services: what new connections need is looked for ahead, and nothing else may differ.

use ulvs_engine::{BURST, Capacity, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Sent, Side, sent};
use crate::frames::{ACK, Flow, SYN};

/// More than are looked up one by one.
const MANY: u16 = 2500;

/// Services whose bursts are compared: by address, by all ports of one, and by a mark.
fn director(scheduler: &str, others: u16) -> Director {
    let mut director = Director::with(Capacity { connections: 16_384, destinations: 256, workers: 1 });
    director.ipvsadm(&format!("ipvsadm -A -t 10.0.1.100:80 -s {scheduler}"));
    director.ipvsadm(&format!("ipvsadm -A -t 10.0.1.100:0 -s {scheduler} -p 60"));
    director.ipvsadm(&format!("ipvsadm -A -u 10.0.1.100:80 -s {scheduler} -o"));
    for host in 11..=17 {
        let weight = host % 3 + 1;
        director.ipvsadm(&format!("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.{host}:80 -m -w {weight}"));
        director.ipvsadm(&format!("ipvsadm -a -t 10.0.1.100:0 -r 10.0.2.{host}:0 -m -w {weight}"));
    }
    director.ipvsadm("ipvsadm -a -u 10.0.1.100:80 -r 10.0.2.11:80 -m");
    for port in 0..others {
        director.ipvsadm(&format!("ipvsadm -A -t 10.0.1.101:{} -s {scheduler}", 1000 + port));
    }
    director
}

/// Bursts of new connections, some of which come twice, with packets of others among them.
fn burst(number: u32) -> Vec<(Protocol, u32, u16, u8)> {
    let burst = u32::try_from(BURST).unwrap();
    (0..burst)
        .map(|at| {
            let client = number * burst + at;
            match at % 8 {
                0 => (Protocol::Tcp, client, 443, SYN),
                1 => (Protocol::Udp, client, 80, 0),
                2 => (Protocol::Tcp, client - 2, 443, SYN),
                3 => (Protocol::Udp, client, 81, 0),
                4 => (Protocol::Tcp, client, 80, ACK),
                _ => (Protocol::Tcp, client / 2, 80, SYN),
            }
        })
        .collect()
}

fn play(director: &mut Director, number: u32) -> Vec<(Verdict, Option<Sent>)> {
    let frame = |(protocol, client, port, flags): (Protocol, u32, u16, u8)| {
        let [_, _, b, c] = client.to_be_bytes();
        let flow = Flow::new(protocol, &format!("10.99.{b}.{c}:1234"), &format!("10.0.1.100:{port}"));
        Director::frame(Side::Client, &flow.packet(flags, b"x"))
    };
    let mut frames: Vec<_> = burst(number).into_iter().map(frame).collect();
    let verdicts = director.burst(0, Side::Client, &mut frames);
    verdicts.into_iter().zip(&frames).map(|(verdict, frame)| (verdict, sent(verdict, frame))).collect()
}

#[test]
fn each_is_scheduled_as_if_it_were_alone() {
    for scheduler in ["rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "dh", "sh", "mh", "lblc", "lblcr"] {
        let (mut alone, mut among_many) = (director(scheduler, 0), director(scheduler, MANY));
        for number in 0..20 {
            assert_eq!(play(&mut among_many, number), play(&mut alone, number), "{scheduler}, burst {number}");
        }
    }
}
