//! Readers of single values; each says in a sentence what would be right.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ::toml::de::DeValue;
use ipnet::IpNet;

use super::kind;

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("expected true or false, found {}", kind(value)))
}

/// Any text.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, String> {
    string(value).map(ToOwned::to_owned)
}

/// A whole number in a range.
pub(super) fn number<T>(range: RangeInclusive<T>) -> impl Fn(&DeValue<'_>) -> Result<T, String>
where
    T: Copy + Display + PartialOrd + TryFrom<i128>,
{
    move |value| {
        let expected = || format!("expected a number from {} to {}", range.start(), range.end());
        let DeValue::Integer(integer) = value else {
            return Err(format!("{}, found {}", expected(), kind(value)));
        };
        let read = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let read = read.and_then(|n| T::try_from(n).ok()).filter(|n| range.contains(n));
        read.ok_or_else(|| format!("{}, found {integer}", expected()))
    }
}

/// A text that some type reads, with the type's own sentence if it can't.
pub(super) fn parsed<T>(value: &DeValue<'_>) -> Result<T, String>
where
    T: FromStr<Err: Display>,
{
    string(value)?.parse().map_err(|error: T::Err| error.to_string())
}

/// A text that some type reads; `expected` says how it looks.
pub(super) fn written<T: FromStr>(expected: &'static str) -> impl Fn(&DeValue<'_>) -> Result<T, String> {
    move |value| {
        let text = string(value)?;
        text.parse().map_err(|_| format!("expected {expected}, found \"{}\"", text.escape_debug()))
    }
}

/// An address with the length of its prefix.
pub(super) fn prefix(value: &DeValue<'_>) -> Result<IpNet, String> {
    let text = string(value)?;
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        let whole = if address.is_ipv4() { 32 } else { 128 };
        return Err(format!("{address} lacks the length of its prefix: write {address}/{whole} for the address alone"));
    }
    written("an address with the length of its prefix, as 192.0.2.1/24")(value)
}

/// A text of the file, as it is there.
pub(super) fn string<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("expected a string in quotes, found {}", kind(value)))
}
