//! A rehearsal as an explanation.

use std::net::SocketAddr;

use ulvs_api::{Explanation, Stage};
use ulvs_engine::conn::Connection;
use ulvs_engine::snapshot::PortId;
use ulvs_engine::{Frame, Rehearsal, Verdict};

use super::{Rehearsed, remedy, words};
use crate::devices::DirectorPort;

/// Of many real servers so many are told.
const CANDIDATES: usize = 16;

/// What is known of a packet, from a rehearsal or from what did happen.
pub(crate) struct Facts<'a> {
    /// As it came.
    pub(crate) frame: &'a [u8],
    /// As it leaves, if it does.
    pub(crate) left: Option<&'a [u8]>,
    /// `None`: the kernel sends it.
    pub(crate) ingress: Option<PortId>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) before: Option<Connection>,
    pub(crate) after: Option<Connection>,
    pub(crate) rehearsed: Option<&'a Rehearsed>,
}

/// What is known of a packet in words.
pub(crate) fn explanation(facts: &Facts<'_>, ports: &[DirectorPort]) -> Explanation {
    let name = |port: PortId| ports.get(usize::from(port.0)).map_or("?", |port| port.settings.name.as_str());
    let leaves = facts.left.map(words::packet);
    let mut stages = vec![stage(
        "receive",
        match facts.ingress {
            Some(port) => format!("It comes in by port {}.", name(port)),
            None => "The kernel sends it.".to_owned(),
        },
    )];
    stages.extend(connection(facts));
    if let Some(rehearsed) = facts.rehearsed
        && is_new(facts.before.as_ref(), facts.after.as_ref())
    {
        stages.extend(service(&rehearsed.rehearsal));
        stages.extend(persistence(&rehearsed.rehearsal));
        stages.extend(schedule(rehearsed));
    }
    if let Some(leaves) = &leaves {
        stages.push(stage("rewrite", format!("It becomes: {leaves}.")));
    }
    stages.extend(facts.verdict.map(|verdict| stage("verdict", said(verdict, &name))));
    let real_server = facts.after.as_ref().or(facts.before.as_ref());
    Explanation {
        packet: words::packet(facts.frame),
        stages,
        verdict: facts.verdict.map_or("forward", word).into(),
        reason: facts.verdict.and_then(reason).map(Into::into),
        real_server: real_server.map(|one| SocketAddr::new(one.destination, one.destination_port)),
        leaves,
        remedy: facts.verdict.and_then(remedy::of).map(str::to_owned),
    }
}

/// What was rehearsed in words.
pub(super) fn foretold(frame: &[u8], ingress: PortId, rehearsed: &Rehearsed, ports: &[DirectorPort]) -> Explanation {
    let rehearsal = &rehearsed.rehearsal;
    let facts = Facts {
        frame,
        left: egress(rehearsal.verdict).map(|_| rehearsal.frame.bytes()),
        ingress: Some(ingress),
        verdict: Some(rehearsal.verdict),
        before: rehearsal.before,
        after: rehearsal.after,
        rehearsed: Some(rehearsed),
    };
    explanation(&facts, ports)
}

fn stage(stage: &'static str, says: String) -> Stage {
    Stage { stage: stage.into(), says }
}

/// Whether the packet would be scheduled, or would have been if anybody could have it.
fn is_new(before: Option<&Connection>, after: Option<&Connection>) -> bool {
    match (before, after) {
        (None, _) => true,
        (Some(_), None) => false,
        // A connection that is over makes way for a new one of the same client port.
        (Some(before), Some(after)) => {
            (before.destination, before.destination_port) != (after.destination, after.destination_port)
        }
    }
}

fn connection(facts: &Facts<'_>) -> Option<Stage> {
    let is_error = facts.rehearsed.is_some_and(|rehearsed| rehearsed.rehearsal.is_error);
    if facts.rehearsed.is_some_and(|rehearsed| rehearsed.rehearsal.flow.is_none()) {
        return None;
    }
    let what = if is_error { "It is an ICMP error, and what it quotes" } else { "It" };
    let says = match (&facts.before, &facts.after) {
        (None, None) => format!("{what} belongs to no connection."),
        (None, Some(after)) => {
            format!("{what} belongs to no connection, and begins one: {}.", words::connection(after))
        }
        (Some(before), after) => {
            let was = format!("{what} belongs to the connection {}.", words::connection(before));
            match after {
                Some(after) if is_new(Some(before), Some(after)) => {
                    format!("{was} That is over, and another one begins: {}.", words::connection(after))
                }
                Some(after) if after.state != before.state => {
                    format!("{was} Its state becomes {}.", after.state_name())
                }
                Some(_) => format!("{was} Packets of a connection keep its real server."),
                None => was,
            }
        }
    };
    Some(stage("connection", says))
}

