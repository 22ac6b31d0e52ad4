//! `ulvsctl trace`: what happens to the next packets that a filter finds.

use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use ulvs_api::{CaptureRequest, Client, TraceLine, path};

use crate::drain::duration;
use crate::explain::render;
use crate::filter;

/// Which packets, and how many.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which packets, in tcpdump's language, by either side of a connection. Absent: all.
    filter: Vec<String>,
    /// How many packets.
    #[arg(short = 'c', long, value_name = "N", default_value_t = 1)]
    count: u64,
    /// End after this time, though there were fewer, as 30s or 5m.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Only packets that come in or leave by this port of the director.
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    /// Only packets that are dropped.
    #[arg(long)]
    dropped: bool,
}

impl Options {
    /// Prints each packet as it comes.
    pub(crate) fn run(&self, client: &Client, json: bool, out: &mut impl Write) -> Result<()> {
        let filter = self.filter.join(" ");
        let request = CaptureRequest {
            program: filter::compile(&filter)?,
            filter,
            count: Some(self.count),
            seconds: self.duration.map(|duration| duration.as_secs()),
            port: self.port.clone(),
            dropped: self.dropped,
            ..CaptureRequest::default()
        };
        let answer = client.post_stream(path::TRACE, &request)?;
        answer.set_patience(None)?;
        for line in BufReader::new(answer).lines() {
            let line = line.context("talking to ulvsd failed")?;
            let told: TraceLine = client.read(&line)?;
            match &told {
                _ if json => writeln!(out, "{line}")?,
                TraceLine::Packet { explanation, .. } => write!(out, "{}", render(explanation))?,
                TraceLine::End { lost: 0, .. } => {}
                TraceLine::End { lost, .. } => {
                    writeln!(out, "{lost} packets were lost, as they came faster than they were read")?;
                }
            }
            out.flush()?;
            if matches!(told, TraceLine::End { .. }) {
                return Ok(());
            }
        }
        bail!("ulvsd ended the trace early: see its log")
    }
}
