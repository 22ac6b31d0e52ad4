use std::collections::HashMap;
use std::net::SocketAddr;

use super::checks::{Collected, Manner, Taken, is_checker};
use super::syntax::Statement;
use super::target::{Target, groups, target};
use crate::tunnel::Tunnel;
use crate::{Guard, Id, Imported, Persistence, RealServer, Service, Way};
use ulvs_model::ForwardMethod;

/// Seconds of persistence when `persistence_timeout` has no number.
const PERSISTENCE: u32 = 360;

/// The virtual servers among statements, and their checks.
pub(super) fn translate(statements: &[Statement], imported: &mut Imported) {
    let groups = groups(statements, imported);
    let mut checks = Collected::default();
    for statement in statements {
        match statement.word(0) {
            "virtual_server" => virtual_server(statement, &groups, &mut checks, imported),
            "virtual_server_group" => {}
            _ => {
                let words = statement.words.join(" ");
                imported.remark(statement.line, format!("{words}: not of IPVS, it stays keepalived's"));
            }
        }
    }
    imported.checks = checks.checks;
}

/// What is said of a virtual server, whatever it is for.
struct Settings {
    protocol: String,
    scheduler: String,
    flags: Vec<String>,
    way: Way,
    weight: u32,
    persistence: Persistence,
    one_packet: bool,
    /// Of a service by mark.
    is_v6: Option<bool>,
    lacking: Vec<String>,
    manner: Manner,
    guard: Guard,
    sorry: Sorry,
}

/// Who serves while there is no quorum.
#[derive(Default)]
struct Sorry {
    line: usize,
    address: Option<SocketAddr>,
    way: Option<Way>,
}

fn virtual_server(
    statement: &Statement,
    groups: &HashMap<String, Vec<Target>>,
    checks: &mut Collected,
    imported: &mut Imported,
) {
    let targets = if statement.word(1) == "group" {
        let name = statement.word(2);
        groups.get(name).cloned().ok_or_else(|| format!("there is no virtual_server_group {name}"))
    } else {
        target(statement.words.get(1..).unwrap_or_default())
    };
    let targets = match targets {
        Ok(targets) => targets,
        Err(reason) => return imported.remark(statement.line, format!("{reason}; the virtual server is left out")),
    };
    let settings = settings(statement, imported);
    let has_port = |target: &Target| matches!(target, Target::Address(address) if address.port() > 0);
    let real_servers = real_servers(statement, &settings, targets.iter().all(has_port), checks, imported);
    let guard = guard(&settings, &real_servers, statement, imported);
    // As keepalived has it: what is said, or else the family of the real servers.
    let of_real_servers = || real_servers.first().is_some_and(|found| found.one.address.is_ipv6());
    let is_v6 = settings.is_v6.unwrap_or_else(of_real_servers);
    let (protocol, persistence) =
        (protocol(&settings, &targets, statement, imported), persistence(&settings, &targets));
    for target in targets {
        let id = match target {
            Target::Address(address) => Id::Address { protocol: protocol.clone(), address },
            Target::Mark(mark, of) => Id::Mark { mark, is_v6: of.unwrap_or(is_v6) },
        };
        if imported.services.iter().any(|one| one.id == id) {
            imported.remark(statement.line, format!("{id} is there already; this one is left out"));
            continue;
        }
        imported.services.push(Service {
            line: statement.line,
            id,
            scheduler: settings.scheduler.clone(),
            flags: settings.flags.clone(),
            persistence,
            one_packet: settings.one_packet,
            lacking: settings.lacking.clone(),
            real_servers: real_servers.iter().map(|found| found.one.clone()).collect(),
            guard: guard.clone(),
        });
    }
}

/// What keepalived 2.2 takes where nothing is said, which it logs.
fn protocol(settings: &Settings, targets: &[Target], statement: &Statement, imported: &mut Imported) -> String {
    if settings.protocol.is_empty() && targets.iter().any(|one| matches!(one, Target::Address(_))) {
        imported.remark(statement.line, "no protocol is said: it is of UDP, as with keepalived");
    }
    if settings.protocol.is_empty() { "udp".to_owned() } else { settings.protocol.clone() }
}

/// As keepalived: a mask, and a port 0, mean persistence; an engine without it means nothing.
fn persistence(settings: &Settings, targets: &[Target]) -> Persistence {
    let mut persistence = settings.persistence;
    let is_of_all_ports = |one: &Target| matches!(one, Target::Address(address) if address.port() == 0);
    if persistence.netmask.is_some() || targets.iter().any(is_of_all_ports) {
        persistence.seconds.get_or_insert(PERSISTENCE);
    }
    persistence.by_call &= persistence.seconds.is_some();
    persistence
}

