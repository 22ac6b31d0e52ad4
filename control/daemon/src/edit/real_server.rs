use std::net::{IpAddr, SocketAddr};

use ulvs_api::RealServerEdit;
use ulvs_ipvs::table::{Command, Destination, DestinationId, DestinationSpec, Family, Service, ServiceId};
use ulvs_model::{ForwardMethod, Thresholds, Weight};

use super::{InField, tunnel};

/// Adds a real server.
pub(super) fn added(service: &Service, said: &RealServerEdit) -> Result<Command, InField> {
    let address = address(service, &said.real_server)?;
    if service.destination(&DestinationId(address)).is_some_and(|one| one.weight().is_some()) {
        let sentence = format!("{} has the real server {address} already: edit it", service.id());
        return Err(("real_server", sentence));
    }
    if said.method.is_none() {
        return Err(("method", "say how it is reached: nat, tun or dr".to_owned()));
    }
    let fresh = DestinationSpec { weight: Weight::default().get(), ..DestinationSpec::at(address) };
    merged(service, address, fresh, said).map(|spec| Command::NewDestination(*service.id(), Ok(spec)))
}

/// Edits a real server: what is not said stays.
pub(super) fn edited(service: &Service, said: &RealServerEdit) -> Result<Command, InField> {
    let known = known(service, &said.real_server)?;
    let (address, settings) = (known.id.0, known.settings);
    let now = DestinationSpec {
        method: settings.method,
        weight: settings.weight,
        upper: settings.upper,
        lower: settings.lower,
        tunnel: settings.tunnel,
        ..DestinationSpec::at(address)
    };
    merged(service, address, now, said).map(|spec| Command::SetDestination(*service.id(), Ok(spec)))
}

/// Removes a real server.
pub(super) fn removed(service: &Service, name: &str) -> Result<Command, InField> {
    let known = known(service, name)?;
    Ok(Command::DeleteDestination(*service.id(), Ok(DestinationSpec::at(known.id.0))))
}

fn merged(
    service: &Service,
    address: SocketAddr,
    mut spec: DestinationSpec,
    said: &RealServerEdit,
) -> Result<DestinationSpec, InField> {
    if let Some(name) = &said.method {
        let method: ForwardMethod =
            name.parse().map_err(|error: ulvs_model::UnknownName| ("method", error.to_string()))?;
        fits(service, address, method)?;
        spec.method = method.code();
    }
    spec.tunnel = tunnel::merged(&spec, said)?;
    if let Some(weight) = said.weight {
        spec.weight = at_most_i32("weight", weight)?;
    }
    if let Some(upper) = said.upper_threshold {
        at_most_i32("upper_threshold", upper)?;
        spec.upper = upper;
    }
    if let Some(lower) = said.lower_threshold {
        spec.lower = lower;
    }
    if Thresholds::new(spec.upper, spec.lower).is_none() {
        let field = if said.lower_threshold.is_some() { "lower_threshold" } else { "upper_threshold" };
        let sentence = format!("the lower threshold, {}, is above the upper, {}", spec.lower, spec.upper);
        return Err((field, sentence));
    }
    Ok(spec)
}

/// Whether a real server can be reached by this method.
fn fits(service: &Service, address: SocketAddr, method: ForwardMethod) -> Result<(), InField> {
    if method != ForwardMethod::Tun && Family::of(address.ip()) != service.id().family() {
        let sentence = format!("{address} is of another address family than the service: only tun crosses them");
        return Err(("method", sentence));
    }
    match service.id() {
        ServiceId::Address { address: served, .. }
            if method != ForwardMethod::Nat && address.port() != served.port() =>
        {
            let right = SocketAddr::new(address.ip(), served.port());
            Err(("method", format!("only nat changes ports: use it, or name the real server {right}")))
        }
        _ => Ok(()),
    }
}

fn at_most_i32(field: &'static str, number: u32) -> Result<i32, InField> {
    i32::try_from(number).map_err(|_| (field, format!("{number} is too much: at most {}", i32::MAX)))
}

fn known<'a>(service: &'a Service, name: &str) -> Result<&'a Destination, InField> {
    let address = address(service, name)?;
    let known = service.destination(&DestinationId(address));
    known.ok_or_else(|| ("real_server", format!("{} has no real server {address}", service.id())))
}

/// An address with its port, or with the service's.
fn address(service: &Service, text: &str) -> Result<SocketAddr, InField> {
    let served = match service.id() {
        ServiceId::Address { address, .. } => address.port(),
        ServiceId::Mark { .. } => 0,
    };
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).filter(|text| text.contains(':'));
    let without_port = bare.unwrap_or(text).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, served));
    // A zone belongs to link-local addresses, and would make two of one address.
    let read = without_port.ok().or_else(|| text.parse().ok()).filter(|_| !text.contains('%'));
    let address = read.ok_or_else(|| {
        let expected = "expected an IP address, or one with a port, as \"10.0.0.11\", \"10.0.0.11:8080\" or \"[2001:db8::11]:8080\"";
        ("real_server", format!("{expected}, found \"{}\"", text.escape_debug()))
    })?;
    if address.port() == 0 && served != 0 {
        let sentence = format!("a real server has no port 0: leave the port out, as clients' port {served} is it then");
        return Err(("real_server", sentence));
    }
    Ok(address)
}
