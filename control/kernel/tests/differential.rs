//! Whatever happens in the kernel, a mirror that followed it says the same as one that starts afterwards.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in helpers too")]

mod common;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use common::{in_namespace, ip, mirror, tap, until};

/// Numbers that look random and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap();
        choices[index]
    }
}

/// A line for `ip -batch`; some are refused, which is as good.
fn command(numbers: &mut Numbers) -> String {
    let (device, host) = (numbers.of(&["ulvs0", "ulvs1", "elsewhere"]), numbers.below(4) + 2);
    let add = numbers.of(&["add", "del", "replace", "append", "change"]);
    let metric = numbers.of(&["", "metric 5", "metric 9"]);
    let net = numbers.below(4);
    match numbers.below(12) {
        0 => format!("link set {device} {}", numbers.of(&["up", "down", "mtu 1400", "mtu 1500"])),
        1 => format!("addr {} 10.{net}.0.1/16 dev {device}", numbers.of(&["add", "add", "del"])),
        2 => format!("addr {} 2001:db8:{net}::1/64 dev {device} nodad", numbers.of(&["add", "add", "del"])),
        3 => format!("route {add} 192.0.2.0/24 via 10.{net}.0.{host} {metric} src 10.{net}.0.1"),
        4 => format!("route {add} 198.51.100.0/24 via 10.{net}.0.{host} {metric}"),
        5 => format!("route {add} default via inet6 2001:db8:{net}::{host} dev {device} {metric}"),
        6 => format!("route {add} default nexthop via 10.0.0.{host} nexthop via 10.1.0.{host} weight 3"),
        7 => format!("-6 route {add} 2001:db8:f::/48 via 2001:db8:{net}::{host} {metric}"),
        8 => format!("-6 route {add} default nexthop via 2001:db8:0::{host} nexthop via 2001:db8:1::{host}"),
        9 => format!("route {add} {} 203.0.113.0/24 {metric}", numbers.of(&["blackhole", "unreachable", "prohibit"])),
        10 => format!("neigh {add} 10.{net}.0.{host} lladdr 02:00:00:00:00:0{host} dev {device} nud permanent"),
        _ => format!("neigh {add} 2001:db8:{net}::{host} lladdr 02:00:00:00:00:0{host} dev {device} nud permanent"),
    }
}

#[test]
fn following_and_starting_agree() {
    in_namespace(|| async {
        let (first, second, _elsewhere) = (tap("ulvs0"), tap("ulvs1"), tap("elsewhere"));
        ip("addr add 10.0.0.1/16 dev ulvs0");
        ip("addr add 10.1.0.1/16 dev ulvs1");
        ip("addr add 2001:db8:0::1/64 dev ulvs0 nodad");
        ip("addr add 2001:db8:1::1/64 dev ulvs1 nodad");
        let mut numbers = Numbers(6);
        let mut mirror = mirror(&[&first, &second]).await;
        for round in 0..400 {
            let mut batch = String::new();
            for _ in 0..=numbers.below(12) {
                writeln!(batch, "{}", command(&mut numbers)).unwrap();
            }
            let mut ip = Command::new("ip");
            ip.args(["-force", "-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut ip = ip.spawn().unwrap();
            ip.stdin.take().unwrap().write_all(batch.as_bytes()).unwrap();
            ip.wait().unwrap();
            let fresh = common::mirror(&[&first, &second]).await.state.borrow().clone();
            until(&mut mirror, &format!("round {round}: {batch}{fresh:#?}"), |state| *state == fresh).await;
        }
        assert!(!mirror.task.is_finished());
    });
}