/// What follows from checks, if there are any.
fn guard(settings: &Settings, found: &[Found], statement: &Statement, imported: &mut Imported) -> Guard {
    let mut guard = settings.guard.clone();
    let mut checked = found.iter().filter(|one| !one.one.checks.is_empty()).peekable();
    if checked.peek().is_none() {
        if guard != Guard::default() || settings.sorry.address.is_some() {
            let sentence = "quorum, inhibit_on_failure and sorry_server: left out, for no real server is checked";
            imported.remark(statement.line, sentence);
        }
        return Guard::default();
    }
    if !guard.inhibit_on_failure && checked.clone().any(|one| one.inhibits) {
        guard.inhibit_on_failure = checked.all(|one| one.inhibits);
        if !guard.inhibit_on_failure {
            let sentence = "inhibit_on_failure of some real servers: left out, for a service has it as a whole";
            imported.remark(statement.line, sentence);
        }
    }
    if guard.hysteresis >= guard.quorum.unwrap_or(1) && guard.hysteresis > 0 {
        imported.remark(statement.line, "hysteresis: left out, for it has to be less than the quorum");
        guard.hysteresis = 0;
    }
    let Sorry { line, address, way } = settings.sorry;
    match address {
        Some(address) if found.iter().any(|one| one.one.address == address) => {
            imported.remark(line, format!("sorry_server {address}: left out, for it is a real server, too"));
        }
        Some(address) => guard.sorry_server = Some((address, way.unwrap_or(settings.way))),
        None => {}
    }
    guard
}

fn settings(statement: &Statement, imported: &mut Imported) -> Settings {
    let mut settings = Settings {
        protocol: String::new(),
        scheduler: "wlc".to_owned(),
        flags: Vec::new(),
        way: ForwardMethod::Nat.into(),
        weight: 1,
        persistence: Persistence::default(),
        one_packet: false,
        is_v6: None,
        lacking: Vec::new(),
        manner: Manner::default(),
        guard: Guard::default(),
        sorry: Sorry::default(),
    };
    for said in statement.block.iter().flatten() {
        match settings.manner.take(said) {
            Taken::Yes => {}
            Taken::Wrong(reason) => imported.remark(said.line, reason),
            Taken::No => settings.take(said, imported),
        }
    }
    settings
}

impl Settings {
    fn take(&mut self, said: &Statement, imported: &mut Imported) {
        let (keyword, value) = (said.word(0), said.word(1));
        match keyword {
            "lb_algo" | "lvs_sched" => value.clone_into(&mut self.scheduler),
            "lb_kind" | "lvs_method" => match way(said) {
                Ok(way) => self.way = way,
                Err(reason) => {
                    self.lacking.push(format!("\"{}\" ({reason})", said.words.join(" ")));
                }
            },
            "protocol" => self.protocol = value.to_lowercase(),
            "mh-port" | "mh-fallback" | "sh-port" | "sh-fallback" | "flag-1" | "flag-2" | "flag-3" => {
                self.flags.push(keyword.to_owned());
            }
            "ops" => self.one_packet = true,
            "ip_family" => self.is_v6 = Some(value == "inet6"),
            "persistence_timeout" if value.is_empty() => self.persistence.seconds = Some(PERSISTENCE),
            "persistence_timeout" => match value.parse() {
                Ok(seconds) => self.persistence.seconds = Some(seconds),
                Err(_) => self.lacking.push(format!("persistence of \"{value}\", which is no number of seconds")),
            },
            "persistence_granularity" => match value.parse() {
                Ok(netmask) => self.persistence.netmask = Some(netmask),
                Err(reason) => self.lacking.push(format!("such persistence: {reason}")),
            },
            "persistence_engine" if value == "sip" => self.persistence.by_call = true,
            "persistence_engine" => self.lacking.push(format!("persistence engine {value}")),
            "weight" => match value.parse() {
                Ok(weight) => self.weight = weight,
                Err(_) => imported.remark(said.line, format!("weight {value}: a number was expected; 1 is taken")),
            },
            "real_server" => {}
            _ => self.take_of_checks(said, imported),
        }
    }

