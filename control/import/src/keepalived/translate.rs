use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::syntax::Statement;
use crate::{Id, Imported, Persistence, RealServer, Service};

/// Seconds of persistence when `persistence_timeout` has no number.
const PERSISTENCE: u32 = 360;
/// Addresses of one range.
const LONGEST_RANGE: u128 = 255;

/// The virtual servers among statements.
pub(super) fn translate(statements: &[Statement], imported: &mut Imported) {
    let groups = groups(statements, imported);
    for statement in statements {
        let word = |at: usize| statement.words.get(at).map(String::as_str).unwrap_or_default();
        match word(0) {
            "virtual_server" => virtual_server(statement, &groups, imported),
            "virtual_server_group" => {}
            _ => {
                let words = statement.words.join(" ");
                imported.remark(statement.line, format!("{words}: not of IPVS, it stays keepalived's"));
            }
        }
    }
}

/// What a virtual server is for: an address and a port, or a mark.
#[derive(Clone, Copy, Debug)]
enum Target {
    Address(SocketAddr),
    Mark(u32),
}

fn groups(statements: &[Statement], imported: &mut Imported) -> HashMap<String, Vec<Target>> {
    let mut groups = HashMap::new();
    for statement in
        statements.iter().filter(|one| one.words.first().is_some_and(|word| word == "virtual_server_group"))
    {
        let mut targets = Vec::new();
        for member in statement.block.iter().flatten() {
            match target(&member.words) {
                Ok(found) => targets.extend(found),
                Err(reason) => imported.remark(member.line, reason),
            }
        }
        groups.insert(statement.words.get(1).cloned().unwrap_or_default(), targets);
    }
    groups
}

/// `IP PORT`, `IP-LAST PORT`, `fwmark N`.
fn target(words: &[String]) -> Result<Vec<Target>, String> {
    let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
    if word(0) == "fwmark" {
        let mark = word(1).parse().map_err(|_| format!("fwmark {}: a number was expected", word(1)))?;
        return Ok(vec![Target::Mark(mark)]);
    }
    let port = match word(1) {
        "" => 0,
        port => port.parse().map_err(|_| format!("{} {port}: \"{port}\" is no port", word(0)))?,
    };
    let addresses = range(word(0)).ok_or_else(|| format!("\"{}\" is no address", word(0)))?;
    Ok(addresses.into_iter().map(|ip| Target::Address(SocketAddr::new(ip, port))).collect())
}

/// `192.0.2.1` or `192.0.2.1-9`, the last part of the last address; hexadecimal in IPv6.
fn range(text: &str) -> Option<Vec<IpAddr>> {
    let Some((first, last)) = text.split_once('-') else { return Some(vec![text.parse().ok()?]) };
    match first.parse().ok()? {
        IpAddr::V4(first) => {
            let first = first.to_bits();
            let last = (first & !0xff) | u32::from(last.parse::<u8>().ok()?);
            (first <= last).then(|| (first..=last).map(|bits| Ipv4Addr::from_bits(bits).into()).collect())
        }
        IpAddr::V6(first) => {
            let first = first.to_bits();
            let last = (first & !0xffff) | u128::from(u16::from_str_radix(last, 16).ok()?);
            let is_range = first <= last && last - first <= LONGEST_RANGE;
            is_range.then(|| (first..=last).map(|bits| Ipv6Addr::from_bits(bits).into()).collect())
        }
    }
}

/// What is said of a virtual server, whatever it is for.
struct Settings {
    protocol: String,
    scheduler: String,
    flags: Vec<String>,
    method: &'static str,
    weight: u32,
    persistence: Persistence,
    lacking: Vec<String>,
}

fn virtual_server(statement: &Statement, groups: &HashMap<String, Vec<Target>>, imported: &mut Imported) {
    let word = |at: usize| statement.words.get(at).map(String::as_str).unwrap_or_default();
    let targets = if word(1) == "group" {
        groups.get(word(2)).cloned().ok_or_else(|| format!("there is no virtual_server_group {}", word(2)))
    } else {
        target(statement.words.get(1..).unwrap_or_default())
    };
    let targets = match targets {
        Ok(targets) => targets,
        Err(reason) => return imported.remark(statement.line, format!("{reason}; the virtual server is left out")),
    };
    let settings = settings(statement, imported);
    let real_servers = real_servers(statement, &settings, imported);
    for target in targets {
        let id = match target {
            Target::Address(address) => Id::Address { protocol: settings.protocol.clone(), address },
            Target::Mark(mark) => Id::Mark(mark),
        };
        if imported.services.iter().any(|one| one.id == id) {
            imported.remark(statement.line, format!("{id} is there already; this one is left out"));
            continue;
        }
        let (scheduler, flags) = (settings.scheduler.clone(), settings.flags.clone());
        let (lacking, real_servers) = (settings.lacking.clone(), real_servers.clone());
        let (line, persistence) = (statement.line, settings.persistence);
        imported.services.push(Service { line, id, scheduler, flags, persistence, lacking, real_servers });
    }
}

