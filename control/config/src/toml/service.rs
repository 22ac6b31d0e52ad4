use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::str::FromStr;

use ::toml::de::DeValue;
use ulvs_model::{Family, Persistence, PersistenceEngine, Protocol, SchedulerKind, ServiceKey, Weight};

use super::source_limit;
use super::table::Table;
use super::tunnel;
use super::value::{boolean, number, parsed, string, text, written};
use crate::draft::{DraftChecked, DraftNetmask, DraftRealServer, DraftService};
use crate::problems::{At, Problems, Span};

/// One `[[service]]` with its real servers.
pub(super) fn read(table: &mut Table<'_, '_>, problems: &mut Problems) -> DraftService {
    DraftService {
        key: key(table, problems),
        scheduler: table.or("scheduler", SchedulerKind::default(), problems, parsed),
        flags: table.list("flags", problems, text).map_or_else(Vec::new, |flags| flags.value),
        persistence: table
            .optional("persistence", problems, number(1..=Persistence::LONGEST))
            .map(|seconds| seconds.value),
        has_persistence: table.has("persistence"),
        netmask: table.optional("netmask", problems, netmask),
        persistence_engine: table.optional("persistence_engine", problems, engine),
        one_packet: table.optional("one_packet", problems, boolean),
        source_limit: source_limit::read(table, problems),
        real_servers: table.sections("real_server", problems, real_server),
        checked: checked(table, problems),
    }
}

fn engine(value: &DeValue<'_>) -> Result<PersistenceEngine, String> {
    let name = string(value)?;
    PersistenceEngine::from_name(name)
        .ok_or_else(|| format!("unknown persistence engine \"{}\": there is sip", name.escape_debug()))
}

/// An address and a protocol, or a mark and perhaps a family.
fn key(table: &mut Table<'_, '_>, problems: &mut Problems) -> Option<At<ServiceKey>> {
    let mark = table.optional("mark", problems, mark);
    let family = table.optional("family", problems, family);
    if !table.has("mark") {
        if let Some(At { span, .. }) = family {
            problems.wrong(span, "`family` is of a service by mark: the address says it of this one");
        }
        let protocol = table.required("protocol", "\"tcp\"", problems, parsed);
        let address = table.required("address", "\"192.0.2.100:80\"", problems, address);
        let (protocol, address) = (protocol?.value, address?);
        return Some(At { value: ServiceKey::new(protocol, address.value), span: address.span });
    }
    let protocol = table.optional("protocol", problems, parsed::<Protocol>).map(|found| ("protocol", found.span));
    let address = table.optional("address", problems, address).map(|found| ("address", found.span));
    for (key, span) in protocol.into_iter().chain(address) {
        problems
            .wrong(span, format!("`{key}`: a service by mark has none, for the rules in [[mark]] say what it is for"));
    }
    let At { value: mark, span } = mark?;
    Some(At { value: ServiceKey::Mark { family: family.map(|family| family.value).unwrap_or_default(), mark }, span })
}

fn mark(value: &DeValue<'_>) -> Result<NonZeroU32, String> {
    let mark = number(1..=u32::MAX)(value)?;
    NonZeroU32::new(mark).ok_or_else(|| "a mark is not 0".to_owned())
}

fn family(value: &DeValue<'_>) -> Result<Family, String> {
    match string(value)? {
        "ipv4" => Ok(Family::V4),
        "ipv6" => Ok(Family::V6),
        other => Err(format!("expected \"ipv4\" or \"ipv6\", found \"{}\"", other.escape_debug())),
    }
}

