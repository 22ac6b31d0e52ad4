use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ::toml::de::DeValue;

use super::table::Table;
use super::value::{boolean, number, string, text, written};
use crate::check::{AgentProbe, Check, DnsProbe, ExecProbe, Feedback, HttpProbe, Origin, Probe, Tls, UdpProbe};
use crate::problems::{At, Problems};

/// The longest time anything of a check may take.
const TIME_MAX: u64 = 24 * 60 * 60 * 1000;

/// The types there are.
const TYPES: &str = "tcp, http, https, dns, udp, icmp, exec, agent";

/// One `[check.NAME]`. Absent if its type is missing, and that was reported.
pub(super) fn read(name: &str, table: &mut Table<'_, '_>, problems: &mut Problems) -> Option<Check> {
    let Some(kind) = table.required("type", "\"tcp\"", problems, text) else {
        table.rest_is_unknown();
        return None;
    };
    let probe = match kind.value.as_str() {
        "tcp" => Probe::Tcp,
        "http" => Probe::Http(http(table, None, problems)),
        "https" => {
            let tls = tls(table, problems);
            Probe::Http(http(table, Some(tls), problems))
        }
        "dns" => Probe::Dns(dns(table, problems)?),
        "udp" => Probe::Udp(UdpProbe {
            send: table.or("send", String::new(), problems, text),
            expect: table.or("expect", String::new(), problems, text),
        }),
        "icmp" => Probe::Icmp,
        "exec" => Probe::Exec(exec(table, problems)?),
        "agent" => Probe::Agent(AgentProbe { send: table.or("send", String::new(), problems, text) }),
        other => {
            table.rest_is_unknown();
            let other = other.escape_debug();
            problems.wrong(kind.span, format!("`type`: unknown type \"{other}\" of check: use one of {TYPES}"));
            return None;
        }
    };
    Some(template(name, probe, table, problems))
}

/// What checks of all types have.
fn template(name: &str, probe: Probe, table: &mut Table<'_, '_>, problems: &mut Problems) -> Check {
    let is_agent = matches!(probe, Probe::Agent(_));
    let says_weights = is_agent || matches!(&probe, Probe::Exec(exec) if exec.dynamic);
    let port = number(1..=u16::MAX);
    let port = match probe {
        Probe::Icmp => None,
        Probe::Agent(_) => table.required("port", "9707", problems, port),
        _ => table.optional("port", problems, port),
    };
    let can_go_through = matches!(probe, Probe::Tcp | Probe::Http(_) | Probe::Dns(_) | Probe::Udp(_));
    let through_vip = can_go_through && table.optional("through", problems, through).is_some();
    let shared = table.optional("shared", problems, boolean);
    if let Some(At { value: true, span }) = &shared
        && through_vip
    {
        let message =
            "`shared`: through the virtual address each service is asked for itself: leave out one of the two";
        problems.wrong(span.clone(), message);
    }
    Check {
        name: name.to_owned(),
        interval: table.or("interval", Duration::from_secs(5), problems, at_least_100),
        retry_interval: if is_agent { None } else { retry_interval(table, problems) },
        timeout: table.or("timeout", Duration::from_secs(3), problems, at_least_1),
        // An agent's word is taken at once.
        rise: if is_agent { 1 } else { table.or("rise", 2, problems, number(1..=1000)) },
        fall: if is_agent { 1 } else { table.or("fall", 3, problems, number(1..=1000)) },
        port: port.map(|port| port.value),
        shared: shared.is_some_and(|shared| shared.value),
        through_vip,
        origin: match probe {
            Probe::Exec(_) => Origin::default(),
            // The way of clients' packets is not the kernel's to choose.
            _ if through_vip => Origin { source: source(table, problems), ..Origin::default() },
            _ => origin(table, problems),
        },
        slow_start: table.or("slow_start", Duration::ZERO, problems, milliseconds(0)),
        feedback: if says_weights { feedback(table, problems) } else { Feedback::default() },
        probe,
    }
}

fn retry_interval(table: &mut Table<'_, '_>, problems: &mut Problems) -> Option<Duration> {
    table.optional("retry_interval", problems, at_least_100).map(|interval| interval.value)
}

fn http(table: &mut Table<'_, '_>, tls: Option<Tls>, problems: &mut Problems) -> HttpProbe {
    let status = table.list("status", problems, status).map(|list| list.value.into_iter().map(|one| one.value));
    HttpProbe {
        tls,
        host: table.optional("host", problems, host).map(|host| host.value),
        path: table.or("path", "/".to_owned(), problems, path),
        status: status.map_or_else(|| vec![200..=399], Iterator::collect),
        body: table.optional("body", problems, text).map(|body| body.value),
    }
}

fn tls(table: &mut Table<'_, '_>, problems: &mut Problems) -> Tls {
    let verify = table.or("verify", false, problems, boolean);
    let ca = table.optional("ca", problems, absolute);
    if let Some(At { span, .. }) = &ca
        && !verify
    {
        problems.wrong(span.clone(), "`ca` is of use with verify = true only: add that, or leave it out");
    }
    Tls { verify, ca: ca.map(|ca| ca.value) }
}