    /// What follows from checks.
    fn take_of_checks(&mut self, said: &Statement, imported: &mut Imported) {
        let (keyword, value) = (said.word(0), said.word(1));
        let number = value.parse::<u32>();
        match (keyword, number) {
            ("quorum", Ok(quorum @ 1..)) => self.guard.quorum = Some(quorum),
            ("hysteresis", Ok(hysteresis)) => self.guard.hysteresis = hysteresis,
            ("quorum" | "hysteresis", _) => {
                imported.remark(said.line, format!("{keyword} {value}: a number was expected; it is left out"));
            }
            ("inhibit_on_failure", _) => self.guard.inhibit_on_failure = true,
            ("sorry_server", _) => match target(said.words.get(1..).unwrap_or_default()).as_deref() {
                Ok(&[Target::Address(address)]) => {
                    self.sorry = Sorry { line: said.line, address: Some(address), way: self.sorry.way };
                }
                _ => imported.remark(said.line, format!("{}: one address was expected", said.words.join(" "))),
            },
            ("sorry_server_lvs_method", _) => match way(said) {
                Ok(way) => self.sorry.way = Some(way),
                Err(reason) => imported.remark(said.line, format!("{}: left out: {reason}", said.words.join(" "))),
            },
            _ => imported.remark(said.line, format!("{}: left out{}", said.words.join(" "), why(keyword))),
        }
    }
}

/// What becomes of a keyword that is left out.
fn why(keyword: &str) -> &'static str {
    match keyword {
        "quorum_up" | "quorum_down" | "notify_up" | "notify_down" | "smtp_alert" => {
            "; changes are told by the log, `ulvsctl checks`, the API and the metrics, no program is run"
        }
        "ha_suspend" => "; checks run whoever has the virtual address",
        "sorry_server_inhibit" => "; the sorry server is removed when the others serve again",
        "omega" => "; the end of ulvsd changes no real server's state",
        "nat_mask" => "; it has no effect in keepalived either",
        _ => ", for it is not understood",
    }
}

/// `NAT`, `DR`, or `TUN type gue port 6080 csum`.
fn way(said: &Statement) -> Result<Way, String> {
    let method = match said.word(1) {
        "NAT" => ForwardMethod::Nat,
        "DR" => ForwardMethod::Dr,
        "TUN" => ForwardMethod::Tun,
        other => return Err(format!("there is no method {other}")),
    };
    let mut tunnel = Tunnel::default();
    let mut words = said.words.iter().skip(2).map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "type" => tunnel.kind = words.next(),
            "port" => {
                let port = words.next().unwrap_or_default();
                tunnel.port = Some(port.parse().map_err(|_| format!("\"{port}\" is no port"))?);
            }
            "nocsum" | "csum" | "remcsum" => tunnel.checksum = Some(word),
            other => return Err(format!("\"{other}\" is not understood")),
        }
    }
    tunnel.of(method)
}

/// A real server as it is read.
struct Found {
    one: RealServer,
    /// `inhibit_on_failure`
    inhibits: bool,
}

/// `has_port`: whether what has no port has the service's.
fn real_servers(
    statement: &Statement,
    settings: &Settings,
    has_port: bool,
    checks: &mut Collected,
    imported: &mut Imported,
) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for said in statement.block.iter().flatten().filter(|one| one.word(0) == "real_server") {
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
        let one = real_server(said, address, settings, has_port, checks, imported);
        if found.iter().any(|other| other.one.address == address) {
            imported.remark(said.line, format!("real server {address} is there twice; this one is left out"));
        } else {
            found.push(one);
        }
    }
    found
}

fn real_server(
    said: &Statement,
    address: SocketAddr,
    settings: &Settings,
    has_port: bool,
    checks: &mut Collected,
    imported: &mut Imported,
) -> Found {
    let one =
        RealServer { address, way: settings.way, weight: settings.weight, upper: 0, lower: 0, checks: Vec::new() };
    let mut found = Found { one, inhibits: false };
    let mut manner = settings.manner.clone();
    let mut checkers = Vec::new();
    for inner in said.block.iter().flatten() {
        match manner.take(inner) {
            Taken::Yes => {}
            Taken::Wrong(reason) => imported.remark(inner.line, reason),
            Taken::No if is_checker(inner.word(0)) => checkers.push(inner),
            Taken::No => keyword(inner, &mut found, imported),
        }
    }
    // Of what is asked only the port has to be known: what has none has the service's.
    let asked = if has_port && address.port() == 0 { SocketAddr::new(address.ip(), u16::MAX) } else { address };
    for checker in checkers {
        for name in checks.add(checker, &manner, asked, imported) {
            if !found.one.checks.contains(&name) {
                found.one.checks.push(name);
            }
        }
    }
    found
}

fn keyword(said: &Statement, found: &mut Found, imported: &mut Imported) {
    let (keyword, value) = (said.word(0), said.word(1));
    let place = match keyword {
        "weight" => &mut found.one.weight,
        "uthreshold" => &mut found.one.upper,
        "lthreshold" => &mut found.one.lower,
        "inhibit_on_failure" => {
            found.inhibits = !matches!(value, "no" | "off" | "false");
            return;
        }
        "lb_kind" | "lvs_method" => {
            match way(said) {
                Ok(way) => found.one.way = way,
                Err(reason) => imported.remark(said.line, format!("{}: left out: {reason}", said.words.join(" "))),
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
