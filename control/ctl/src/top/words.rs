//! Rates for narrow columns.

use crate::units::count;

/// `0`, `7.5`, `120`, `12.3k`; a dash where it is not known yet.
pub(super) fn rate(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value > 0.0 && value < 9.95 => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        Some(value) => whole(value),
    }
}

/// Bits of a rate in bytes.
pub(super) fn bits(bytes: Option<f64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| whole(bytes * 8.0))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number for people")]
fn whole(value: f64) -> String {
    count(value.round() as u64)
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A bar of so many letters.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a drawing")]
pub(super) fn bar(share: f64, width: usize) -> String {
    let full = ((share.clamp(0.0, 1.0) * width as f64).ceil() as usize).min(width);
    format!("{}{}", "|".repeat(full), " ".repeat(width - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_short() {
        let cases =
            [(0.0, "0"), (0.04, "0"), (5.99, "6"), (7.25, "7.2"), (9.96, "10"), (99_999.4, "99999"), (1e6, "1.00M")];
        for (value, text) in cases {
            assert_eq!(rate(Some(value)), text, "{value}");
        }
        assert_eq!((rate(None).as_str(), bits(Some(125_000.0)).as_str()), ("-", "1.00M"));
    }

    #[test]
    fn a_bar_shows_that_there_is_something() {
        assert_eq!([0.0, 0.001, 0.5, 1.0, 7.0].map(|share| bar(share, 4)), ["    ", "|   ", "||  ", "||||", "||||"]);
    }
}
