//! HTTP load by wrk and scripts/lab/wrk.lua.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{Load, Report};

/// The line that wrk.lua prints.
#[derive(Deserialize)]
struct Line {
    answered: u64,
    failures: u64,
    shares: BTreeMap<String, u64>,
    p50_us: u64,
    p99_us: u64,
}

pub(super) fn run(load: &Load) -> Result<Report> {
    let host = match load.address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let output = Command::new("wrk")
        .args(["--threads", "1", "--timeout", "5s", "--script"])
        .arg(crate::root().join("scripts/lab/wrk.lua"))
        .args(["--connections", &load.concurrency.to_string()])
        .args(["--duration", &format!("{}s", load.seconds)])
        .arg(format!("http://{host}:{}/", load.port.unwrap_or(80)))
        .args(["--", &load.requests.to_string()])
        .output()
        .context("cannot run wrk: install the package wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(line) = text.lines().find(|line| line.starts_with('{')) else {
        // wrk measures nothing at all when its first connection fails
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if reason.starts_with("unable to connect") {
            return Ok(Report { requests: load.requests, failures: load.requests, ..Report::default() });
        }
        bail!("wrk did not report: {reason}{text}");
    };
    let line: Line = serde_json::from_str(line).context("wrk.lua printed something else than its report")?;
    Ok(line.report(load.requests))
}

impl Line {
    fn report(self, requests: u64) -> Report {
        let measured = self.answered > 0;
        Report {
            requests,
            failures: self.failures + requests.saturating_sub(self.answered),
            shares: self.shares,
            p50_us: measured.then_some(self.p50_us),
            p99_us: measured.then_some(self.p99_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_answered_has_failed() {
        let line = r#"{"answered":90,"failures":2,"shares":{"rs1":88},"p50_us":5,"p99_us":9}"#;
        let report = serde_json::from_str::<Line>(line).expect("a line").report(100);
        assert_eq!((report.requests, report.failures, report.p99_us), (100, 12, Some(9)));
    }
}
