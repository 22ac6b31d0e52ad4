use std::collections::HashSet;
use std::net::IpAddr;

use super::ports::Names;
use crate::draft::{DraftNeighbour, DraftRoute};
use crate::problems::{At, Problems};
use crate::{StaticNeighbour, StaticRoute};

/// The static routes. One that lacks something is left out; that was reported.
pub(super) fn routes(drafts: Vec<DraftRoute>, names: &Names, problems: &mut Problems) -> Vec<StaticRoute> {
    let mut seen = HashSet::new();
    let mut routes = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let port = draft.port.and_then(|port| names.find(&port, problems));
        let Some(At { value: prefix, span }) = draft.prefix else { continue };
        if prefix != prefix.trunc() {
            problems.wrong(span.clone(), format!("{prefix} is an address in a network: write {}", prefix.trunc()));
        }
        if !seen.insert(prefix.trunc()) {
            problems.wrong(span, format!("another route leads to {}: remove one of them", prefix.trunc()));
        }
        if let Some(At { value: via, span }) = &draft.via {
            if via.is_ipv4() != prefix.addr().is_ipv4() {
                let message =
                    format!("gateway {via} is of another address family than {prefix}: use one of the prefix's");
                problems.wrong(span.clone(), message);
            } else if !is_host(*via) {
                problems.wrong(span.clone(), format!("{via} is not the address of one host"));
            }
        }
        if let Some(port) = port {
            routes.push(StaticRoute { prefix, via: draft.via.map(|via| via.value), port });
        }
    }
    routes
}

/// The static neighbours. One that lacks something is left out; that was reported.
pub(super) fn neighbours(drafts: Vec<DraftNeighbour>, names: &Names, problems: &mut Problems) -> Vec<StaticNeighbour> {
    let mut seen = HashSet::new();
    let mut neighbours = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let port = draft.port.and_then(|port| names.find(&port, problems));
        let Some(At { value: address, span }) = draft.address else { continue };
        if !is_host(address) {
            problems.wrong(span, format!("{address} is not the address of one host"));
        } else if port.is_some_and(|port| !seen.insert((address, port))) {
            problems.wrong(span, format!("neighbour {address} is there twice on this port: remove one of them"));
        }
        if let (Some(mac), Some(port)) = (draft.mac, port) {
            neighbours.push(StaticNeighbour { address, mac, port });
        }
    }
    neighbours
}

fn is_host(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(broadcast || ip.is_unspecified() || ip.is_multicast() || ip.is_loopback())
}
