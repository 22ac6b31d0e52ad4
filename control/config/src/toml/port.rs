use ::toml::de::DeValue;

use super::table::Table;
use super::value::{boolean, number, parsed, prefix, string};
use crate::draft::{DraftPort, Tap};
use crate::problems::{At, Problems};

/// DPDK's `RTE_MAX_QUEUES_PER_PORT`.
const QUEUES_MAX: u16 = 1024;

/// An interface's longest name: the kernel's `IFNAMSIZ` without its closing zero.
const INTERFACE_MAX: usize = 15;

/// The longest name of a port.
const NAME_MAX: usize = 32;

/// One `[[port]]`.
pub(super) fn read(table: &mut Table<'_, '_>, problems: &mut Problems) -> DraftPort {
    let tap = table.optional("tap", problems, tap);
    DraftPort {
        name: table.required("name", "\"wan\"", problems, name),
        device: table.required("device", "\"net_af_packet0,iface=eth0\"", problems, parsed),
        queues: table.optional("queues", problems, number(1..=QUEUES_MAX)),
        tap: match tap {
            None => Tap::Default,
            Some(At { value: None, .. }) => Tap::Off,
            Some(At { value: Some(value), span }) => Tap::Named(At { value, span }),
        },
        mtu: table.optional("mtu", problems, number(68..=9600)),
        mac: table.optional("mac", problems, parsed).map(|mac| mac.value),
        promiscuous: table.or("promiscuous", false, problems, boolean),
        addresses: table.list("addresses", problems, prefix).map(|list| list.value).unwrap_or_default(),
        span: table.span(),
    }
}

fn name(value: &DeValue<'_>) -> Result<String, String> {
    let name = string(value)?;
    let clean = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if name.is_empty() || !clean || name.len() > NAME_MAX {
        return Err(format!(
            "expected at most {NAME_MAX} letters, digits, \"_\", \"-\" and \".\", found \"{}\"",
            name.escape_debug()
        ));
    }
    Ok(name.to_owned())
}

fn tap(value: &DeValue<'_>) -> Result<Option<String>, String> {
    match value {
        DeValue::Boolean(false) => return Ok(None),
        DeValue::String(_) => {}
        _ => return Err("expected an interface name, as \"ulvs0\", or false for no twin".to_owned()),
    }
    let name = string(value)?;
    // What the kernel's dev_valid_name() and iproute2 refuse; `%` would be a pattern.
    let bad = |c: char| c.is_whitespace() || c.is_control() || "/:%".contains(c);
    if name.is_empty() || name.len() > INTERFACE_MAX || name == "." || name == ".." || name.contains(bad) {
        return Err(format!(
            "\"{}\" can't name an interface: use 1 to {INTERFACE_MAX} bytes without spaces, \"/\", \":\" and \"%\"",
            name.escape_debug()
        ));
    }
    Ok(Some(name.to_owned()))
}
