//! Both sides of a packet, each with a word about what became of it.

use ulvs_engine::Verdict;
use ulvs_engine::snapshot::PortId;
use ulvs_worker::capture::{Part, Recorded};

use super::pcapng::Way;
use crate::devices::DirectorPort;

/// A packet on one of the director's ports.
#[derive(Debug)]
pub(super) struct Side<'a> {
    pub(super) port: PortId,
    pub(super) way: Way,
    pub(super) part: Part,
    pub(super) bytes: &'a [u8],
    pub(super) comment: String,
}

/// As it came, and as it left, if it did. One that had waited was told of when it came.
pub(super) fn sides<'a>(recorded: &'a Recorded, ports: &[DirectorPort]) -> impl Iterator<Item = Side<'a>> {
    let record = &recorded.record;
    let name = |port: PortId| ports.get(usize::from(port.0)).map_or("?", |port| port.settings.name.as_str());
    let came = record.ingress.filter(|_| !record.again || record.egress.is_none()).map(|port| Side {
        port,
        way: Way::In,
        part: record.before,
        bytes: recorded.before(),
        comment: fate(record.verdict, record.again, &name),
    });
    let left = record.egress.map(|port| Side {
        port,
        way: Way::Out,
        part: record.after,
        bytes: recorded.after(),
        comment: origin(record.verdict, record.ingress.map(name)),
    });
    came.into_iter().chain(left)
}

/// What became of a packet that came in.
fn fate<'a>(verdict: Option<Verdict>, again: bool, name: &impl Fn(PortId) -> &'a str) -> String {
    let fate = match verdict {
        None => String::new(),
        Some(Verdict::Forward(port)) => format!("forwarded out of {}", name(port)),
        Some(Verdict::Fragment(port)) => format!("forwarded out of {} in fragments", name(port)),
        Some(Verdict::Punt(reason)) => format!("to the kernel: {}: {}", reason.label(), reason.description()),
        Some(Verdict::Drop(reason)) => format!("dropped: {}: {}", reason.label(), reason.description()),
        Some(Verdict::Reject(port, reason)) => {
            let told = "the sender is told by ICMP out of";
            format!("dropped: {}: {} ({told} {})", reason.label(), reason.description(), name(port))
        }
        Some(Verdict::Hold) => "waits for the first fragment of its packet".to_owned(),
        Some(Verdict::Wait) => "waits for its next hop's hardware address".to_owned(),
    };
    if again { format!("after it had waited: {fate}") } else { fate }
}

/// What a packet that leaves is.
fn origin(verdict: Option<Verdict>, from: Option<&str>) -> String {
    match (verdict, from) {
        (Some(Verdict::Reject(_, reason)), Some(from)) => format!("ICMP error to {from}: {}", reason.label()),
        (Some(Verdict::Fragment(_)), Some(from)) => format!("forwarded from {from}, before it is cut into fragments"),
        (_, Some(from)) => format!("forwarded from {from}"),
        (_, None) => "of the kernel".to_owned(),
    }
}