fn dns(table: &mut Table<'_, '_>, problems: &mut Problems) -> Option<DnsProbe> {
    let name = table.required("name", "\"www.example.org\"", problems, name);
    let record = table.or("record", "A".to_owned(), problems, record);
    let any_answer = table.or("any_answer", false, problems, boolean);
    Some(DnsProbe { name: name?.value, record, any_answer })
}

fn exec(table: &mut Table<'_, '_>, problems: &mut Problems) -> Option<ExecProbe> {
    let command = table.required_list("command", "[\"/usr/local/bin/check\", \"{address}\"]", problems, argument);
    let dynamic = table.or("dynamic", false, problems, boolean);
    let At { value, span } = command?;
    let command: Vec<_> = value.into_iter().map(|argument| argument.value).collect();
    if !command.first().is_some_and(|program| program.starts_with('/')) {
        problems.wrong(span, "`command`: expected a program's absolute path and its arguments, as [\"/bin/true\"]");
    }
    Some(ExecProbe { command, dynamic })
}

fn source(table: &mut Table<'_, '_>, problems: &mut Problems) -> Option<IpAddr> {
    let address = written::<IpAddr>("an IP address, as \"10.0.0.1\"");
    table.optional("source", problems, address).map(|source| source.value)
}

fn origin(table: &mut Table<'_, '_>, problems: &mut Problems) -> Origin {
    Origin {
        source: source(table, problems),
        interface: table.optional("interface", problems, interface).map(|interface| interface.value),
        mark: table.optional("mark", problems, number(1..=u32::MAX)).map(|mark| mark.value),
    }
}

fn feedback(table: &mut Table<'_, '_>, problems: &mut Problems) -> Feedback {
    let default = Feedback::default();
    let least = table.or("weight_min", default.bounds.0, problems, number(1..=100));
    let most = table.optional("weight_max", problems, number(1..=1000));
    if let Some(At { value, span }) = &most
        && *value < least
    {
        problems.wrong(span.clone(), format!("`weight_max` is {value}, less than `weight_min`, which is {least}"));
    }
    Feedback {
        smoothing: table.or("smoothing", default.smoothing, problems, number(1..=100)),
        bounds: (least, most.map_or(default.bounds.1, |most| most.value)),
        interval: table.or("weight_interval", default.interval, problems, milliseconds(1000)),
    }
}

fn through(value: &DeValue<'_>) -> Result<(), String> {
    match string(value)? {
        "vip" => Ok(()),
        other => Err(format!("expected \"vip\", the virtual address, found \"{}\"", other.escape_debug())),
    }
}

fn milliseconds(least: u64) -> impl Fn(&DeValue<'_>) -> Result<Duration, String> {
    move |value| number(least..=TIME_MAX)(value).map(Duration::from_millis)
}

fn at_least_100(value: &DeValue<'_>) -> Result<Duration, String> {
    milliseconds(100)(value)
}

fn at_least_1(value: &DeValue<'_>) -> Result<Duration, String> {
    milliseconds(1)(value)
}

/// `"200"`, `"200-299"`, or a number.
fn status(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, String> {
    if matches!(value, DeValue::Integer(_)) {
        return number(100..=599)(value).map(|one| one..=one);
    }
    let text = string(value)?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first >= 100 && last <= 599 && first <= last => Ok(first..=last),
        _ => Err(format!("expected status codes, as 200 or \"200-299\", found \"{}\"", text.escape_debug())),
    }
}

/// A name or an address, with a port or without: no byte of it may end the header it is written into.
fn host(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    if text.is_empty() || !clean || text.len() > 255 {
        return Err(format!("expected a host's name, as \"www.example.org\", found \"{}\"", text.escape_debug()));
    }
    Ok(text.to_owned())
}

fn path(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    if !text.starts_with('/') || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!(
            "expected a path that begins with \"/\", without spaces (%20) and non-ASCII letters, found \"{}\"",
            text.escape_debug()
        ));
    }
    Ok(text.to_owned())
}

fn absolute(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let text = string(value)?;
    if !text.starts_with('/') || text.contains('\0') {
        return Err(format!("expected a file's absolute path, found \"{}\"", text.escape_debug()));
    }
    Ok(PathBuf::from(text))
}

fn name(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    let labels = text.strip_suffix('.').unwrap_or(text).split('.');
    let clean = |label: &str| !label.is_empty() && label.len() < 64 && label.bytes().all(|b| b.is_ascii_graphic());
    if text != "." && (text.len() > 253 || !labels.into_iter().all(clean)) {
        return Err(format!("expected a DNS name, as \"www.example.org\", found \"{}\"", text.escape_debug()));
    }
    Ok(text.to_owned())
}

fn record(value: &DeValue<'_>) -> Result<String, String> {
    const RECORDS: [&str; 10] = ["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "ANY"];
    let text = string(value)?;
    if RECORDS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("unknown type of record \"{}\": use one of {}", text.escape_debug(), RECORDS.join(", ")))
}

fn argument(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    if text.contains('\0') { Err("an argument can't contain \\0".to_owned()) } else { Ok(text.to_owned()) }
}

fn interface(value: &DeValue<'_>) -> Result<String, String> {
    let name = string(value)?;
    if name.is_empty() || name.len() > 15 || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err(format!("expected an interface's name, as \"ulvs1\", found \"{}\"", name.escape_debug()));
    }
    Ok(name.to_owned())
}
