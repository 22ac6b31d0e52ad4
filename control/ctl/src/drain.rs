//! `ulvsctl drain` and `undrain`.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use ulvs_api::{Client, Drain, DrainQuery, DrainRequest, DrainStatus, ServiceStatus};

/// How often connections are counted.
const LOOK: Duration = Duration::from_millis(500);

/// A real server of a service.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The service: 192.0.2.100:80, with its protocol in front where both have that address: udp:192.0.2.100:53
    service: String,
    /// The real server: 10.0.0.11:8080, without the port where that is clear
    real_server: String,
}

/// How a real server is emptied.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    named: Named,
    /// Wait until its active connections are gone, and show them as they fall.
    #[arg(long)]
    wait: bool,
    /// How long to wait, as 60s, 5m or 1h.
    #[arg(long, default_value = "60s", value_parser = duration, requires = "wait", value_name = "TIME")]
    timeout: Duration,
    /// Then take it out, with the connections that are left; `undrain` puts it back.
    #[arg(long, requires = "wait")]
    remove: bool,
}

/// Gives a real server no new connections.
pub(crate) fn drain(client: &Client, options: &Options, out: &mut impl Write) -> Result<()> {
    let found = find(&client.services()?, &options.named)?;
    let (name, timeout) = (found.real_server, options.timeout.as_secs());
    client.drain(&wish(&found, Drain::Quiescent))?;
    if !options.wait {
        let left = left(&client.drain_status(&found)?);
        return Ok(writeln!(out, "{name} gets no new connections: {left}")?);
    }
    let last = wait(client, &found, options.timeout, out)?;
    match (last.active_connections > 0, options.remove) {
        (false, false) => writeln!(out, "{name} is empty, and stays drained until `ulvsctl undrain`")?,
        (true, false) => {
            out.flush()?;
            bail!("{name} is not empty after {timeout} s: {}; it stays drained until `ulvsctl undrain`", left(&last));
        }
        (remains, true) => {
            client.drain(&wish(&found, Drain::Removed))?;
            let cut = if remains { format!(" after {timeout} s, with {}", left(&last)) } else { String::new() };
            writeln!(out, "{name} is taken out{cut}, until `ulvsctl undrain`")?;
        }
    }
    Ok(())
}

/// Gives a real server its weight again.
pub(crate) fn undrain(client: &Client, named: &Named, out: &mut impl Write) -> Result<()> {
    let found = find(&client.services()?, named)?;
    let changed = client.drain(&wish(&found, Drain::No))?;
    let was = if changed.changes.is_empty() { "was not drained" } else { "is no longer drained" };
    Ok(writeln!(out, "{} {was}", found.real_server)?)
}

/// Until no active connection is left or the time is over; what was counted last.
fn wait(client: &Client, found: &DrainQuery, timeout: Duration, out: &mut impl Write) -> Result<DrainStatus> {
    let deadline = Instant::now() + timeout;
    let mut shown = None;
    loop {
        let status = client.drain_status(found)?;
        if status.drain == Drain::No {
            bail!("somebody has ended the draining of {}: nothing more is done", found.real_server);
        }
        if shown != Some(status.active_connections) {
            writeln!(out, "{}", left(&status))?;
            out.flush()?;
            shown = Some(status.active_connections);
        }
        let rest = deadline.saturating_duration_since(Instant::now());
        if status.active_connections == 0 || rest.is_zero() {
            return Ok(status);
        }
        sleep(rest.min(LOOK));
    }
}

fn wish(found: &DrainQuery, drain: Drain) -> DrainRequest {
    let DrainQuery { protocol, service, real_server } = found;
    DrainRequest { protocol: protocol.clone(), service: *service, real_server: *real_server, drain }
}

fn left(status: &DrainStatus) -> String {
    let plural = if status.active_connections == 1 { "" } else { "s" };
    format!("{} active connection{plural}, {} inactive", status.active_connections, status.inactive_connections)
}

/// The one real server that is meant.
fn find(services: &[ServiceStatus], named: &Named) -> Result<DrainQuery> {
    let (protocol, address) = match named.service.split_once(':') {
        Some((protocol @ ("tcp" | "udp"), address)) => (Some(protocol), address),
        _ => (None, named.service.as_str()),
    };
    let Ok(address) = address.parse::<SocketAddr>() else {
        bail!("\"{}\" is no service: write its address and port, as 192.0.2.100:80", named.service);
    };
    let is_it = |one: &&ServiceStatus| one.address == address && protocol.is_none_or(|wanted| wanted == one.protocol);
    let service = match services.iter().filter(is_it).collect::<Vec<_>>()[..] {
        [one] => one,
        [] => bail!("there is no service {}: `ulvsctl services` lists them", named.service),
        _ => bail!("{address} is a service of tcp and of udp: write tcp:{address} or udp:{address}"),
    };
    let (ip, port) = match (named.real_server.parse::<SocketAddr>(), named.real_server.parse::<IpAddr>()) {
        (Ok(address), _) => (address.ip(), Some(address.port())),
        (_, Ok(ip)) => (ip, None),
        _ => bail!("\"{}\" is no real server: write its address and port, as 10.0.0.11:8080", named.real_server),
    };
    let addresses = service.real_servers.iter().map(|one| one.address);
    let is_it = |one: &SocketAddr| one.ip() == ip && port.is_none_or(|port| port == one.port());
    match addresses.filter(is_it).collect::<Vec<_>>()[..] {
        [real_server] => Ok(DrainQuery { protocol: service.protocol.clone(), service: service.address, real_server }),
        [] => bail!("{} {} has no real server {}", service.protocol, service.address, named.real_server),
        _ => bail!("{} {} has several real servers at {ip}: write the port, too", service.protocol, service.address),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
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
    fn a_time_has_a_unit_or_is_seconds() {
        let read: Vec<_> = ["60s", "90", "5m", "1h"].map(|text| duration(text).unwrap().as_secs()).into();
        assert_eq!(read, [60, 90, 300, 3600]);
        for wrong in ["", "s", "1d", "-1s", "1.5s", "5ms", "ß"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