fn service(rehearsal: &Rehearsal) -> Option<Stage> {
    let key = rehearsal.flow.as_ref().filter(|_| !rehearsal.is_error)?;
    let mark = match rehearsal.mark {
        0 => String::new(),
        mark => format!("It has the firewall mark {mark}. "),
    };
    let says = if let Some(service) = rehearsal.service {
        let service = words::service(service);
        if rehearsal.is_call {
            format!("{mark}A real server of the service {service} begins a call with it, in the service's name.")
        } else {
            format!("{mark}It is for the service {service}.")
        }
    } else {
        let to = SocketAddr::new(key.destination().to_ip(key.family()), key.destination_port());
        format!("{mark}No service is {} {to}.", words::protocol(key.protocol()))
    };
    Some(stage("service", says))
}

fn persistence(rehearsal: &Rehearsal) -> Option<Stage> {
    let says = match &rehearsal.template {
        Some(template) if rehearsal.is_call => format!("Its call's template is {}.", words::connection(template)),
        Some(template) => format!("Its client's template is {}.", words::connection(template)),
        None if rehearsal.is_call => {
            "Its call has no template yet, and gets one that leads to the real server.".to_owned()
        }
        None => return None,
    };
    Some(stage("persistence", says))
}

/// Why it is this real server.
fn schedule(rehearsed: &Rehearsed) -> Option<Stage> {
    let rehearsal = &rehearsed.rehearsal;
    let settings = rehearsed.settings.filter(|_| rehearsal.service.is_some())?;
    if rehearsal.is_call {
        return Some(stage("schedule", "The real server is known, and no scheduler is asked.".to_owned()));
    }
    let by = match (&rehearsal.template, rehearsal.after) {
        (Some(template), Some(after)) if template.destination == after.destination => {
            return Some(stage("schedule", "The template decides, and no scheduler is asked.".to_owned()));
        }
        _ => format!("{}: {}", settings.scheduler.name(), words::rule(settings.scheduler)),
    };
    let chosen = match &rehearsal.after {
        Some(after) => format!("{} is chosen", SocketAddr::new(after.destination, after.destination_port)),
        None => "None is chosen".to_owned(),
    };
    let all = &rehearsal.candidates;
    let shown: Vec<_> = all.iter().take(CANDIDATES).map(words::candidate).collect();
    let more = match all.len().saturating_sub(CANDIDATES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let full = if rehearsal.is_full { " The connection table is full." } else { "" };
    Some(stage("schedule", format!("{by}. {chosen}, of {}{more}.{full}", listed(&shown))))
}

fn listed(shown: &[String]) -> String {
    if shown.is_empty() { "no real server".to_owned() } else { shown.join(", ") }
}

const fn egress(verdict: Verdict) -> Option<PortId> {
    match verdict {
        Verdict::Forward(port) | Verdict::Fragment(port) | Verdict::Reject(port, _) => Some(port),
        _ => None,
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Forward(_) => "forward",
        Verdict::Fragment(_) => "fragment",
        Verdict::Punt(_) => "kernel",
        Verdict::Drop(_) => "drop",
        Verdict::Reject(..) => "reject",
        Verdict::Wait => "wait",
        Verdict::Hold => "hold",
    }
}

const fn reason(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Drop(reason) | Verdict::Reject(_, reason) => Some(reason.label()),
        Verdict::Punt(reason) => Some(reason.label()),
        _ => None,
    }
}

fn said<'a>(verdict: Verdict, name: &impl Fn(PortId) -> &'a str) -> String {
    match verdict {
        Verdict::Forward(port) => format!("It is forwarded out of {}.", name(port)),
        Verdict::Fragment(port) => format!("It is forwarded out of {} in fragments.", name(port)),
        Verdict::Punt(reason) => format!("It is handed to the kernel ({}): {}", reason.label(), reason.description()),
        Verdict::Drop(reason) => format!("It is dropped ({}): {}", reason.label(), reason.description()),
        Verdict::Reject(port, reason) => {
            let told = format!("the sender gets an ICMP error out of {}", name(port));
            format!("It is dropped ({}), and {told}: {}", reason.label(), reason.description())
        }
        Verdict::Wait => "It waits for its next hop's hardware address.".to_owned(),
        Verdict::Hold => "It is a fragment and waits for the first one of its packet.".to_owned(),
    }
}
