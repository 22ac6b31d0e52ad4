//! Readers of a check's values.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ::toml::de::DeValue;

use super::super::value::{number, string};

/// The longest time anything of a check may take.
const TIME_MAX: u64 = 24 * 60 * 60 * 1000;

pub(super) fn through(value: &DeValue<'_>) -> Result<(), String> {
    match string(value)? {
        "vip" => Ok(()),
        other => Err(format!("expected \"vip\", the virtual address, found \"{}\"", other.escape_debug())),
    }
}

pub(super) fn milliseconds(least: u64) -> impl Fn(&DeValue<'_>) -> Result<Duration, String> {
    move |value| number(least..=TIME_MAX)(value).map(Duration::from_millis)
}

pub(super) fn at_least_100(value: &DeValue<'_>) -> Result<Duration, String> {
    milliseconds(100)(value)
}

pub(super) fn at_least_1(value: &DeValue<'_>) -> Result<Duration, String> {
    milliseconds(1)(value)
}

/// `"200"`, `"200-299"`, or a number.
pub(super) fn status(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, String> {
    if matches!(value, DeValue::Integer(_)) {
        return number(100..=599)(value).map(|one| one..=one);
    }
    let text = string(value)?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first >= 100 && last <= 599 && first <= last => Ok(first..=last),
        _ => Err(format!("expected status codes, as 200 or \"200-299\", found \"{}\"", text.escape_debug())),
    }
}

/// A name or an address, with a port or without: no byte of it may end the header it is written into.
pub(super) fn host(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    if text.is_empty() || !clean || text.len() > 255 {
        return Err(format!("expected a host's name, as \"www.example.org\", found \"{}\"", text.escape_debug()));
    }
    Ok(text.to_owned())
}

pub(super) fn path(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    if !text.starts_with('/') || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!(
            "expected a path that begins with \"/\", without spaces (%20) and non-ASCII letters, found \"{}\"",
            text.escape_debug()
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn absolute(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let text = string(value)?;
    if !text.starts_with('/') || text.contains('\0') {
        return Err(format!("expected a file's absolute path, found \"{}\"", text.escape_debug()));
    }
    Ok(PathBuf::from(text))
}

pub(super) fn name(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    let labels = text.strip_suffix('.').unwrap_or(text).split('.');
    let clean = |label: &str| !label.is_empty() && label.len() < 64 && label.bytes().all(|b| b.is_ascii_graphic());
    if text != "." && (text.len() > 253 || !labels.into_iter().all(clean)) {
        return Err(format!("expected a DNS name, as \"www.example.org\", found \"{}\"", text.escape_debug()));
    }
    Ok(text.to_owned())
}

pub(super) fn record(value: &DeValue<'_>) -> Result<String, String> {
    const RECORDS: [&str; 10] = ["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "ANY"];
    let text = string(value)?;
    if RECORDS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("unknown type of record \"{}\": use one of {}", text.escape_debug(), RECORDS.join(", ")))
}

pub(super) fn argument(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    if text.contains('\0') { Err("an argument can't contain \\0".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn interface(value: &DeValue<'_>) -> Result<String, String> {
    let name = string(value)?;
    if name.is_empty() || name.len() > 15 || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err(format!("expected an interface's name, as \"ulvs1\", found \"{}\"", name.escape_debug()));
    }
    Ok(name.to_owned())
}

/// The name that an SMTP server is greeted by: no byte of it may end the command.
pub(super) fn greeter(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    if text.is_empty() || text.len() > 255 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!("expected a host's name, as \"lb.example.org\", found \"{}\"", text.escape_debug()));
    }
    Ok(text.to_owned())
}
