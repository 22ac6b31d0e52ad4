//! Measures the datapath: each scenario beside the limit, in one run, in worker CPU time.
//!
//! Packets come from a [generator port](generator) in the worker's own thread; what the generator itself costs is measured by
//! a null forwarder, alternating with the worker, and shown. Wall-clock time lies on shared machines; thread CPU time does so
//! less, and the ratio to the limit of the same run least.

mod arithmetic;
mod director;
mod expiry;
mod flows;
mod generator;
mod limit;
mod measure;
mod netlink;
mod pcap;
mod pktgen;
mod process;
mod report;
mod rig;
mod scaling;
mod scenario;
mod stall;
mod ulvsd;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use dpdk::{Eal, Mempool, MempoolConfig};

use crate::scenario::Scenario;

/// Measures the datapath, scenario by scenario.
#[derive(Debug, Parser)]
#[command(name = "ulvs-bench")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
struct Arguments {
    /// Scenarios, such as dr-64k; all without any.
    scenarios: Vec<String>,

    /// Write the results to FILE as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the results to FILE as a table in Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write scripts for Pktgen-DPDK into FOLDER instead of measuring.
    #[arg(long, value_name = "FOLDER")]
    pktgen: Option<PathBuf>,

    /// Three repeats instead of seven.
    #[arg(long)]
    quick: bool,

    /// Print the names of all scenarios and end.
    #[arg(long)]
    list: bool,

    /// Measure what the rig is for with packets of this process, too: so the families and methods can be compared on one port.
    #[arg(long)]
    no_rig: bool,

    /// Measure without huge pages: slower, but needs none.
    #[arg(long)]
    no_huge: bool,
}

/// Packet memory in MiB: room for the pool, whose packets are reused while they are in the cache.
const MEMORY: u32 = 64;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.list {
        for scenario in Scenario::all() {
            println!("{}", scenario.name);
        }
        return Ok(());
    }
    let mut scenarios = chosen(&arguments.scenarios)?;
    if arguments.no_rig {
        scenarios = scenarios.into_iter().map(Scenario::off_the_rig).collect();
    }
    if let Some(folder) = &arguments.pktgen {
        return scripts(folder, &scenarios, arguments.scenarios.is_empty());
    }
    // Its own interruptions are not to be those of the worker that it measures, or of the clock beside.
    let _others_do_as_they_do = ulvs_worker::heap::keep();
    let generator =
        if scenarios.iter().any(Scenario::needs_generator) { Some(source(arguments.no_huge)?) } else { None };
    let repeats = if arguments.quick { 3 } else { 7 };
    let mut results = Vec::new();
    report::header();
    for scenario in &scenarios {
        let result =
            scenario.run(generator.as_ref(), repeats).with_context(|| format!("scenario {}", scenario.name))?;
        report::row(&result);
        results.push(result);
    }
    let write = |file: &PathBuf, text: String| {
        std::fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))
    };
    if let Some(file) = &arguments.json {
        write(file, serde_json::to_string_pretty(&results)? + "\n")?;
    }
    if let Some(file) = &arguments.markdown {
        write(file, report::markdown(&results))?;
    }
    Ok(())
}

/// Writes scripts of these scenarios, or of those among them for which there can be one.
fn scripts(folder: &Path, scenarios: &[Scenario], all: bool) -> Result<()> {
    for scenario in scenarios {
        match scenario.pktgen() {
            Some(traffic) => pktgen::write(folder, &scenario.name, &traffic)?,
            None if all => {}
            None => bail!("{} is not traffic that Pktgen can send by itself", scenario.name),
        }
    }
    Ok(())
}

/// What the generator takes its packets from.
pub(crate) struct Source {
    pub(crate) eal: Eal,
    pub(crate) pool: Mempool,
}

fn source(no_huge: bool) -> Result<Source> {
    let mut builder = Eal::builder().memory_mib(MEMORY).file_prefix(format!("ulvs-bench{}", std::process::id()));
    if no_huge {
        builder = builder.no_huge();
    }
    let eal = builder.init().context("the benchmark needs DPDK (--no-huge does without huge pages)")?;
    let config = MempoolConfig { count: 4095, cache: 256, data_room: 2048, socket: None };
    let pool = Mempool::new(&eal, "bench", &config)?;
    Ok(Source { eal, pool })
}

fn chosen(names: &[String]) -> Result<Vec<Scenario>> {
    let all = Scenario::all();
    if names.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| match all.iter().find(|scenario| scenario.name == *name) {
        Some(scenario) => Ok(scenario.clone()),
        None => bail!("there is no scenario {name}: --list prints them all"),
    };
    names.iter().map(find).collect()
}