fn checked(table: &mut Table<'_, '_>, problems: &mut Problems) -> DraftChecked {
    let checks = table.list("checks", problems, text).map(|list| list.value).unwrap_or_default();
    let inhibit_on_failure = table.optional("inhibit_on_failure", problems, boolean);
    let quorum = table.optional("quorum", problems, number(1..=u32::MAX));
    let hysteresis = table.or("hysteresis", 0, problems, number(0..=u32::MAX));
    let place = |span: &Span| At { value: (), span: span.clone() };
    let mut first = quorum.as_ref().map(|quorum| place(&quorum.span));
    first = first.or_else(|| inhibit_on_failure.as_ref().map(|inhibit| place(&inhibit.span)));
    let sorry_server = table.section("sorry_server", problems, |table, problems| {
        first = first.take().or_else(|| Some(place(&table.span())));
        sorry_server(table, problems)
    });
    DraftChecked {
        checks,
        inhibit_on_failure: inhibit_on_failure.is_some_and(|inhibit| inhibit.value),
        quorum,
        hysteresis,
        sorry_server,
        place: first,
    }
}

fn sorry_server(table: &mut Table<'_, '_>, problems: &mut Problems) -> DraftRealServer {
    let address = table.required("address", "\"10.0.0.19:8080\"", problems, real_server_address);
    let method = table.required("method", "\"nat\"", problems, parsed);
    let port = address.as_ref().and_then(|address| address.value.1);
    DraftRealServer {
        ip: address.map(|address| At { value: address.value.0, span: address.span }),
        port,
        method: method.map(|method| method.value),
        tunnel: tunnel::read(table, problems),
        weight: Weight::default(),
        upper_threshold: 0,
        lower_threshold: None,
        checks: None,
    }
}

fn real_server(table: &mut Table<'_, '_>, problems: &mut Problems) -> DraftRealServer {
    let address = table.required("address", "\"10.0.0.11:8080\"", problems, real_server_address);
    let port = address.as_ref().and_then(|address| address.value.1);
    DraftRealServer {
        ip: address.map(|address| At { value: address.value.0, span: address.span }),
        port,
        method: table.required("method", "\"nat\"", problems, parsed).map(|method| method.value),
        tunnel: tunnel::read(table, problems),
        weight: table.or("weight", Weight::default(), problems, weight),
        upper_threshold: table.or("upper_threshold", 0, problems, threshold),
        lower_threshold: table.optional("lower_threshold", problems, threshold),
        checks: table.list("checks", problems, text).map(|list| list.value),
    }
}

fn address(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    let Host(address) = written("an IP address and a port, as \"192.0.2.100:80\" or \"[2001:db8::100]:53\"")(value)?;
    Ok(address)
}

/// An address and a port without a zone: a zone belongs to link-local addresses, and would make two of one address.
struct Host(SocketAddr);

impl FromStr for Host {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let address = text.parse().map_err(drop)?;
        if text.contains('%') { Err(()) } else { Ok(Self(address)) }
    }
}

/// An address, and a port if it isn't the service's.
fn real_server_address(value: &DeValue<'_>) -> Result<(IpAddr, Option<u16>), String> {
    let text = string(value)?;
    if let Ok(Host(address)) = text.parse() {
        return Ok((address.ip(), Some(address.port())));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).filter(|text| text.contains(':'));
    bare.unwrap_or(text).parse().map(|ip| (ip, None)).map_err(|_| {
        format!(
            "expected an IP address, or one with a port, as \"10.0.0.11\", \"10.0.0.11:8080\" or \"[2001:db8::11]:8080\", \
             found \"{}\"",
            text.escape_debug()
        )
    })
}

fn netmask(value: &DeValue<'_>) -> Result<DraftNetmask, String> {
    match value {
        DeValue::Integer(_) => number(0..=128)(value).map(DraftNetmask::Length),
        _ => written("a mask as \"255.255.255.0\", or the length of a prefix as 64")(value).map(DraftNetmask::Mask),
    }
}

fn weight(value: &DeValue<'_>) -> Result<Weight, String> {
    let number = number(0..=i64::from(i32::MAX))(value)?;
    Weight::new(number).ok_or_else(|| format!("{number} is no weight"))
}

fn threshold(value: &DeValue<'_>) -> Result<u32, String> {
    number(0..=i32::MAX.cast_unsigned())(value)
}
