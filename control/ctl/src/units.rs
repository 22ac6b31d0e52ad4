/// A count in at most five characters and a letter: `99999`, `1.23M`.
pub(crate) fn count(n: u64) -> String {
    scaled(n, 100_000, 1000, &["k", "M", "G", "T", "P", "E"])
}

/// Bytes: `1023 B`, `1.50 KiB`.
pub(crate) fn bytes(n: u64) -> String {
    if n < 1024 { format!("{n} B") } else { scaled(n, 1024, 1024, &[" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"]) }
}

/// `n` as it is below `plain`, else three digits and a unit; cut, not rounded up, so that 999,999 is never 1000k.
fn scaled(n: u64, plain: u64, step: u64, units: &[&str]) -> String {
    if n < plain {
        return n.to_string();
    }
    let mut unit = step;
    let mut name = 0;
    while n / unit >= step && name + 1 < units.len() {
        unit *= step;
        name += 1;
    }
    let whole = n / unit;
    let rest = u128::from(n % unit);
    let digits = if whole < 10 { 2 } else { usize::from(whole < 100) };
    let fraction = rest * 10_u128.pow(u32::try_from(digits).unwrap_or_default()) / u128::from(unit);
    if digits == 0 { format!("{whole}{}", units[name]) } else { format!("{whole}.{fraction:0digits$}{}", units[name]) }
}

/// A short time: `780 ns`, `12.5 us`, `1.23 ms`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number for people")]
pub(crate) fn micros(micros: f64) -> String {
    let nanos = (micros * 1000.0).round() as u64;
    if nanos < 1000 { format!("{nanos} ns") } else { scaled(nanos, 1000, 1000, &[" us", " ms", " s"]) }
}

/// A span of time by its two largest units: `3d 4h`, `12m 5s`.
pub(crate) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {}s", seconds % 60),
        3600..86_400 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// What is left of a timer, as ipvsadm writes it: `14:59`.
pub(crate) fn timer(seconds: u64) -> String {
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// A time in seconds since 1970 as date and time in UTC: `2023-11-14 22:13:20`.
pub(crate) fn date(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days, of an era of 400 years that begins in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_keep_three_digits() {
        for (n, text) in [
            (0, "0"),
            (99_999, "99999"),
            (100_000, "100k"),
            (999_999, "999k"),
            (1_239_999, "1.23M"),
            (12_300_000, "12.3M"),
            (1_050_000_000, "1.05G"),
            (u64::MAX, "18.4E"),
        ] {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn bytes_count_in_powers_of_1024() {
        for (n, text) in [(1023, "1023 B"), (1024, "1.00 KiB"), (1536, "1.50 KiB"), (u64::MAX, "15.9 EiB")] {
            assert_eq!(bytes(n), text);
        }
        assert_eq!(bytes(20 << 20), "20.0 MiB");
    }

    #[test]
    fn short_times_keep_three_digits() {
        for (us, text) in
            [(0.0, "0 ns"), (0.78125, "781 ns"), (12.5, "12.5 us"), (999.9999, "1.00 ms"), (2_500_000.0, "2.50 s")]
        {
            assert_eq!(micros(us), text);
        }
    }

    #[test]
    fn dates_are_utcs() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_868_799, "2000-02-29 23:59:59"),
            (951_868_800, "2000-03-01 00:00:00"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(date(seconds), text);
        }
    }

    #[test]
    fn time_is_told_by_two_units() {
        for (seconds, text) in [(59, "59s"), (725, "12m 5s"), (7260, "2h 1m"), (273_600, "3d 4h")] {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(timer(899), "14:59");
        assert_eq!(timer(6000), "100:00");
    }
}
