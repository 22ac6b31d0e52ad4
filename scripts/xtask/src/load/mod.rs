//! Bounded load: DNS by our own client, HTTP by wrk; both report failures, percentiles and who answered.

mod dns;
mod http;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// GET / over a new connection for each request (wrk).
    Http(Load),
    /// Ask for the TXT record of who.lab from a new source port for each request.
    Dns(Load),
}

#[derive(Args)]
struct Load {
    /// Address to send to.
    address: IpAddr,
    /// Port to send to; default: the protocol's own.
    #[arg(long)]
    port: Option<u16>,
    /// How many requests, in all.
    #[arg(long, default_value_t = 1000)]
    requests: u64,
    /// How many at a time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=512))]
    concurrency: u16,
    /// Give up after this many seconds; what is not answered then has failed.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// What became of a load.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Requests meant to be sent.
    pub(crate) requests: u64,
    /// Requests without a right answer.
    pub(crate) failures: u64,
    /// Real server -> its right answers.
    pub(crate) shares: BTreeMap<String, u64>,
    /// Half of the answers came within this many microseconds.
    pub(crate) p50_us: Option<u64>,
    /// 99 of 100 answers came within this many microseconds.
    pub(crate) p99_us: Option<u64>,
}

impl Report {
    /// Shares in per cent, as in `rs1 33.3 rs2 33.3 rs3 33.4`.
    pub(crate) fn shares_in_words(&self) -> String {
        let all: u64 = self.shares.values().sum();
        let one = |(server, count): (&String, &u64)| {
            let tenths = (count * 1000 + all / 2) / all.max(1);
            format!("{server} {}.{}%", tenths / 10, tenths % 10)
        };
        if all == 0 { "-".to_owned() } else { self.shares.iter().map(one).collect::<Vec<_>>().join(" ") }
    }
}

/// Microseconds as milliseconds with two digits, or `-`.
pub(crate) fn milliseconds(us: Option<u64>) -> String {
    us.map_or_else(|| "-".to_owned(), |us| format!("{}.{:02} ms", us / 1000, us % 1000 / 10))
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (load, report) = match &arguments.command {
        Command::Http(load) => (load, http::run(load)?),
        Command::Dns(load) => (load, dns::run(load)),
    };
    if load.json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        say!(
            "{} requests, {} failures, p50 {}, p99 {}, {}",
            report.requests,
            report.failures,
            milliseconds(report.p50_us),
            milliseconds(report.p99_us),
            report.shares_in_words()
        );
    }
    Ok(if report.failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_to_tenths() {
        let shares = BTreeMap::from([("rs1".to_owned(), 1), ("rs2".to_owned(), 2)]);
        let report = Report { shares, ..Report::default() };
        assert_eq!(report.shares_in_words(), "rs1 33.3% rs2 66.7%");
        assert_eq!(Report::default().shares_in_words(), "-");
    }

    #[test]
    fn milliseconds_have_two_digits() {
        assert_eq!(milliseconds(Some(1_239)), "1.23 ms");
        assert_eq!(milliseconds(Some(50)), "0.05 ms");
        assert_eq!(milliseconds(None), "-");
    }
}
