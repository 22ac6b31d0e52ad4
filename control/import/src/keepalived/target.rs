//! What virtual servers, groups and real servers name: addresses with ports, ranges of them, marks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::syntax::Statement;
use crate::Imported;

/// Addresses of one range.
const LONGEST_RANGE: u128 = 255;

/// What a virtual server is for: an address and a port, or a mark.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Address(SocketAddr),
    Mark(u32),
}

/// The groups by their names.
pub(super) fn groups(statements: &[Statement], imported: &mut Imported) -> HashMap<String, Vec<Target>> {
    let mut groups = HashMap::new();
    for statement in
        statements.iter().filter(|one| one.words.first().is_some_and(|word| word == "virtual_server_group"))
    {
        let mut targets = Vec::new();
        for member in statement.block.iter().flatten() {
            match target(&member.words) {
                Ok(found) => targets.extend(found),
                Err(reason) => imported.remark(member.line, reason),
            }
        }
        groups.insert(statement.words.get(1).cloned().unwrap_or_default(), targets);
    }
    groups
}

/// `IP PORT`, `IP-LAST PORT`, `fwmark N`.
pub(super) fn target(words: &[String]) -> Result<Vec<Target>, String> {
    let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
    if word(0) == "fwmark" {
        let mark = word(1).parse().map_err(|_| format!("fwmark {}: a number was expected", word(1)))?;
        return Ok(vec![Target::Mark(mark)]);
    }
    let port = match word(1) {
        "" => 0,
        port => port.parse().map_err(|_| format!("{} {port}: \"{port}\" is no port", word(0)))?,
    };
    let addresses = range(word(0)).ok_or_else(|| format!("\"{}\" is no address", word(0)))?;
    Ok(addresses.into_iter().map(|ip| Target::Address(SocketAddr::new(ip, port))).collect())
}

/// `192.0.2.1` or `192.0.2.1-9`, the last part of the last address; hexadecimal in IPv6.
fn range(text: &str) -> Option<Vec<IpAddr>> {
    let Some((first, last)) = text.split_once('-') else { return Some(vec![text.parse().ok()?]) };
    match first.parse().ok()? {
        IpAddr::V4(first) => {
            let first = first.to_bits();
            let last = (first & !0xff) | u32::from(last.parse::<u8>().ok()?);
            (first <= last).then(|| (first..=last).map(|bits| Ipv4Addr::from_bits(bits).into()).collect())
        }
        IpAddr::V6(first) => {
            let first = first.to_bits();
            let last = (first & !0xffff) | u128::from(u16::from_str_radix(last, 16).ok()?);
            let is_range = first <= last && last - first <= LONGEST_RANGE;
            is_range.then(|| (first..=last).map(|bits| Ipv6Addr::from_bits(bits).into()).collect())
        }
    }
}
