//! `ulvsctl drain` and `undrain`.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use ulvs_api::{Client, Drain, DrainQuery, DrainRequest, DrainStatus, Drained, ServiceStatus, path};

use crate::now;
use crate::services::address;
use crate::table::Align::{Left, Right};
use crate::table::Table;
use crate::units::{count, span};

/// How often connections are counted.
const LOOK: Duration = Duration::from_millis(500);

/// How long beyond its deadline a removal is waited for.
const LATE: Duration = Duration::from_secs(30);

/// A real server of a service.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The service: 192.0.2.100:80, with its protocol in front where both have that address: udp:192.0.2.100:53; or its
    /// firewall mark: mark:7
    service: String,
    /// The real server: 10.0.0.11:8080, without the port where that is clear
    real_server: String,
}

/// How a real server is emptied.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    named: Option<Named>,
    /// List the real servers that are drained, and how far they are.
    #[arg(long, conflicts_with_all = ["service", "real_server", "wait", "timeout", "remove"])]
    list: bool,
    /// Wait until its active connections are gone, and show them as they fall.
    #[arg(long)]
    wait: bool,
    /// How long to wait, or with `--remove` when it is taken out at the latest: 60s, 5m, 1h.
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    timeout: Duration,
    /// ulvsd takes it out when it is empty or its time is over, also without this command; `undrain` puts it back.
    #[arg(long)]
    remove: bool,
}

/// Gives a real server no new connections.
pub(crate) fn drain(client: &Client, options: &Options, json: bool, out: &mut impl Write) -> Result<()> {
    let Some(named) = &options.named else { return list(client, json, now(), out) };
    let found = find(&client.services()?, named)?;
    let (name, timeout) = (found.real_server, options.timeout.as_secs());
    let remove_within = options.remove.then(|| u32::try_from(timeout).unwrap_or(u32::MAX));
    client.drain(&wish(&found, Drain::Quiescent, remove_within))?;
    if !options.wait {
        let left = left(&client.drain_status(&found)?);
        let then = if options.remove {
            format!("; it is taken out when it is empty, or after {timeout} s")
        } else {
            String::new()
        };
        return Ok(writeln!(out, "{name} gets no new connections{then}: {left}")?);
    }
    if options.remove {
        return until_removed(client, &found, options.timeout, out);
    }
    let last = watch(client, &found, options.timeout, |status| status.active_connections == 0, out)?;
    if last.active_connections > 0 {
        out.flush()?;
        bail!("{name} is not empty after {timeout} s: {}; it stays drained until `ulvsctl undrain`", left(&last));
    }
    Ok(writeln!(out, "{name} is empty, and stays drained until `ulvsctl undrain`")?)
}

/// Gives a real server its weight again.
pub(crate) fn undrain(client: &Client, named: &Named, out: &mut impl Write) -> Result<()> {
    let found = find(&client.services()?, named)?;
    let changed = client.drain(&wish(&found, Drain::No, None))?;
    let was = if changed.changes.is_empty() { "was not drained" } else { "is no longer drained" };
    Ok(writeln!(out, "{} {was}", found.real_server)?)
}

fn until_removed(client: &Client, found: &DrainQuery, timeout: Duration, out: &mut impl Write) -> Result<()> {
    let name = found.real_server;
    let mut before = DrainStatus::default();
    let is_removed = |status: &DrainStatus| {
        let is_removed = status.drain == Drain::Removed;
        if !is_removed {
            before = status.clone();
        }
        is_removed
    };
    let last = watch(client, found, timeout + LATE, is_removed, out)?;
    if last.drain != Drain::Removed {
        out.flush()?;
        bail!("ulvsd has not taken {name} out, though its time is over: see its log");
    }
    let cut = match before.active_connections {
        0 => String::new(),
        _ => format!(" after {} s, with {}", timeout.as_secs(), left(&before)),
    };
    Ok(writeln!(out, "{name} is taken out{cut}, until `ulvsctl undrain`")?)
}

