//! The sections that are a few numbers and names.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ::toml::de::DeValue;
use ulvs_model::{Family, ServiceKey};

use super::table::Table;
use super::value::{number, parsed, string, written};
use crate::problems::Problems;
use crate::{Api, Connections, Console, Destinations, Flows, Ftp, Metrics, Neighbours, State};

/// The longest timeout ipvsadm takes: 31 days (ipvs-facts D.4).
const TIMEOUT_MAX: u64 = 31 * 24 * 60 * 60;

/// The longest path of a unix socket: `sun_path` without its closing zero.
const SOCKET_PATH_MAX: usize = 107;

/// `[connections]`
pub(super) fn connections(table: &mut Table<'_, '_>, problems: &mut Problems) -> Connections {
    let default = Connections::default();
    Connections {
        capacity: table.or("capacity", default.capacity, problems, number(1024..=1 << 30)),
        timeout_tcp: table.or("timeout_tcp", default.timeout_tcp, problems, seconds),
        timeout_tcp_fin: table.or("timeout_tcp_fin", default.timeout_tcp_fin, problems, seconds),
        timeout_udp: table.or("timeout_udp", default.timeout_udp, problems, seconds),
    }
}

/// `[destinations]`
pub(super) fn destinations(table: &mut Table<'_, '_>, problems: &mut Problems) -> Destinations {
    let default = Destinations::default();
    Destinations { capacity: table.or("capacity", default.capacity, problems, number(1..=1 << 24)) }
}

/// `[api]`
pub(super) fn api(table: &mut Table<'_, '_>, problems: &mut Problems) -> Api {
    let default = Api::default();
    Api { socket: table.or("socket", default.socket, problems, socket) }
}

/// `[state]`
pub(super) fn state(table: &mut Table<'_, '_>, problems: &mut Problems) -> State {
    let default = State::default();
    State { folder: table.or("folder", default.folder, problems, folder) }
}

/// `[ftp]`
pub(super) fn ftp(table: &mut Table<'_, '_>, problems: &mut Problems) -> Ftp {
    let Some(ports) = table.list("ports", problems, number(1..=u16::MAX)) else {
        return Ftp::default();
    };
    if ports.value.len() > Ftp::MOST {
        problems
            .wrong(ports.span, format!("`ports`: {} ports, and at most {} can be FTP's", ports.value.len(), Ftp::MOST));
    }
    Ftp { ports: ports.value.into_iter().map(|port| port.value).collect() }
}

/// `[metrics]`
pub(super) fn metrics(table: &mut Table<'_, '_>, problems: &mut Problems) -> Metrics {
    let default = Metrics::default();
    let services = table.list("services", problems, service_key);
    Metrics {
        listen: table.or("listen", default.listen, problems, listen),
        level: table.or("level", default.level, problems, parsed),
        services: services.map_or_else(Vec::new, |list| list.value.into_iter().map(|one| one.value).collect()),
    }
}

/// `[console]`
pub(super) fn console(table: &mut Table<'_, '_>, problems: &mut Problems) -> Console {
    let default = Console::default();
    Console {
        listen: table.or("listen", default.listen, problems, listen),
        token_file: table.or("token_file", default.token_file, problems, |value| file(value).map(Some)),
        names: table
            .list("names", problems, host_name)
            .map_or(default.names, |names| names.value.into_iter().map(|name| name.value).collect()),
    }
}

/// `[flows]`
pub(super) fn flows(table: &mut Table<'_, '_>, problems: &mut Problems) -> Flows {
    let default = Flows::default();
    Flows {
        json: table.or("json", default.json, problems, flow_file),
        ipfix: table.or("ipfix", default.ipfix, problems, collector),
        queue: table.or("queue", default.queue, problems, number(64..=1 << 24)),
    }
}

/// `[neighbours]`
pub(super) fn neighbours(table: &mut Table<'_, '_>, problems: &mut Problems) -> Neighbours {
    let default = Neighbours::default();
    Neighbours {
        wait: table.or("wait", default.wait, problems, |value| number(0..=60_000)(value).map(Duration::from_millis)),
        queue: table.or("queue", default.queue, problems, number(0..=65_536)),
    }
}

