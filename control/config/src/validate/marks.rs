use ipnet::IpNet;

use super::ports::Names;
use crate::MarkRule;
use crate::draft::DraftMarkRule;
use crate::problems::{At, Problems};

/// The most rules: each packet without a connection looks at a bit of each.
const MOST_RULES: usize = 1024;
/// The most ranges of ports in a list, as of iptables' `multiport`.
const MOST_RANGES: usize = 15;

/// The rules of firewall marks. One that lacks something is left out; that was reported.
pub(super) fn rules(drafts: Vec<DraftMarkRule>, names: &Names, problems: &mut Problems) -> Vec<MarkRule> {
    if let Some(draft) = drafts.get(MOST_RULES) {
        let message = format!("there are {} tables [[mark]]: at most {MOST_RULES} are possible", drafts.len());
        problems.wrong(draft.span.clone(), message);
    }
    drafts.into_iter().filter_map(|draft| rule(draft, names, problems)).collect()
}

fn rule(draft: DraftMarkRule, names: &Names, problems: &mut Problems) -> Option<MarkRule> {
    let mut net = |net: Option<At<IpNet>>| {
        let At { value: net, span } = net?;
        if net != net.trunc() {
            problems.wrong(span, format!("{net} is an address in a network: write {}", net.trunc()));
        }
        Some(net.trunc())
    };
    let (source, destination) = (net(draft.source), net(draft.destination));
    if let (Some(from), Some(to)) = (source, destination)
        && from.addr().is_ipv4() != to.addr().is_ipv4()
    {
        let message = format!("no packet goes from {from} to {to}, which are of two address families");
        problems.wrong(draft.span.clone(), message);
    }
    for ports in [&draft.source_ports, &draft.destination_ports] {
        if ports.len() > MOST_RANGES {
            let message = format!("a list has {} ports: write at most {MOST_RANGES}, or ranges", ports.len());
            problems.wrong(draft.span.clone(), message);
        }
    }
    let port = match draft.port {
        None => None,
        Some(port) => Some(names.find(&port, problems)?),
    };
    Some(MarkRule {
        mark: draft.mark?,
        source,
        destination,
        protocol: draft.protocol,
        source_ports: draft.source_ports,
        destination_ports: draft.destination_ports,
        port,
    })
}
