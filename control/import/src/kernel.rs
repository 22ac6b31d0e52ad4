//! The table of a kernel's IPVS, or of another ulvsd, by its own protocol.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use ulvs_ipvs::client::{Client, Listed};
use ulvs_ipvs::table::{DestinationSpec, Family, ServiceId, ServiceSpec, Timeouts};
use ulvs_model::ForwardMethod;

use crate::{Guard, Id, Imported, Netmask, Persistence, RealServer, Service, Way};

/// Reads the kernel's table.
///
/// # Errors
/// A sentence: the kernel has no IPVS, or doesn't let this user see it.
pub fn read_kernel() -> Result<Imported, String> {
    let client = Client::kernel().map_err(|error| format!("the kernel's netlink can't be asked: {error}"))?;
    read(client).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "the kernel has no IPVS (no netlink family of that name): load it with `modprobe \
                                    ip_vs` if the table should be there, or import the text of `ipvsadm -S -n`"
            .to_owned(),
        io::ErrorKind::PermissionDenied => "the kernel lets only root look at IPVS: run this as root".to_owned(),
        _ => format!("the kernel's IPVS can't be read: {error}"),
    })
}

/// Reads the table behind a socket that ulvsd serves.
///
/// # Errors
/// A sentence.
pub fn read_socket(path: &Path) -> Result<Imported, String> {
    let failed = |error: io::Error| format!("{} can't be asked: {error}", path.display());
    read(Client::socket(path).map_err(failed)?).map_err(failed)
}

fn read(mut client: Client) -> io::Result<Imported> {
    let mut imported = Imported::default();
    settings(client.timeouts()?, client.daemons()?, &mut imported);
    for listed in client.services()? {
        let service = service(&listed, &mut imported);
        imported.services.push(service);
    }
    Ok(imported)
}

/// What is not of a service has no place in a drop-in.
fn settings(timeouts: Timeouts, daemons: usize, imported: &mut Imported) {
    let Timeouts { tcp, tcp_fin, udp } = timeouts;
    if timeouts != Timeouts::default() {
        let keys = format!("timeout_tcp = {tcp}, timeout_tcp_fin = {tcp_fin} and timeout_udp = {udp}");
        imported.remark(
            0,
            format!("its timeouts (`ipvsadm --set`) are not the usual ones: say {keys} in [connections] of ulvs.toml"),
        );
    }
    if daemons > 0 {
        imported.remark(0, "its sync daemons are left out: ulvs does not synchronise connections");
    }
}

fn service(listed: &Listed, imported: &mut Imported) -> Service {
    const PERSISTENT: u32 = 1;
    const ONE_PACKET: u32 = 4;
    let spec = &listed.service;
    let mut persistence = Persistence::default();
    let id = match spec.id {
        ServiceId::Mark { family, mark } => Id::Mark { mark, is_v6: family == Family::V6 },
        ServiceId::Address { protocol, address } => {
            let protocol = match protocol {
                6 => "tcp".to_owned(),
                17 => "udp".to_owned(),
                132 => "sctp".to_owned(),
                other => other.to_string(),
            };
            Id::Address { protocol, address }
        }
    };
    if spec.flags & PERSISTENT != 0 {
        persistence = persistence_of(spec);
    }
    let one_packet = spec.flags & ONE_PACKET != 0;
    let flags = [(8, "flag-1"), (16, "flag-2"), (32, "flag-3")].into_iter();
    let flags = flags.filter(|(bit, _)| spec.flags & bit != 0).map(|(_, flag)| flag.to_owned()).collect();
    let engine = Some(&spec.engine).filter(|engine| !matches!(engine.as_str(), "" | "sip"));
    let real_servers = listed.destinations.iter().rev().filter_map(|one| real_server(one, &id, imported)).collect();
    Service {
        line: 0,
        id,
        scheduler: spec.scheduler.clone(),
        flags,
        persistence,
        one_packet,
        lacking: engine.map(|engine| format!("persistence engine {engine}")).into_iter().collect(),
        real_servers,
        guard: Guard::default(),
    }
}

/// The mask is an address in IPv4, the length of a prefix in IPv6.
fn persistence_of(spec: &ServiceSpec) -> Persistence {
    let netmask = match spec.id.family() {
        Family::V4 => Netmask::V4(spec.netmask.to_ne_bytes().into()),
        Family::V6 => Netmask::V6(u8::try_from(spec.netmask).unwrap_or(128)),
    };
    let is_every_address = matches!(netmask, Netmask::V4(Ipv4Addr::BROADCAST) | Netmask::V6(128));
    Persistence {
        seconds: Some(spec.timeout),
        netmask: (!is_every_address).then_some(netmask),
        by_call: spec.engine == "sip",
    }
}

fn real_server(spec: &DestinationSpec, service: &Id, imported: &mut Imported) -> Option<RealServer> {
    let family = if spec.family == 10 { Family::V6 } else { Family::V4 };
    let address = SocketAddr::new(family.address(spec.address), spec.port);
    let Some(method) = ForwardMethod::from_code(spec.method) else {
        let remark = format!("real server {address} of {service} has method {}; it is left out", spec.method);
        imported.remark(0, remark);
        return None;
    };
    let mut way = Way::from(method);
    if method == ForwardMethod::Tun {
        let Some(tunnel) = spec.tunnel.encapsulation() else {
            let kind = spec.tunnel.kind.0;
            imported
                .remark(0, format!("real server {address} of {service} has a tunnel of type {kind}; it is left out"));
            return None;
        };
        way.tunnel = tunnel;
    }
    let weight = u32::try_from(spec.weight).unwrap_or_default();
    Some(RealServer { address, way, weight, upper: spec.upper, lower: spec.lower, checks: Vec::new() })
}
