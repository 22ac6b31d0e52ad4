use std::borrow::Cow;

use ::toml::de::DeValue;
use ulvs_model::{Sysctl, Sysctls};

use super::table::Table;
use crate::problems::Problems;

/// `[ipvs]`: IPVS's switches by their names.
pub(super) fn read(table: &mut Table<'_, '_>, problems: &mut Problems) -> Sysctls {
    let mut sysctls = Sysctls::default();
    for &which in Sysctl::ALL {
        table.optional(which.name(), problems, |value| {
            sysctls.set(which, &written(value)).map_err(|error| error.to_string())
        });
    }
    sysctls
}

/// A value as it would be written to the switch's file.
fn written<'v>(value: &'v DeValue<'_>) -> Cow<'v, str> {
    match value {
        DeValue::String(text) => Cow::Borrowed(text),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(read) => Cow::Owned(read.to_string()),
            Err(_) => Cow::Borrowed(number.as_str()),
        },
        other => Cow::Borrowed(super::kind(other)),
    }
}
