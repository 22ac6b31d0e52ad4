use std::ops::RangeInclusive;

use ::toml::de::DeValue;

use super::table::Table;
use super::value::{number, parsed, prefix, string, text};
use crate::draft::DraftMarkRule;
use crate::problems::Problems;

/// One `[[mark]]`.
pub(super) fn read(table: &mut Table<'_, '_>, problems: &mut Problems) -> DraftMarkRule {
    let ports = |table: &mut Table<'_, '_>, key, problems: &mut Problems| {
        let list = table.list(key, problems, ports).map_or_else(Vec::new, |list| list.value);
        list.into_iter().map(|range| range.value).collect()
    };
    DraftMarkRule {
        mark: table.required("mark", "1", problems, number(0..=u32::MAX)).map(|mark| mark.value),
        source: table.optional("source", problems, prefix),
        destination: table.optional("destination", problems, prefix),
        protocol: table.optional("protocol", problems, parsed).map(|protocol| protocol.value),
        source_ports: ports(table, "source_ports", problems),
        destination_ports: ports(table, "destination_ports", problems),
        port: table.optional("port", problems, text),
        span: table.span(),
    }
}

/// `80` or `"8000-8080"`.
fn ports(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, String> {
    if let DeValue::Integer(_) = value {
        return number(0..=u16::MAX)(value).map(|port| port..=port);
    }
    let text = string(value)?;
    let range = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    let range = range.filter(|(first, last)| first <= last).map(|(first, last): (u16, u16)| first..=last);
    range
        .ok_or_else(|| format!("expected a port or a range, as 80 or \"8000-8080\", found \"{}\"", text.escape_debug()))
}