/// Until it is as it should be, or the time is over; what was seen last. Nothing depends on it: ulvsd does what was wished.
fn watch(
    client: &Client,
    found: &DrainQuery,
    longest: Duration,
    mut is_done: impl FnMut(&DrainStatus) -> bool,
    out: &mut impl Write,
) -> Result<DrainStatus> {
    let deadline = Instant::now() + longest;
    let mut shown = None;
    loop {
        let status = client.drain_status(found)?;
        if status.drain == Drain::No {
            bail!("somebody has ended the draining of {}: nothing more is done", found.real_server);
        }
        let is_done = is_done(&status);
        if status.drain == Drain::Quiescent && shown != Some(status.active_connections) {
            writeln!(out, "{}", left(&status))?;
            out.flush()?;
            shown = Some(status.active_connections);
        }
        let rest = deadline.saturating_duration_since(Instant::now());
        if is_done || rest.is_zero() {
            return Ok(status);
        }
        sleep(rest.min(LOOK));
    }
}

fn list(client: &Client, json: bool, now: u64, out: &mut impl Write) -> Result<()> {
    if json {
        return Ok(writeln!(out, "{}", client.get_text(path::DRAINS)?)?);
    }
    Ok(write!(out, "{}", render(&client.drains()?, now))?)
}

/// `now` is in seconds since 1970.
fn render(drained: &[Drained], now: u64) -> String {
    if drained.is_empty() {
        return "nothing is drained\n".to_owned();
    }
    let mut table = Table::new([
        ("PROT", Left),
        ("SERVICE", Left),
        ("REAL SERVER", Left),
        ("STATE", Left),
        ("ACTIVE", Right),
        ("INACTIVE", Right),
        ("CLIENTS", Right),
    ]);
    for one in drained {
        let DrainStatus { drain, removal, active_connections, inactive_connections, persistent_clients } = one.status;
        table.row([
            one.protocol.to_uppercase(),
            address(one.service, one.mark),
            one.real_server.to_string(),
            state(drain, removal, now),
            count(active_connections),
            count(inactive_connections),
            count(persistent_clients),
        ]);
    }
    table.to_string()
}

/// `drained`, `drained, out within 42s`, `removed`.
pub(crate) fn state(drain: Drain, removal: Option<u64>, now: u64) -> String {
    match (drain, removal) {
        (Drain::No, _) => String::new(),
        (Drain::Quiescent, None) => "drained".to_owned(),
        (Drain::Quiescent, Some(removal)) => format!("drained, out within {}", span(removal.saturating_sub(now))),
        (Drain::Removed, _) => "removed".to_owned(),
    }
}

fn wish(found: &DrainQuery, drain: Drain, remove_within: Option<u32>) -> DrainRequest {
    let DrainQuery { protocol, service, mark, real_server } = found;
    let (protocol, service, mark, real_server) = (protocol.clone(), *service, *mark, *real_server);
    DrainRequest { protocol, service, mark, real_server, drain, remove_within, dry_run: false }
}

fn left(status: &DrainStatus) -> String {
    let plural = if status.active_connections == 1 { "" } else { "s" };
    format!("{} active connection{plural}, {} inactive", status.active_connections, status.inactive_connections)
}

/// The one real server that is meant.
fn find(services: &[ServiceStatus], named: &Named) -> Result<DrainQuery> {
    let service = service(services, &named.service)?;
    let (ip, port) = match (named.real_server.parse::<SocketAddr>(), named.real_server.parse::<IpAddr>()) {
        (Ok(address), _) => (address.ip(), Some(address.port())),
        (_, Ok(ip)) => (ip, None),
        _ => bail!("\"{}\" is no real server: write its address and port, as 10.0.0.11:8080", named.real_server),
    };
    let addresses = service.real_servers.iter().map(|one| one.address);
    let is_it = |one: &SocketAddr| one.ip() == ip && port.is_none_or(|port| port == one.port());
    match addresses.filter(is_it).collect::<Vec<_>>()[..] {
        [real_server] => {
            let (protocol, address, mark) = (service.protocol.clone(), service.address, service.mark);
            Ok(DrainQuery { protocol, service: address, mark, real_server })
        }
        [] => bail!("service {} has no real server {}", named.service, named.real_server),
        _ => bail!("service {} has several real servers at {ip}: write the port, too", named.service),
    }
}

