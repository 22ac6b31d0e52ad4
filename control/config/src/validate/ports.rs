use std::collections::{HashMap, HashSet};

use ipnet::IpNet;

use crate::draft::{DraftPort, Tap};
use crate::problems::{At, Problems};
use crate::{Port, Workers};

/// The MTU of a port whose file says none.
const MTU: u16 = 1500;

/// The least MTU IPv6 works with (RFC 8200, section 5).
const IPV6_MTU_MIN: u16 = 1280;

/// The ports by their names.
pub(super) struct Names {
    places: HashMap<String, usize>,
    /// The names in the file's order, for messages.
    list: String,
    /// Whether every port has a name that can be read.
    whole: bool,
}

impl Names {
    pub(super) fn of(ports: &[DraftPort]) -> Self {
        let names = || ports.iter().filter_map(|port| port.name.as_ref());
        let places =
            ports.iter().enumerate().rev().filter_map(|(place, port)| Some((port.name.as_ref()?.value.clone(), place)));
        let quoted: Vec<String> = names().map(|name| format!("\"{}\"", name.value)).collect();
        Self { places: places.collect(), list: quoted.join(", "), whole: names().count() == ports.len() }
    }

    /// The place of the port that `name` names.
    pub(super) fn find(&self, name: &At<String>, problems: &mut Problems) -> Option<usize> {
        let place = self.places.get(&name.value).copied();
        if place.is_none() && self.whole {
            let remedy =
                if self.list.is_empty() { "there is none".to_owned() } else { format!("there is {}", self.list) };
            problems
                .doubtful(name.span.clone(), format!("no port is named \"{}\": {remedy}", name.value.escape_debug()));
        }
        place
    }
}

/// The ports. A port that lacks something is left out; that was reported.
pub(super) fn validate(drafts: Vec<DraftPort>, workers: Option<&Workers>, problems: &mut Problems) -> Vec<Port> {
    let mut seen = Seen::default();
    let mut ports = Vec::with_capacity(drafts.len());
    for (place, draft) in drafts.into_iter().enumerate() {
        seen.check(place, &draft, problems);
        check_mtu(&draft, problems);
        check_queues(&draft, workers, problems);
        let (Some(name), Some(device)) = (draft.name, draft.device) else { continue };
        let tap = twin(place, &draft.tap).map(|tap| tap.value);
        ports.push(Port {
            name: name.value,
            device: device.value,
            queues: draft.queues.map(|queues| queues.value),
            tap,
            mtu: draft.mtu.map_or(MTU, |mtu| mtu.value),
            mac: draft.mac,
            promiscuous: draft.promiscuous,
            addresses: draft.addresses.into_iter().map(|address| address.value).collect(),
        });
    }
    ports
}

/// What only one port can have.
#[derive(Default)]
struct Seen {
    names: HashSet<String>,
    devices: HashSet<String>,
    taps: HashSet<String>,
    addresses: HashSet<std::net::IpAddr>,
}

impl Seen {
    fn check(&mut self, place: usize, port: &DraftPort, problems: &mut Problems) {
        if let Some(At { value, span }) = &port.name
            && !self.names.insert(value.clone())
        {
            problems.wrong(span.clone(), format!("another port is named \"{value}\": give each its own name"));
        }
        if let Some(At { value, span }) = &port.device
            && !self.devices.insert(value.id().to_owned())
        {
            problems.wrong(span.clone(), format!("another port has device {}: give each its own", value.id()));
        }
        if let Some(tap) = twin(place, &port.tap)
            && !self.taps.insert(tap.value.clone())
        {
            let span = if matches!(port.tap, Tap::Named(_)) { tap.span } else { port.span.clone() };
            problems.wrong(span, format!("another port has tap \"{}\": give each its own with `tap`", tap.value));
        }
        for At { value, span } in &port.addresses {
            if !is_host(*value) {
                problems.wrong(span.clone(), format!("{} can't be the address of a port", value.addr()));
            } else if !self.addresses.insert(value.addr()) {
                problems.wrong(span.clone(), format!("{} is there twice: remove one of them", value.addr()));
            }
        }
    }
}

/// The TAP's name, with its place if it was given.
fn twin(place: usize, tap: &Tap) -> Option<At<String>> {
    match tap {
        Tap::Default => Some(At { value: format!("ulvs{place}"), span: 0..0 }),
        Tap::Named(name) => Some(name.clone()),
        Tap::Off => None,
    }
}

fn is_host(address: IpNet) -> bool {
    let ip = address.addr();
    let broadcast = match address {
        IpNet::V4(net) => net.prefix_len() < 31 && (net.addr() == net.broadcast() || net.addr() == net.network()),
        IpNet::V6(_) => false,
    };
    !(ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() || broadcast)
}

fn check_mtu(port: &DraftPort, problems: &mut Problems) {
    let has_ipv6 = port.addresses.iter().any(|address| address.value.addr().is_ipv6());
    if let Some(At { value, span }) = &port.mtu
        && *value < IPV6_MTU_MIN
        && has_ipv6
    {
        problems.wrong(
            span.clone(),
            format!("`mtu`: a port with IPv6 addresses needs at least {IPV6_MTU_MIN}, found {value}"),
        );
    }
}

fn check_queues(port: &DraftPort, workers: Option<&Workers>, problems: &mut Problems) {
    let Some(workers) = workers.map(|workers| workers.cores.len()) else { return };
    if let Some(At { value, span }) = &port.queues
        && usize::from(*value) > workers
    {
        let message = format!("`queues`: each queue needs a worker, and there are {workers}: write {workers} or less");
        problems.wrong(span.clone(), message);
    }
}