fn seconds(value: &DeValue<'_>) -> Result<Duration, String> {
    number(1..=TIMEOUT_MAX)(value).map(Duration::from_secs)
}

fn socket(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let path = string(value)?;
    if !path.starts_with('/') || path.ends_with('/') || path.len() > SOCKET_PATH_MAX || path.contains('\0') {
        return Err(format!(
            "expected a file's absolute path of at most {SOCKET_PATH_MAX} bytes, as \"/run/ulvs/api.sock\", found \"{}\"",
            path.escape_debug()
        ));
    }
    Ok(PathBuf::from(path))
}

fn file(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let path = string(value)?;
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        let expected = "expected a file's absolute path, as \"/etc/ulvs/console.token\"";
        return Err(format!("{expected}, found \"{}\"", path.escape_debug()));
    }
    Ok(PathBuf::from(path))
}

fn flow_file(value: &DeValue<'_>) -> Result<Option<PathBuf>, String> {
    match string(value)? {
        "off" => Ok(None),
        path if path.starts_with('/') && !path.ends_with('/') && !path.contains('\0') => Ok(Some(PathBuf::from(path))),
        path => Err(format!(
            "expected \"off\" or a file's absolute path, as \"/var/log/ulvs/flows.json\", found \"{}\"",
            path.escape_debug()
        )),
    }
}

/// Where datagrams are sent to.
fn collector(value: &DeValue<'_>) -> Result<Option<SocketAddr>, String> {
    if string(value)? == "off" {
        return Ok(None);
    }
    let expected = "\"off\" or a collector's address with a port, as \"192.0.2.50:4739\"";
    let address: SocketAddr = written(expected)(value)?;
    if address.port() == 0 || address.ip().is_unspecified() {
        return Err(format!("expected {expected}, found \"{address}\""));
    }
    Ok(Some(address))
}

/// A name as it stands in an address that a browser is given, without a port.
fn host_name(value: &DeValue<'_>) -> Result<String, String> {
    let name = string(value)?;
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if name.is_empty() || name.len() > 253 || !name.bytes().all(is_of_names) {
        let expected = "expected the name of a host without a port, as \"lb.example.net\"";
        return Err(format!("{expected}, found \"{}\"", name.escape_debug()));
    }
    Ok(name.to_ascii_lowercase())
}

fn folder(value: &DeValue<'_>) -> Result<Option<PathBuf>, String> {
    match string(value)? {
        "off" => Ok(None),
        path if path.starts_with('/') && !path.contains('\0') => Ok(Some(PathBuf::from(path))),
        path => Err(format!(
            "expected \"off\" or a folder's absolute path, as \"/var/lib/ulvs\", found \"{}\"",
            path.escape_debug()
        )),
    }
}

/// A service by its name, as it is logged: `tcp 192.0.2.100:80`, `mark 7`.
fn service_key(value: &DeValue<'_>) -> Result<ServiceKey, String> {
    let text = string(value)?;
    let read = || {
        let (kind, rest) = text.split_once(' ')?;
        if kind == "mark" {
            let (mark, family) = rest.strip_suffix(" (IPv6)").map_or((rest, Family::V4), |mark| (mark, Family::V6));
            return Some(ServiceKey::Mark { family, mark: mark.parse().ok()? });
        }
        Some(ServiceKey::new(kind.parse().ok()?, rest.parse().ok()?))
    };
    read().ok_or_else(|| {
        let text = text.escape_debug();
        format!("expected a service, as \"tcp 192.0.2.100:80\", \"mark 7\" or \"mark 7 (IPv6)\", found \"{text}\"")
    })
}

fn listen(value: &DeValue<'_>) -> Result<Option<SocketAddr>, String> {
    if string(value)? == "off" {
        return Ok(None);
    }
    written("\"off\" or an address with a port, as \"127.0.0.1:9477\"")(value).map(Some)
}