fn settings(statement: &Statement, imported: &mut Imported) -> Settings {
    let mut settings = Settings {
        protocol: "tcp".to_owned(),
        scheduler: "wlc".to_owned(),
        flags: Vec::new(),
        method: "nat",
        weight: 1,
        persistence: Persistence::default(),
        lacking: Vec::new(),
    };
    for said in statement.block.iter().flatten() {
        let value = said.words.get(1).map(String::as_str).unwrap_or_default();
        let keyword = said.words.first().map(String::as_str).unwrap_or_default();
        match keyword {
            "lb_algo" | "lvs_sched" => value.clone_into(&mut settings.scheduler),
            "lb_kind" | "lvs_method" => match method(value) {
                Some(method) => settings.method = method,
                None => imported.remark(said.line, format!("{keyword} {value} is unknown; NAT is taken")),
            },
            "protocol" => settings.protocol = value.to_lowercase(),
            "mh-port" | "mh-fallback" | "sh-port" | "sh-fallback" => settings.flags.push(keyword.to_owned()),
            "ops" => settings.lacking.push("one-packet scheduling".to_owned()),
            "persistence_timeout" if value.is_empty() => settings.persistence.seconds = Some(PERSISTENCE),
            "persistence_timeout" => match value.parse() {
                Ok(seconds) => settings.persistence.seconds = Some(seconds),
                Err(_) => settings.lacking.push(format!("persistence of \"{value}\", which is no number of seconds")),
            },
            "persistence_granularity" => match value.parse() {
                Ok(netmask) => settings.persistence.netmask = Some(netmask),
                Err(reason) => settings.lacking.push(format!("such persistence: {reason}")),
            },
            "persistence_engine" => settings.lacking.push(format!("persistence engine {value}")),
            "weight" => match value.parse() {
                Ok(weight) => settings.weight = weight,
                Err(_) => imported.remark(said.line, format!("weight {value}: a number was expected; 1 is taken")),
            },
            "ip_family" | "real_server" => {}
            _ => imported.remark(said.line, format!("{}: left out{}", said.words.join(" "), why(keyword))),
        }
    }
    settings
}

/// What becomes of a keyword that is left out.
fn why(keyword: &str) -> &'static str {
    match keyword {
        "delay_loop"
        | "delay_before_retry"
        | "retry"
        | "warmup"
        | "alpha"
        | "omega"
        | "quorum"
        | "hysteresis"
        | "quorum_up"
        | "quorum_down"
        | "virtualhost"
        | "inhibit_on_failure"
        | "notify_up"
        | "notify_down"
        | "TCP_CHECK"
        | "HTTP_GET"
        | "SSL_GET"
        | "MISC_CHECK"
        | "SMTP_CHECK"
        | "DNS_CHECK"
        | "UDP_CHECK"
        | "PING_CHECK"
        | "BFD_CHECK"
        | "FILE_CHECK"
        | "smtp_alert"
        | "ha_suspend"
        | "sorry_server"
        | "sorry_server_inhibit"
        | "sorry_server_lvs_method" => {
            ", for it is of keepalived's health checks: let keepalived run them (docs/ipvsadm-and-keepalived.md)"
        }
        _ => ", for it is not understood",
    }
}

fn method(name: &str) -> Option<&'static str> {
    match name.to_uppercase().as_str() {
        "NAT" => Some("nat"),
        "DR" => Some("dr"),
        "TUN" => Some("tun"),
        _ => None,
    }
}

fn real_servers(statement: &Statement, settings: &Settings, imported: &mut Imported) -> Vec<RealServer> {
    let mut found: Vec<RealServer> = Vec::new();
    let is_one = |one: &&Statement| one.words.first().is_some_and(|word| word == "real_server");
    for said in statement.block.iter().flatten().filter(is_one) {
        let address = match target(said.words.get(1..).unwrap_or_default()).as_deref() {
            Ok(&[Target::Address(address)]) => address,
            Ok(_) => {
                imported.remark(said.line, "one real server has one address; it is left out");
                continue;
            }
            Err(reason) => {
                imported.remark(said.line, format!("{reason}; the real server is left out"));
                continue;
            }
        };
        let mut one = RealServer { address, method: settings.method, weight: settings.weight, upper: 0, lower: 0 };
        for inner in said.block.iter().flatten() {
            real_server_keyword(inner, &mut one, imported);
        }
        if found.iter().any(|other| other.address == address) {
            imported.remark(said.line, format!("real server {address} is there twice; this one is left out"));
        } else {
            found.push(one);
        }
    }
    found
}

fn real_server_keyword(said: &Statement, one: &mut RealServer, imported: &mut Imported) {
    let keyword = said.words.first().map(String::as_str).unwrap_or_default();
    let value = said.words.get(1).map(String::as_str).unwrap_or_default();
    let place = match keyword {
        "weight" => &mut one.weight,
        "uthreshold" => &mut one.upper,
        "lthreshold" => &mut one.lower,
        "lb_kind" | "lvs_method" => {
            match method(value) {
                Some(method) => one.method = method,
                None => imported.remark(said.line, format!("{keyword} {value} is unknown, and left out")),
            }
            return;
        }
        _ => {
            imported.remark(said.line, format!("{}: left out{}", said.words.join(" "), why(keyword)));
            return;
        }
    };
    match value.parse::<u32>().ok().filter(|number| i32::try_from(*number).is_ok()) {
        Some(number) => *place = number,
        None => imported.remark(said.line, format!("{keyword} {value}: a number was expected; it is left out")),
    }
}
