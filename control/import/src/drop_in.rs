use std::collections::HashSet;
use std::fmt::Write;
use std::net::SocketAddr;

use ulvs_config::Director;
use ulvs_model::{ForwardMethod, TunnelChecksum, TunnelType};

use crate::{Check, Guard, Id, Imported, Netmask, Persistence, RealServer, Remark, Service, Way, flags};

/// The schedulers that the director's file knows.
const SCHEDULERS: [&str; 15] =
    ["rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos", "none"];

/// The longest persistence in seconds: 31 days, as with ipvsadm.
const LONGEST: u32 = 31 * 86_400;

/// The director's file, without services.
const MAIN: &str = "[workers]\ncores = [0]\n[[port]]\nname = \"wan\"\ndevice = \"net_null0\"\n";

/// The drop-in, and a remark for each service that is commented out in it. The director takes the drop-in whatever the source
/// said: of what can't be foreseen its own reader decides.
pub fn drop_in(imported: &Imported, from: &str) -> (String, Vec<Remark>) {
    let mut text = format!("# Imported from {}.\n", from.replace(char::is_control, " "));
    let mut remarks = imported.remarks.clone();
    let mut services = String::new();
    let mut used: HashSet<&str> = HashSet::new();
    for service in &imported.services {
        let names: HashSet<_> = service.real_servers.iter().flat_map(|one| &one.checks).map(String::as_str).collect();
        let written = written(service);
        services.push('\n');
        let Some(sentence) = obstacle(service, &written, &names, imported) else {
            services.push_str(&written);
            used.extend(names);
            remarks.extend(rules_needed(service));
            remarks.extend(without_effect(service));
            continue;
        };
        comment(&sentence, &mut services);
        comment(&written, &mut services);
        remarks.push(Remark { line: service.line, text: sentence });
    }
    for check in imported.checks.iter().filter(|check| used.contains(check.name.as_str())) {
        let _ = write!(text, "\n{}", check.written());
    }
    text.push_str(&services);
    remarks.sort_by_key(|remark| remark.line);
    (text, remarks)
}

/// A comment can have no control characters.
fn comment(text: &str, into: &mut String) {
    for line in text.lines() {
        let _ = writeln!(into, "# {}", line.replace(char::is_control, "\u{fffd}"));
    }
}

/// Why a service is commented out, if it is.
fn obstacle(service: &Service, written: &str, checks: &HashSet<&str>, imported: &Imported) -> Option<String> {
    let obstacles = obstacles(service);
    let id = &service.id;
    if !obstacles.is_empty() {
        return Some(format!("{id} is commented out, for ulvs.toml has no {}", obstacles.join(", no ")));
    }
    let checks = imported.checks.iter().filter(|check| checks.contains(check.name.as_str()));
    let text: String = checks.map(Check::written).chain([written.to_owned()]).collect();
    refused(&text).err().map(|reason| format!("{id} is commented out, for ulvs.toml does not take it: {reason}"))
}

/// Whether the director takes a drop-in.
///
/// # Errors
/// The first thing that is wrong with it.
pub(crate) fn refused(text: &str) -> Result<(), String> {
    let Err(wrong) = Director::parse(&format!("{MAIN}{text}")) else { return Ok(()) };
    Err(wrong.first().map_or_else(String::new, |first| first.message().to_owned()))
}

/// A string of the file's.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What of a service would not be forwarded as before.
fn obstacles(service: &Service) -> Vec<String> {
    let mut obstacles = service.lacking.clone();
    match &service.id {
        Id::Mark { mark: 0, .. } => obstacles.push("firewall mark 0".to_owned()),
        Id::Address { protocol, .. } if !matches!(&**protocol, "tcp" | "udp" | "sctp") => {
            obstacles.push(format!("protocol {protocol}"));
        }
        Id::Address { address, .. } if address.port() == 0 && service.persistence.seconds.is_none() => {
            obstacles.push("services of all ports".to_owned());
        }
        Id::Address { .. } | Id::Mark { .. } => {}
    }
    obstacles.extend(persistence_obstacle(service));
    if !SCHEDULERS.contains(&service.scheduler.as_str()) {
        obstacles.push(format!("scheduler {}", service.scheduler));
    }
    obstacles
}

/// A mark is nothing without rules that say which packets have it.
fn rules_needed(service: &Service) -> Option<Remark> {
    let Id::Mark { mark, .. } = service.id else { return None };
    let text = format!(
        "{} needs tables [[mark]] in ulvs.toml that say which packets have mark {mark}, as the rules of iptables or nftables did",
        service.id
    );
    Some(Remark { line: service.line, text })
}

/// IPVS takes it for every protocol; it means something for UDP.
fn is_one_packet(service: &Service) -> bool {
    service.one_packet && !matches!(&service.id, Id::Address { protocol, .. } if protocol != "udp")
}

/// What of persistence the director's file would refuse, and with it the whole drop-in.
fn persistence_obstacle(service: &Service) -> Option<String> {
    let Persistence { seconds, netmask, by_call } = service.persistence;
    let is_udp = !matches!(&service.id, Id::Address { protocol, .. } if protocol != "udp");
    let is_v6 = service.id.is_v6();
    match (seconds, netmask) {
        (Some(seconds), _) if !(1..=LONGEST).contains(&seconds) => Some(format!("persistence of {seconds} s")),
        (None, _) if by_call => Some("persistence engine without persistence".to_owned()),
        _ if by_call && !is_udp => Some("persistence engine sip but for UDP".to_owned()),
        (None, Some(_)) => Some("netmask without persistence".to_owned()),
        (_, Some(Netmask::V4(_))) if is_v6 => Some("IPv4 netmask for IPv6 clients".to_owned()),
        (_, Some(Netmask::V6(_))) if !is_v6 => Some("IPv6 netmask for IPv4 clients".to_owned()),
        _ => None,
    }
}

