//! `lab load`: every method, family and protocol from the client through the director, as a table.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use super::host::Host;
use super::plan::{Family, Method, Plan};
use super::{the_lab, this_program};
use crate::load::{Report, milliseconds};

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many requests for each row.
    #[arg(long, default_value_t = 1000)]
    requests: u64,
    /// How many at a time.
    #[arg(long, default_value_t = 8)]
    concurrency: u16,
    /// Give each row at most this many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this method; may be given several times.
    #[arg(long, value_enum)]
    method: Vec<Method>,
    /// Only this protocol: http or dns.
    #[arg(long)]
    protocol: Option<String>,
    /// Print one JSON object for each row instead of the table.
    #[arg(long)]
    json: bool,
}

const PROTOCOLS: [&str; 2] = ["http", "dns"];

pub(super) fn run(name: &str, arguments: &Arguments) -> Result<ExitCode> {
    let plan = the_lab(name)?.plan;
    if let Some(other) = arguments.protocol.as_deref().filter(|protocol| !PROTOCOLS.contains(protocol)) {
        bail!("--protocol is http or dns, not {other}");
    }
    let methods = plan.methods.iter().filter(|one| arguments.method.is_empty() || arguments.method.contains(one));
    if !arguments.json {
        say!(
            "{:<6} {:<6} {:<8} {:>8} {:>8}  {:>9} {:>10}  share per real server",
            "method",
            "family",
            "protocol",
            "requests",
            "failures",
            "p50",
            "p99"
        );
    }
    let mut failures = 0;
    for method in methods {
        for family in Family::BOTH {
            for protocol in PROTOCOLS {
                if arguments.protocol.as_deref().is_none_or(|only| only == protocol) {
                    let report = row(&plan, arguments, &method.vip(family), protocol)?;
                    failures += report.failures;
                    print(arguments.json, *method, family, protocol, &report);
                }
            }
        }
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(plan: &Plan, arguments: &Arguments, vip: &str, protocol: &str) -> Result<Report> {
    let output = Host(plan.namespace("client"))
        .command(this_program()?)
        .args(["load", protocol, vip, "--json"])
        .args(["--requests", &arguments.requests.to_string()])
        .args(["--concurrency", &arguments.concurrency.to_string()])
        .args(["--seconds", &arguments.seconds.to_string()])
        .output()?;
    let error = || format!("the load on {vip} did not report: {}", String::from_utf8_lossy(&output.stderr).trim());
    serde_json::from_slice(&output.stdout).with_context(error)
}

fn print(json: bool, method: Method, family: Family, protocol: &str, report: &Report) {
    if json {
        say!("{}", json!({ "method": method, "family": family.name(), "protocol": protocol, "report": report }));
        return;
    }
    say!(
        "{:<6} {:<6} {:<8} {:>8} {:>8}  {:>9} {:>10}  {}",
        method.name().to_uppercase(),
        family.name(),
        protocol.to_uppercase(),
        report.requests,
        report.failures,
        milliseconds(report.p50_us),
        milliseconds(report.p99_us),
        report.shares_in_words()
    );
}
