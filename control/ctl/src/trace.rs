//! `ulvsctl trace`: what happens to the next packets that a filter finds.

use std::io::{BufRead, BufReader, Write};

use anyhow::{Context, Result, bail};
use clap::Args;
use ulvs_api::{CaptureRequest, Client, TraceLine, path};

use crate::explain::render;
use crate::filter::Filter;

/// Which packets, and how many.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    filter: Filter,
    /// How many packets.
    #[arg(short = 'c', long, value_name = "N", default_value_t = 1)]
    count: u64,
}

impl Options {
    /// Prints each packet as it comes.
    pub(crate) fn run(&self, client: &Client, json: bool, out: &mut impl Write) -> Result<()> {
        let request = CaptureRequest { count: Some(self.count), ..self.filter.request()? };
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
