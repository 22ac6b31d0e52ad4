//! Namespaces, links, addresses and routes. All links are made inside the lab's own namespaces: not for a moment is
//! one of them among the machine's interfaces.

use anyhow::Result;

use super::host::Host;
use super::plan::{Family, Plan, Segment, client, real_server};

/// No waiting for duplicate addresses, no filter by reverse path, as many waiting connections as asked for.
const EVERYWHERE: &[&str] = &[
    "ipv6/conf/all/accept_dad=0",
    "ipv6/conf/default/accept_dad=0",
    "ipv6/conf/all/accept_ra=0",
    "ipv6/conf/default/accept_ra=0",
    "ipv4/conf/all/rp_filter=0",
    "ipv4/conf/default/rp_filter=0",
    "ipv4/conf/all/send_redirects=0",
    "ipv4/conf/default/send_redirects=0",
    "core/somaxconn=4096",
];
const FORWARDS: &[&str] = &["ipv4/ip_forward=1", "ipv6/conf/all/forwarding=1"];

pub(super) fn make(plan: &Plan) -> Result<()> {
    for name in plan.host_names() {
        let host = Host(plan.namespace(&name));
        host.add()?;
        host.shell(&settings(EVERYWHERE))?;
        host.ip(&["link set lo up".to_owned()])?;
    }
    switch(plan)?;
    director(plan)?;
    client_host(plan)?;
    for (number, name) in plan.real_servers() {
        real_server_host(plan, number, &name)?;
    }
    Ok(())
}

fn settings(list: &[&str]) -> Vec<String> {
    // a kernel without IPv6 or with a shorter list of settings is not a reason to stop
    let one = |setting: &&str| {
        let (key, value) = setting.split_once('=').unwrap_or((setting, "0"));
        format!("[ ! -e /proc/sys/net/{key} ] || echo '{value}' >/proc/sys/net/{key}")
    };
    list.iter().map(one).collect()
}

/// A frame as it is on a wire: no checksum left to be finished, no segment larger than the MTU.
fn plain(interface: &str) -> String {
    format!("ethtool -K {interface} rx off tx off sg off tso off gso off gro off >/dev/null 2>&1")
}

/// Two bridges, and a router between them that is the way past the director.
fn switch(plan: &Plan) -> Result<()> {
    let host = Host(plan.namespace("switch"));
    let mut lines = Vec::new();
    let mut ends = Vec::new();
    for segment in Segment::BOTH {
        let bridge = format!("br-{}", segment.name());
        lines.push(format!("link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"));
        lines.push(format!("link set {bridge} up"));
        for family in Family::BOTH {
            lines.push(address(&segment.router(family), family, &bridge));
        }
    }
    let mut link = |name: &str, host: &str, interface: &str, segment: Segment, queues: u16| {
        let (peer, queues) = (plan.namespace(host), format!("numrxqueues {queues} numtxqueues {queues}"));
        lines.push(format!("link add {name} {queues} type veth peer name {interface} {queues} netns {peer}"));
        lines.push(format!("link set {name} master br-{} up", segment.name()));
        ends.push(plain(name));
    };
    link("client", "client", "eth0", Segment::Wan, 1);
    for segment in plan.segments() {
        link(&format!("d-{}", segment.name()), "director", segment.name(), *segment, plan.workers);
    }
    for (_, name) in plan.real_servers() {
        link(&name, &name, "eth0", Segment::Lan, 1);
    }
    if plan.arms == 1 {
        // the way to the virtual addresses leads over the director's only port
        for family in Family::BOTH {
            lines.push(route(family, family.vips(), &Segment::Lan.director(family), ""));
        }
    }
    host.ip(&lines)?;
    host.shell(&ends)?;
    host.shell(&settings(FORWARDS))
}

/// The director's ends carry no address. The kernel in this namespace sees each frame as well as DPDK does and knows the
/// addresses from the TAP twins, so it is told to take nothing from these interfaces: whatever comes in by them has its
/// way back by a twin, which a strict reverse-path filter drops; ARP is ignored, IPv6 is off.
fn director(plan: &Plan) -> Result<()> {
    let host = Host(plan.namespace("director"));
    let mut lines = settings(FORWARDS);
    let mut up = Vec::new();
    for segment in plan.segments() {
        let name = segment.name();
        lines.push(plain(name));
        let deaf = ["ipv6/conf/IF/disable_ipv6=1", "ipv4/conf/IF/rp_filter=1", "ipv4/conf/IF/arp_ignore=8"];
        let deaf: Vec<String> = deaf.iter().map(|setting| setting.replace("IF", name)).collect();
        lines.extend(settings(&deaf.iter().map(String::as_str).collect::<Vec<_>>()));
        up.push(format!("link set {name} up"));
    }
    host.shell(&lines)?;
    host.ip(&up)
}

fn client_host(plan: &Plan) -> Result<()> {
    let host = Host(plan.namespace("client"));
    let mut lines = Vec::new();
    for family in Family::BOTH {
        lines.push(address(&client(family), family, "eth0"));
    }
    lines.push("link set eth0 up".to_owned());
    for family in Family::BOTH {
        let router = Segment::Wan.router(family);
        let to_vips = if plan.arms == 1 { router.clone() } else { Segment::Wan.director(family) };
        lines.push(route(family, family.vips(), &to_vips, ""));
        lines.push(route(family, "default", &router, ""));
    }
    host.shell(&[plain("eth0")])?;
    host.shell(&settings(&["ipv4/ip_local_port_range=1024 65535", "ipv4/tcp_tw_reuse=1"]))?;
    host.ip(&lines)
}

/// Replies from a virtual address go past the director, by the router; those from the server's own address go back
/// through it, as NAT needs.
fn real_server_host(plan: &Plan, number: u8, name: &str) -> Result<()> {
    let host = Host(plan.namespace(name));
    let mut lines = Vec::new();
    for family in Family::BOTH {
        lines.push(address(&real_server(number, family), family, "eth0"));
    }
    lines.push("link set eth0 up".to_owned());
    for family in Family::BOTH {
        let (option, segment) = (family.option(), Segment::Lan.prefix(family));
        lines.push(route(family, "default", &Segment::Lan.router(family), ""));
        lines.push(format!("{option} route add {segment} dev eth0 table 77"));
        lines.push(route(family, "default", &Segment::Lan.director(family), "table 77"));
        lines.push(format!("{option} rule add from {segment} lookup 77"));
    }
    host.shell(&[plain("eth0")])?;
    host.ip(&lines)
}

fn address(address: &str, family: Family, interface: &str) -> String {
    let nodad = if family == Family::V6 { "nodad" } else { "" };
    format!("address add {address}/{} dev {interface} {nodad}", family.length())
}

fn route(family: Family, to: &str, via: &str, more: &str) -> String {
    format!("{} route add {to} via {via} {more}", family.option())
}
