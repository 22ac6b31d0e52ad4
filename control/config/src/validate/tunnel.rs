use ulvs_model::{Encapsulation, ForwardMethod};

use crate::draft::DraftTunnel;
use crate::problems::{Problems, Span};

/// What packets travel in; `place` is the real server's. Absent if it is wrong, which is reported or was.
pub(super) fn encapsulation(
    draft: Option<DraftTunnel>,
    method: ForwardMethod,
    place: &Span,
    problems: &mut Problems,
) -> Option<Encapsulation> {
    let DraftTunnel { kind, port, checksum } = draft?;
    let (at_kind, at_port) = (kind.as_ref().map(|kind| &kind.span), port.as_ref().map(|port| &port.span));
    let at_checksum = checksum.as_ref().map(|checksum| &checksum.span);
    if method != ForwardMethod::Tun {
        let keys = [("tun_type", at_kind), ("tun_port", at_port), ("tun_checksum", at_checksum)];
        let Some((key, span)) = keys.into_iter().find_map(|(key, span)| Some((key, span?))) else {
            return Some(Encapsulation::default());
        };
        let message = format!("`{key}`: method \"{method}\" is no tunnel: leave it out, or use \"tun\"");
        problems.wrong(span.clone(), message);
        return None;
    }
    let made = Encapsulation::new(
        kind.as_ref().map(|kind| kind.value).unwrap_or_default(),
        port.as_ref().map(|port| port.value),
        checksum.as_ref().map(|checksum| checksum.value),
    );
    match made {
        Ok(encapsulation) => Some(encapsulation),
        Err(error) => {
            let said = if error.key() == "tun_port" { at_port } else { at_checksum };
            let span = said.or(at_kind).unwrap_or(place);
            problems.wrong(span.clone(), error.to_string());
            None
        }
    }
}