/// The one service that is meant: by its address, with or without its protocol, or by its mark.
fn service<'a>(services: &'a [ServiceStatus], name: &str) -> Result<&'a ServiceStatus> {
    let found: Vec<_> = match name.split_once(':') {
        Some(("mark", mark)) => {
            let (number, is_v6) = mark.strip_suffix(" (IPv6)").map_or((mark, false), |number| (number, true));
            let Ok(number) = number.parse::<u32>() else {
                bail!("\"{name}\" is no service: write a firewall mark as mark:7, or \"mark:7 (IPv6)\"");
            };
            services.iter().filter(|one| one.mark == Some(number) && one.address.is_ipv6() == is_v6).collect()
        }
        split => {
            let (protocol, address) = match split {
                Some((protocol @ ("tcp" | "udp" | "sctp"), address)) => (Some(protocol), address),
                _ => (None, name),
            };
            let Ok(address) = address.parse::<SocketAddr>() else {
                bail!(
                    "\"{name}\" is no service: write its address and port, as 192.0.2.100:80, or its mark, as mark:7"
                );
            };
            let is_of = |one: &ServiceStatus| protocol.is_none_or(|protocol| protocol == one.protocol);
            services.iter().filter(|one| one.mark.is_none() && one.address == address && is_of(one)).collect()
        }
    };
    match found[..] {
        [one] => Ok(one),
        [] => bail!("there is no service {name}: `ulvsctl services` lists them"),
        [one, other, ..] => {
            let (one, other) = (&one.protocol, &other.protocol);
            bail!("{name} is a service of {one} and of {other}: write {one}:{name} or {other}:{name}")
        }
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (digits, factor) = match text.as_bytes() {
        [.., b's'] => (&text[..text.len() - 1], 1),
        [.., b'm'] => (&text[..text.len() - 1], 60),
        [.., b'h'] => (&text[..text.len() - 1], 3600),
        _ => (text, 1),
    };
    let number = digits.parse::<u32>().map_err(|_| "write seconds, or a time as 60s, 5m or 1h".to_owned())?;
    Ok(Duration::from_secs(u64::from(number) * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drained_real_servers_are_a_table() {
        let status = DrainStatus {
            drain: Drain::Quiescent,
            removal: Some(142),
            active_connections: 3,
            inactive_connections: 12,
            persistent_clients: 1,
        };
        let one = Drained {
            protocol: "tcp".into(),
            service: "192.0.2.100:80".parse().unwrap(),
            mark: None,
            real_server: "10.0.0.11:8080".parse().unwrap(),
            status: status.clone(),
        };
        let removed = DrainStatus { drain: Drain::Removed, removal: None, ..status };
        let expected = "\
PROT  SERVICE         REAL SERVER     STATE                    ACTIVE  INACTIVE  CLIENTS
TCP   192.0.2.100:80  10.0.0.11:8080  drained, out within 42s       3        12        1
TCP   192.0.2.100:80  10.0.0.11:8080  removed                       3        12        1
";
        assert_eq!(render(&[one.clone(), Drained { status: removed, ..one }], 100), expected);
        assert_eq!(render(&[], 0), "nothing is drained\n");
    }

    #[test]
    fn a_time_has_a_unit_or_is_seconds() {
        let read: Vec<_> = ["60s", "90", "5m", "1h"].map(|text| duration(text).unwrap().as_secs()).into();
        assert_eq!(read, [60, 90, 300, 3600]);
        for wrong in ["", "s", "1d", "-1s", "1.5s", "5ms", "ß"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
