use ulvs_api::CheckStatus;

use crate::table::Align::{Left, Right};
use crate::table::Table;
use crate::units::{count, span};

/// The health checks for people; `now` is in seconds since 1970.
pub(crate) fn render(checks: &[CheckStatus], now: u64) -> String {
    if checks.is_empty() {
        return "no checks\n".to_owned();
    }
    let mut table = Table::new([
        ("CHECK", Left),
        ("TYPE", Left),
        ("ADDRESS", Left),
        ("STATE", Left),
        ("SINCE", Right),
        ("WEIGHT", Right),
        ("PROBES", Right),
        ("FAILED", Right),
        ("LAST", Right),
        ("SERVICES", Left),
        ("REASON", Left),
    ]);
    for check in checks {
        table.row(row(check, now));
    }
    table.to_string()
}

fn row(check: &CheckStatus, now: u64) -> [String; 11] {
    let address = if check.address.port() == 0 { check.address.ip().to_string() } else { check.address.to_string() };
    [
        check.check.clone(),
        check.kind.to_string(),
        address,
        state(check),
        span(now.saturating_sub(check.since)),
        weight(check),
        count(check.probes),
        count(check.failures),
        format!("{:.1} ms", check.took_ms),
        check.services.join(", "),
        check.reason.clone().unwrap_or_default(),
    ]
}

/// `up`, or with probes that speak against it: `up, 1 of 3 failed`.
fn state(check: &CheckStatus) -> String {
    let (state, against) = if check.up { ("up", "failed") } else { ("down", "passed") };
    match check.doubts {
        0 => state.to_owned(),
        doubts => format!("{state}, {doubts} of {} {against}", check.doubts_needed),
    }
}

fn weight(check: &CheckStatus) -> String {
    match (check.weight, check.weight_percent) {
        (Some(weight), _) => weight.to_string(),
        (None, Some(percent)) => format!("{percent}%"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_a_table() {
        let web = CheckStatus {
            check: "web".to_owned(),
            kind: "http".into(),
            address: "10.0.0.11:8080".parse().unwrap(),
            services: vec!["tcp 192.0.2.100:80".to_owned()],
            up: true,
            since: 100,
            doubts: 1,
            doubts_needed: 3,
            weight_percent: Some(100),
            weight: None,
            probes: 12,
            failures: 1,
            took_ms: 1.25,
            reason: Some("the status is 503".to_owned()),
        };
        let (address, kind) = ("10.0.0.11:0".parse().unwrap(), "icmp".into());
        let ping = CheckStatus { address, kind, doubts: 0, reason: None, up: false, ..web.clone() };
        let expected = "\
CHECK  TYPE  ADDRESS         STATE              SINCE  WEIGHT  PROBES  FAILED    LAST  SERVICES            REASON
web    http  10.0.0.11:8080  up, 1 of 3 failed    20s    100%      12       1  1.2 ms  tcp 192.0.2.100:80  the status is 503
web    icmp  10.0.0.11       down                 20s    100%      12       1  1.2 ms  tcp 192.0.2.100:80
";
        assert_eq!(render(&[web, ping], 120), expected);
        assert_eq!(render(&[], 0), "no checks\n");
    }
}
