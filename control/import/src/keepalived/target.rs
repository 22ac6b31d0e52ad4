//! What virtual servers, groups and real servers name: addresses with ports, ranges of them, marks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::syntax::Statement;
use crate::Imported;

/// Addresses of one range. keepalived has no limit; each is a service.
const LONGEST_RANGE: u128 = 4096;

/// What a virtual server is for: an address and a port, or a mark.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Address(SocketAddr),
    /// And whether it is of IPv6 packets, if that is said.
    Mark(u32, Option<bool>),
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

/// `IP PORT`, `RANGE PORT`, `fwmark N [inet|inet6]`.
pub(super) fn target(words: &[String]) -> Result<Vec<Target>, String> {
    let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
    if word(0) == "fwmark" {
        let mark = word(1).parse().map_err(|_| format!("fwmark {}: a number was expected", word(1)))?;
        let is_v6 = match word(2) {
            "" => None,
            "inet" => Some(false),
            "inet6" => Some(true),
            other => return Err(format!("fwmark {mark} {other}: inet or inet6 was expected")),
        };
        return Ok(vec![Target::Mark(mark, is_v6)]);
    }
    let port = match word(1) {
        "" => 0,
        port => port.parse().map_err(|_| format!("{} {port}: \"{port}\" is no port", word(0)))?,
    };
    let addresses = range(word(0)).map_err(|reason| format!("\"{}\" {reason}", word(0)))?;
    Ok(addresses.into_iter().map(|ip| Target::Address(SocketAddr::new(ip, port))).collect())
}

/// `192.0.2.1`, `192.0.2.1-9` with the last part of the last address (hexadecimal in IPv6), `192.0.2.1-192.0.2.9`, `192.0.2.8/29`.
fn range(text: &str) -> Result<Vec<IpAddr>, String> {
    let none = || "is no address".to_owned();
    let address = |text: &str| text.parse::<IpAddr>().map_err(|_| none());
    if let Some((first, length)) = text.split_once('/') {
        let first = address(first)?;
        let bits = if first.is_ipv4() { 32_u32 } else { 128 };
        let free = length.parse::<u32>().ok().and_then(|length| bits.checked_sub(length)).ok_or_else(none)?;
        let mask = 1_u128.checked_shl(free).unwrap_or(0).wrapping_sub(1);
        if bits_of(first) & mask != 0 {
            return Err("has bits behind its mask, and keepalived skips it".to_owned());
        }
        return between(first, bits_of(first) | mask);
    }
    let Some((first, last)) = text.split_once('-') else { return Ok(vec![address(text)?]) };
    let first = address(first)?;
    let last = match (first, last.parse::<IpAddr>()) {
        (_, Ok(last)) if last.is_ipv4() == first.is_ipv4() => Some(bits_of(last)),
        (_, Ok(_)) => None,
        (IpAddr::V4(_), _) => last.parse::<u8>().ok().map(|last| bits_of(first) & !0xff | u128::from(last)),
        (IpAddr::V6(_), _) => {
            u16::from_str_radix(last, 16).ok().map(|last| bits_of(first) & !0xffff | u128::from(last))
        }
    };
    between(first, last.ok_or_else(none)?)
}

fn bits_of(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// All from an address to the one with these bits.
fn between(first: IpAddr, last: u128) -> Result<Vec<IpAddr>, String> {
    let address = |bits: u128| match first {
        // as many bits as the first one has
        IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(bits).into(),
    };
    match last.checked_sub(bits_of(first)) {
        None => Err("ends before it begins".to_owned()),
        Some(length) if length >= LONGEST_RANGE => Err(format!("has more than {LONGEST_RANGE} addresses")),
        Some(length) => Ok((0..=length).map(|at| address(bits_of(first) + at)).collect()),
    }
}