/// What the source says of a service, and IPVS makes nothing of.
fn without_effect(service: &Service) -> Option<Remark> {
    let (_, idle) = flags::of(service);
    let flags = idle.into_iter().map(|flag| format!("{flag} of scheduler {}", service.scheduler));
    let one_packet = (service.one_packet && !is_one_packet(service)).then(|| "one-packet scheduling".to_owned());
    let served = if let Id::Address { address, .. } = &service.id { address.port() } else { 0 };
    let has_port =
        |one: &&RealServer| one.way.method != ForwardMethod::Nat && ![0, served].contains(&one.address.port());
    let ports = service.real_servers.iter().filter(has_port);
    let ports = ports.map(|one| format!("port {} of {} by {}", one.address.port(), one.address.ip(), one.way.method));
    let without: Vec<_> = flags.chain(one_packet).chain(ports).collect();
    let text = format!("{}: without effect in IPVS, and left out: {}", service.id, without.join(", "));
    (!without.is_empty()).then_some(Remark { line: service.line, text })
}

fn written(service: &Service) -> String {
    let mut text = "[[service]]\n".to_owned();
    match &service.id {
        Id::Address { protocol, address } => {
            let _ = writeln!(text, "address = \"{address}\"\nprotocol = \"{protocol}\"");
        }
        Id::Mark { mark, is_v6 } => {
            let _ = writeln!(text, "mark = {mark}");
            if *is_v6 {
                text.push_str("family = \"ipv6\"\n");
            }
        }
    }
    let _ = writeln!(text, "scheduler = {}", quoted(&service.scheduler));
    let (flags, _) = flags::of(service);
    if !flags.is_empty() {
        let flags: Vec<_> = flags.iter().map(|flag| quoted(flag)).collect();
        let _ = writeln!(text, "flags = [{}]", flags.join(", "));
    }
    if let Some(seconds) = service.persistence.seconds {
        let _ = writeln!(text, "persistence = {seconds}");
        match service.persistence.netmask {
            Some(Netmask::V4(mask)) => {
                let _ = writeln!(text, "netmask = \"{mask}\"");
            }
            Some(Netmask::V6(length)) => {
                let _ = writeln!(text, "netmask = {length}");
            }
            None => {}
        }
        if service.persistence.by_call {
            text.push_str("persistence_engine = \"sip\"\n");
        }
    }
    if is_one_packet(service) {
        text.push_str("one_packet = true\n");
    }
    guard(&service.guard, &mut text);
    service.real_servers.iter().for_each(|one| real_server(one, &mut text));
    text
}

fn guard(guard: &Guard, text: &mut String) {
    let Guard { quorum, hysteresis, inhibit_on_failure, sorry_server } = guard;
    if *inhibit_on_failure {
        text.push_str("inhibit_on_failure = true\n");
    }
    if let Some(quorum) = quorum {
        let _ = writeln!(text, "quorum = {quorum}");
    }
    if *hysteresis > 0 {
        let _ = writeln!(text, "hysteresis = {hysteresis}");
    }
    if let Some((address, way)) = sorry_server {
        let keys = [format!("address = \"{}\"", written_address(*address, way.method))].into_iter().chain(reached(way));
        let _ = writeln!(text, "sorry_server = {{ {} }}", keys.collect::<Vec<_>>().join(", "));
    }
}

/// Only NAT has a port of its own; IPVS ignores those of the other methods.
fn written_address(address: SocketAddr, method: ForwardMethod) -> String {
    match (method, address.port()) {
        (ForwardMethod::Nat, 1..) => address.to_string(),
        _ => address.ip().to_string(),
    }
}

/// The keys that say how a real server is reached; of a tunnel those that are not the default.
fn reached(way: &Way) -> impl Iterator<Item = String> {
    let Way { method, tunnel } = way;
    let kind = Some(tunnel.kind()).filter(|kind| *kind != TunnelType::default());
    let checksum = Some(tunnel.checksum()).filter(|checksum| *checksum != TunnelChecksum::default());
    let keys = [
        Some(format!("method = \"{method}\"")),
        kind.map(|kind| format!("tun_type = \"{kind}\"")),
        tunnel.port().map(|port| format!("tun_port = {port}")),
        checksum.map(|checksum| format!("tun_checksum = \"{checksum}\"")),
    ];
    keys.into_iter().flatten()
}

fn real_server(one: &RealServer, text: &mut String) {
    let RealServer { address, way, weight, upper, lower, checks } = one;
    let address = written_address(*address, way.method);
    let _ = writeln!(text, "\n[[service.real_server]]\naddress = \"{address}\"");
    for key in reached(way) {
        let _ = writeln!(text, "{key}");
    }
    let _ = writeln!(text, "weight = {weight}");
    if *upper > 0 {
        let _ = writeln!(text, "upper_threshold = {upper}");
    }
    if *lower > 0 {
        let _ = writeln!(text, "lower_threshold = {lower}");
    }
    if !checks.is_empty() {
        let names: Vec<_> = checks.iter().map(|name| quoted(name)).collect();
        let _ = writeln!(text, "checks = [{}]", names.join(", "));
    }
}
