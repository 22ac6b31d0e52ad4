mod value;

use std::net::IpAddr;
use std::time::Duration;

use super::table::Table;
use super::value::{boolean, number, text, written};
use crate::check::{
    AgentProbe, Check, DnsProbe, ExecProbe, Feedback, HttpProbe, Origin, Probe, SmtpProbe, Tls, UdpProbe,
};
use crate::problems::{At, Problems};
use value::{
    absolute, argument, at_least_1, at_least_100, greeter, host, interface, milliseconds, name, path, record, status,
    through,
};

/// The types there are.
const TYPES: &str = "tcp, http, https, dns, udp, smtp, icmp, exec, agent";

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
        "smtp" => Probe::Smtp(SmtpProbe { helo: table.optional("helo", problems, greeter).map(|name| name.value) }),
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
    let can_go_through = matches!(probe, Probe::Tcp | Probe::Http(_) | Probe::Dns(_) | Probe::Udp(_) | Probe::Smtp(_));
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
        digest: table
            .optional("digest", problems, written("an MD5 sum of 32 hexadecimal digits, as `genhash` prints"))
            .map(|digest| digest.value),
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
